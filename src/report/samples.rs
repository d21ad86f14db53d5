//! Hand-made diagnoses that the tests of reports and exit codes share.

use nanprobe_checks::evidence::Run;
use nanprobe_checks::stats::{Interval, wilson};
use nanprobe_checks::{Location, Real, Severity};

use crate::config::Settings;
use crate::diagnosis::{Criterion, Diagnosis, Effect, Figures, Fix, JobReport, RunReport, SCHEMA, Status, Symptom, Verdict};
use crate::worker::Cost;

fn clear(check: &str, family: &str, measured: &str) -> Verdict {
    Verdict { measured: measured.to_owned(), ..Verdict::new(check, family, Status::Clear) }
}

fn not_measured(check: &str, family: &str, why: &str) -> Verdict {
    Verdict { message: why.to_owned(), ..Verdict::new(check, family, Status::NotMeasured) }
}

fn effect(before: f64, after: f64, low: f64, high: f64, with: &[&str]) -> Effect {
    let with = with.iter().map(|&check| check.to_owned()).collect();
    let interval = Interval { low, high };
    let (before, after) = (before.into(), after.into());
    let (half_way_before, half_way_after, decided_by) = (None, Some(Real(22.0)), Criterion::HeldOut);
    Effect {
        before,
        after,
        interval,
        loss_before: Real(0.693),
        loss_after: Real(0.31),
        half_way_before,
        half_way_after,
        decided_by,
        longer: None,
        seeds: 3,
        with,
    }
}

/// The symptom of `confusion`, over three seeds.
fn symptom(confusion: Vec<Vec<u64>>, loss: f64) -> Symptom {
    let classes = confusion.len() as f64;
    let total: u64 = confusion.iter().flatten().sum();
    let right: u64 = confusion.iter().enumerate().map(|(label, row)| row[label]).sum();
    let largest = confusion.iter().map(|row| row.iter().sum::<u64>()).max().unwrap_or(0);
    let accuracy = right as f64 / total as f64;
    Symptom {
        accuracy: accuracy.into(),
        balanced_accuracy: accuracy.into(),
        interval: wilson(right / 3, total / 3),
        chance: (1.0 / classes).into(),
        majority_rate: (largest as f64 / total as f64).into(),
        loss: loss.into(),
        ln_classes: classes.ln().into(),
        confusion,
        samples: total / 3,
        seeds: 3,
        steps: 60,
        losses: (0..60).map(|step| Real(loss + (0.71 - loss) * f64::exp(-f64::from(step) / 20.0))).collect(),
    }
}

fn job(model: &str, classes: &[&str]) -> JobReport {
    let flags = crate::cli::JobArgs { data: Some("./train".into()), model: Some("resnet18".into()), ..Default::default() };
    let recipe = Settings::of_flags(&flags, None).unwrap().recipe;
    JobReport {
        data: "./train".to_owned(),
        rule: "image folder; the label is the name of the folder".to_owned(),
        classes: classes.iter().map(|&class| class.to_owned()).collect(),
        samples: [25_000, 1_000, 400],
        model: model.to_owned(),
        weights: None,
        recipe,
    }
}

fn run(spent: f64, lowered: &[&str], problems: &[&str]) -> RunReport {
    let strings = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    let versions = [("nanprobe", "0.1.0"), ("torch", "2.13.0")].map(|(name, version)| (name.to_owned(), version.to_owned())).into();
    let conditions = Run { seed: 0, device: "cpu".to_owned(), threads: 2, versions, budget: 120.0, lowered: strings(lowered) };
    RunReport {
        conditions,
        spent,
        trained: Cost { steps: if problems.is_empty() { 1440 } else { 0 }, seconds: 0.9 * spent },
        problems: strings(problems),
        config: None,
        command: "nanprobe diagnose --data ./train --model resnet18 --no-shuffle --lr 1e-6".to_owned(),
        stale_accepts: vec![],
    }
}

