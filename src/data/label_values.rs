//! Labels that stand as text in a table, a member of an archive or an array: their classes.

use std::collections::HashMap;

/// More classes than this are no classes.
const MAX_CLASSES: usize = 100_000;
/// Labels of which nearly each is another one: from here on they are numbers or names of samples, not classes.
const FEW: usize = 50;

/// Labels as they are read, each text kept once.
#[derive(Debug, Default)]
pub(super) struct LabelValues {
    position: HashMap<String, u32>,
    labels: Vec<u32>,
}

impl LabelValues {
    /// Adds a sample's label.
    pub fn push(&mut self, text: &str) -> Result<(), String> {
        let text = text.trim();
        let position = match self.position.get(text) {
            Some(position) => *position,
            None if self.position.len() >= MAX_CLASSES => return Err(format!("there are more than {MAX_CLASSES} different labels")),
            None => {
                let position = self.position.len() as u32;
                self.position.insert(text.to_owned(), position);
                position
            }
        };
        self.labels.push(position);
        Ok(())
    }

    /// The classes, and each sample's: by number where all labels are whole numbers, else by name, as Python sorts.
    pub fn classes(self) -> Result<(Vec<String>, Vec<u32>), String> {
        let (samples, distinct) = (self.labels.len(), self.position.len());
        let numbers: Option<Vec<f64>> =
            self.position.keys().map(|text| text.parse().ok().filter(|value: &f64| value.is_finite())).collect();
        if let Some(value) = numbers.iter().flatten().find(|value| value.fract() != 0.0) {
            return Err(format!("the label {value} is no class but a quantity; a classifier needs classes"));
        }
        if samples >= FEW && distinct * 2 > samples {
            return Err(format!("{samples} samples have {distinct} different labels; a class needs several samples"));
        }
        let mut texts: Vec<(String, u32)> = self.position.into_iter().collect();
        texts.sort_unstable();
        if numbers.is_some() {
            texts.sort_by(|a, b| number(&a.0).total_cmp(&number(&b.0)));
        }
        let (mut names, mut class_of) = (Vec::<String>::new(), vec![0; distinct]);
        for (text, position) in texts {
            // `1`, `01` and `1.0` are one number.
            let known = numbers.is_some() && names.last().is_some_and(|last| number(last) == number(&text));
            if !known {
                let whole = numbers.is_some() && text.contains(['.', 'e', 'E']);
                names.push(if whole { format!("{:.0}", number(&text)) } else { text });
            }
            class_of[position as usize] = names.len() as u32 - 1;
        }
        Ok((names, self.labels.into_iter().map(|position| class_of[position as usize]).collect()))
    }
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(texts: &[&str]) -> Result<(Vec<String>, Vec<u32>), String> {
        let mut values = LabelValues::default();
        texts.iter().try_for_each(|text| values.push(text))?;
        values.classes()
    }

    fn sorted(texts: &[&str], names: &[&str], labels: &[u32]) {
        assert_eq!(classes(texts).unwrap(), (names.iter().map(|&name| name.to_owned()).collect(), labels.to_vec()));
    }

    #[test]
    fn whole_numbers_are_sorted_by_value_and_names_as_python_sorts() {
        sorted(&["10", "2", "2", "-1"], &["-1", "2", "10"], &[2, 1, 1, 0]);
        sorted(&["dog", "Zebra", " cat ", "10", "2"], &["10", "2", "Zebra", "cat", "dog"], &[4, 2, 3, 0, 1]);
    }

    #[test]
    fn a_number_written_in_several_ways_is_one_class() {
        sorted(&["1.0", "0.0", "1", "2.0"], &["0", "1", "2"], &[1, 0, 1, 2]);
        sorted(&["001", "002", "1"], &["001", "002"], &[0, 1, 0]);
    }

    #[test]
    fn quantities_and_names_of_samples_are_no_classes() {
        assert!(classes(&["0.5", "1"]).unwrap_err().contains("0.5 is no class but a quantity"));
        let each: Vec<String> = (0..60).map(|i| format!("id{i}")).collect();
        let message = classes(&each.iter().map(String::as_str).collect::<Vec<_>>()).unwrap_err();
        assert!(message.contains("60 samples have 60 different labels"), "{message}");
    }
}
