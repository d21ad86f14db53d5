//! The data as the page shows it: classes, order, pictures, answers.

use nanprobe_checks::evidence::{self, Pictures};

use crate::diagnosis::Diagnosis;
use crate::report::numbers::{count, percent, plural};
use crate::report::svg::escape;

/// More classes than this are not drawn one by one.
const MOST_CLASSES: usize = 30;
/// Batches whose labels are drawn.
const BATCHES: usize = 12;

/// The confusion matrix.
pub struct Confusion {
    /// Class names.
    pub names: Vec<String>,
    /// Rows by true class: name, and counts with the share of the row in percent.
    pub rows: Vec<(String, Vec<(String, u32)>)>,
    /// What it is of.
    pub caption: String,
}

/// A class's share of the samples.
pub struct ClassBar {
    /// Its name.
    pub name: String,
    /// Samples.
    pub count: String,
    /// Length of its bar in percent of the largest.
    pub length: f64,
}

/// The labels of the first batches.
pub struct Batches {
    /// A batch's classes: name, hue number, share in percent as a length and as text.
    pub rows: Vec<Vec<(String, usize, f64, String)>>,
    /// What it shows.
    pub caption: String,
}

/// One picture of a contact sheet.
pub struct Picture {
    /// Base64 of a PNG.
    pub png: String,
    /// Its class.
    pub label: String,
    /// File and reason, where it is a suspect.
    pub note: String,
}

fn name(diagnosis: &Diagnosis, class: usize) -> String {
    let names = diagnosis.job.as_ref().map_or(&[][..], |job| &job.classes);
    escape(names.get(class).map_or(&format!("class {class}"), |name| name))
}

/// The matrix, if there is one that can be read.
pub fn confusion(diagnosis: &Diagnosis) -> Option<Confusion> {
    let symptom = diagnosis.symptom.as_ref()?;
    let classes = symptom.confusion.len();
    if classes == 0 || classes > MOST_CLASSES || symptom.confusion.iter().flatten().sum::<u64>() == 0 {
        return None;
    }
    let row = |(class, counts): (usize, &Vec<u64>)| {
        let total = counts.iter().sum::<u64>().max(1);
        (name(diagnosis, class), counts.iter().map(|n| (count(*n), (100 * n / total) as u32)).collect())
    };
    let columns = symptom.confusion.iter().map(Vec::len).max().unwrap_or(0);
    Some(Confusion {
        names: (0..columns).map(|class| name(diagnosis, class)).collect(),
        rows: symptom.confusion.iter().enumerate().map(row).collect(),
        caption: format!(
            "Answers on held-out samples over {}, as the training is now. Row: true class; column: answer.",
            plural(symptom.seeds as usize, "seed")
        ),
    })
}

/// Samples of each class, the largest first where there are many.
pub fn classes(diagnosis: &Diagnosis) -> Vec<ClassBar> {
    let mut classes: Vec<_> = diagnosis.figures.classes.iter().collect();
    if classes.len() > MOST_CLASSES {
        classes.sort_by_key(|class| std::cmp::Reverse(class.listed));
        // The two ends are what matters.
        let end = classes.split_off(classes.len() - MOST_CLASSES / 2);
        classes.truncate(MOST_CLASSES / 2);
        classes.extend(end);
    }
    let largest = classes.iter().map(|class| class.listed).max().unwrap_or(0).max(1) as f64;
    let bar = |class: &evidence::ClassCount| ClassBar {
        name: escape(&class.name),
        count: count(class.listed),
        length: 100.0 * class.listed as f64 / largest,
    };
    classes.into_iter().map(bar).collect()
}

/// The labels of the first batches, in the loader's order.
pub fn batches(diagnosis: &Diagnosis) -> Option<Batches> {
    let batches = diagnosis.figures.batches.as_ref().filter(|batches| !batches.histograms.is_empty())?;
    let row = |histogram: &Vec<u32>| {
        let total = f64::from(histogram.iter().sum::<u32>().max(1));
        let present = histogram.iter().enumerate().filter(|(_, n)| **n > 0);
        let share = |n: u32| f64::from(n) / total;
        present.map(|(class, n)| (name(diagnosis, class), class % 10, 100.0 * share(*n), percent(share(*n)))).collect()
    };
    let order = if batches.shuffled { "shuffled" } else { "not shuffled" };
    Some(Batches {
        rows: batches.histograms.iter().take(BATCHES).map(row).collect(),
        caption: format!(
            "Labels of the first {} batches of {}, {order}: the largest class fills {} of a batch, {} in random order",
            batches.histograms.len().min(BATCHES),
            batches.batch_size,
            percent(batches.dominance.0),
            percent(batches.shuffled_dominance.0)
        ),
    })
}

/// The first batches, each with its heading.
pub fn sheets(diagnosis: &Diagnosis, shown: &Pictures) -> Vec<(String, Vec<Picture>)> {
    let heading = |(index, batch): (usize, &Vec<evidence::Picture>)| {
        let of = if (batch.len() as u64) < shown.batch_size { format!(" of {}", shown.batch_size) } else { String::new() };
        (format!("Batch {}, {}{of} samples", index + 1, batch.len()), pictures(diagnosis, batch))
    };
    shown.batches.iter().enumerate().map(heading).collect()
}

/// How values became grey.
pub fn range(shown: &Pictures) -> String {
    let shape: Vec<String> = shown.shape.iter().map(u64::to_string).collect();
    format!("As the network receives them, {}: black is {:.3}, white is {:.3}", shape.join(" x "), shown.black.0, shown.white.0)
}

/// Pictures with their labels.
pub fn pictures(diagnosis: &Diagnosis, pictures: &[evidence::Picture]) -> Vec<Picture> {
    // What is no base64 was not made by the engine.
    let sound = |picture: &&evidence::Picture| picture.png.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
    let of = |picture: &evidence::Picture| Picture {
        png: picture.png.clone(),
        label: usize::try_from(picture.label).map_or_else(|_| picture.label.to_string(), |class| name(diagnosis, class)),
        note: escape([picture.file.as_deref().unwrap_or_default(), &picture.note].join(" ").trim()),
    };
    pictures.iter().filter(sound).map(of).collect()
}