/// Two mistakes that mask each other, what they cause, and a rule that fired for nothing.
pub fn two_fixes() -> Diagnosis {
    let unshuffled = Verdict {
        rank: Some(1),
        severity: Some(Severity::Error),
        effect: Some(effect(0.5, 0.71, 0.15, 0.27, &[])),
        message: "batches arrive sorted by class, so the model learns whichever class came last".to_owned(),
        measured: "one class fills 97% of a batch, 57% if shuffled".to_owned(),
        remedy: "shuffle the training data: `DataLoader(..., shuffle=True)`".to_owned(),
        ..Verdict::new("unshuffled-batches", "data", Status::Confirmed)
    };
    let too_low = Verdict {
        rank: Some(2),
        severity: Some(Severity::Error),
        effect: Some(effect(0.71, 0.94, 0.18, 0.28, &["unshuffled-batches"])),
        message: "the learning rate is far below where the loss begins to fall".to_owned(),
        measured: "learning rate 1e-6; the sweep falls fastest at 2e-3".to_owned(),
        remedy: "raise the learning rate to about 2e-3".to_owned(),
        location: Some(Location { module: String::new(), file: Some("train.py".to_owned()), line: Some(42) }),
        source: Some("optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)".to_owned()),
        ..Verdict::new("learning-rate-too-low", "optimisation", Status::Contributing)
    };
    let collapsed = Verdict {
        severity: Some(Severity::Error),
        message: "the model gives every sample the same answer".to_owned(),
        measured: "98% of the answers are `Shirt`".to_owned(),
        remedy: "look at what the model was last trained on".to_owned(),
        explained_by: Some("unshuffled-batches".to_owned()),
        ..Verdict::new("collapsed-predictions", "evaluation", Status::Suspected)
    };
    let untried = Verdict {
        rank: Some(3),
        severity: Some(Severity::Warning),
        message: "labels disagree with the class that the file name gives".to_owned(),
        measured: "31 of 1,000 file names name another class".to_owned(),
        remedy: "look at the files listed by `--format json`, and correct their labels".to_owned(),
        location: None,
        ..Verdict::new("labels-disagree-with-names", "labels", Status::Suspected)
    };
    let harmless = Verdict {
        severity: Some(Severity::Warning),
        effect: Some(effect(0.5, 0.504, -0.02, 0.03, &[])),
        message: "inputs are not normalised".to_owned(),
        measured: "mean 0.29, deviation 0.35".to_owned(),
        remedy: "normalise with the training set's mean and deviation".to_owned(),
        ..Verdict::new("unnormalized-inputs", "data", Status::Harmless)
    };
    Diagnosis {
        schema: SCHEMA.to_owned(),
        headline: "Two mistakes keep the model at chance: batches arrive sorted by class, and the learning rate is far too low. \
                   Shuffle the training data, then raise the learning rate to about 2e-3."
            .to_owned(),
        symptom: Some(symptom(vec![vec![8, 592], vec![6, 594]], 0.693)),
        verdicts: vec![
            unshuffled,
            too_low,
            collapsed,
            untried,
            harmless,
            clear("class-imbalance", "data", "the rarest class has 49% of the samples"),
            clear("dead-relu", "model", "no layer has more than 3% silent units"),
            clear("exploding-gradient", "optimisation", "largest gradient norm 1.8"),
            not_measured("uninformative-labels", "labels", "skipped to keep the budget: permuted-labels"),
        ],
        fixes: vec![
            Fix {
                check: "unshuffled-batches".to_owned(),
                remedy: "shuffle the training data: `DataLoader(..., shuffle=True)`".to_owned(),
                accuracy: 0.71.into(),
            },
            Fix {
                check: "learning-rate-too-low".to_owned(),
                remedy: "raise the learning rate to about 2e-3".to_owned(),
                accuracy: 0.94.into(),
            },
        ],
        job: Some(job("resnet18, 11.2 M parameters", &["T-shirt", "Shirt"])),
        run: run(87.4, &["image size 224 -> 64 px"], &[]),
        figures: Figures::default(),
    }
}

/// A training without a fault.
pub fn healthy() -> Diagnosis {
    Diagnosis {
        schema: SCHEMA.to_owned(),
        headline: "Nothing is wrong: the model learns, to 85% of held-out samples within 60 steps.".to_owned(),
        symptom: Some(symptom(vec![vec![520, 80], vec![100, 500]], 0.352)),
        verdicts: vec![
            clear("unshuffled-batches", "data", "one class fills 58% of a batch, 57% if shuffled"),
            clear("class-imbalance", "data", "the rarest class has 49% of the samples"),
            clear("exploding-gradient", "optimisation", "largest gradient norm 1.8"),
        ],
        fixes: vec![],
        job: Some(job("small-cnn, 62 k parameters", &["T-shirt", "Shirt"])),
        run: run(31.0, &[], &[]),
        figures: Figures::default(),
    }
}

/// Many classes, with names that are long and wide, and one mistake.
pub fn many_classes() -> Diagnosis {
    let names: Vec<String> =
        (0..37).map(|i| if i % 5 == 0 { format!("品种{i}号猫") } else { format!("breed-{i}-with-a-rather-long-name") }).collect();
    let mut confusion = vec![vec![0; 37]; 37];
    for (label, row) in confusion.iter_mut().enumerate() {
        row[label] = 20;
        row[(label * 7 + 3) % 37] += 10 + label as u64 % 4;
    }
    let wrong_init = Verdict {
        rank: Some(1),
        severity: Some(Severity::Error),
        effect: Some(effect(0.65, 0.83, 0.14, 0.22, &[])),
        message: "weights are far too small".to_owned(),
        measured: "standard deviation 0.001 in `features.0`; He initialisation has 0.12".to_owned(),
        remedy: "initialise convolution weights with `kaiming_normal_(nonlinearity='relu')` instead of `normal_(0,0.001)`".to_owned(),
        location: Some(Location { module: "features.denseblock4.denselayer16.conv2".to_owned(), file: None, line: None }),
        ..Verdict::new("bad-initialization", "model", Status::Confirmed)
    };
    Diagnosis {
        schema: SCHEMA.to_owned(),
        headline: "The weights start far too small: use He initialisation.".to_owned(),
        symptom: Some(symptom(confusion, 1.94)),
        verdicts: vec![wrong_init, clear("dead-relu", "model", "no layer has more than 3% silent units")],
        fixes: vec![Fix {
            check: "bad-initialization".to_owned(),
            remedy: "initialise convolution weights with `kaiming_normal_(nonlinearity='relu')` instead of `normal_(0,0.001)`".to_owned(),
            accuracy: 0.83.into(),
        }],
        job: Some(job("vgg11, 129 M parameters", &names.iter().map(String::as_str).collect::<Vec<_>>())),
        run: run(118.2, &[], &[]),
        figures: Figures::default(),
    }
}

/// As many classes as are still shown as a matrix, with names of all lengths.
pub fn ten_classes() -> Diagnosis {
    let classes =
        ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag with a very long handle", "靴子"];
    let row = |label: usize| (0..10).map(|answer| if answer == label { 1021 } else { (label * answer) as u64 % 7 * 13 }).collect();
    let symptom = Some(symptom((0..10).map(row).collect(), 0.61));
    Diagnosis { symptom, job: Some(job("resnet18, 11.2 M parameters", &classes)), ..healthy() }
}

/// The measuring child died before the first training.
pub fn died_early() -> Diagnosis {
    let gone = "the measuring process ended before this was measured";
    Diagnosis {
        schema: SCHEMA.to_owned(),
        headline: "Too little could be measured: the measuring process was killed, most likely for want of memory.".to_owned(),
        symptom: None,
        verdicts: vec![
            clear("unshuffled-batches", "data", "one class fills 58% of a batch, 57% if shuffled"),
            not_measured("gradients-missing", "model", gone),
            not_measured("vanishing-gradient", "model", gone),
            not_measured("dead-relu", "model", gone),
            not_measured("learning-rate-too-low", "optimisation", gone),
            not_measured("class-imbalance", "data", "the source lists no counts"),
        ],
        fixes: vec![],
        job: None,
        run: run(
            12.0,
            &[],
            &["the measuring process was ended by signal 9 (killed) while it took `initial-loss`: free memory, or lower --batch-size"],
        ),
        figures: Figures::default(),
    }
}
