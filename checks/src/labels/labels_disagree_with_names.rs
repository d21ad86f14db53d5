//! Labels that contradict the file names.

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::evidence::LabelNames;
use crate::stats::beyond;
use crate::words::percent;
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// Files whose names say one class are labelled another.
    ///
    /// ## What it looks for
    /// Files whose own name contains, as a word, the name of exactly one class (`cat_017.jpg`), while the label, which comes
    /// from a folder, a table or an index, is another class.
    ///
    /// ## Why it matters
    /// It is the one trace of a wrong label that needs no training: a table joined in another order than the files, folders
    /// mixed in a copy, a class index shifted by one. Labels wrong at random cap the accuracy that can be measured, and
    /// many of them keep the model at chance.
    ///
    /// ## What to do
    /// Look at the named files. Join tables by file name, not by position (`df.set_index("file").loc[path.name]`), and print
    /// `dataset.class_to_idx`: classes are sorted as text, so `10` comes before `2`.
    ///
    /// ## False alarms
    /// Names that mention a class without meaning it (`dog` as a photographer's name). Below 2% it is left alone. Where nearly
    /// all disagree the classes are swapped rather than mixed: the model learns, and its answers bear the wrong names.
    ///
    /// ## Reference
    /// Northcutt, Athalye and Mueller 2021 find 3.3% wrong labels on average in ten public test sets. The limits are ours.
    LabelsDisagreeWithNames, "labels" / "labels-disagree-with-names"
}

/// Limits of [`LabelsDisagreeWithNames`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Files that must name a class for the names to be evidence. Ours.
    pub naming: u64,
    /// Share of them that may be labelled otherwise. Ours: below the 3.3% of Northcutt et al. 2021.
    pub share: f64,
    /// Share above which it is an error. Ours: a fifth of wrong labels costs more than most recipes' faults.
    pub error_share: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { naming: 20, share: 0.02, error_share: 0.2 }
    }
}

impl Check for LabelsDisagreeWithNames {
    type Needs = LabelNames;
    type Limits = Limits;

    fn judge(names: &LabelNames, limits: &Limits) -> Judgement {
        if !names.independent {
            return Judgement::clear("labels are read from the file names themselves");
        }
        let share = names.disagreeing as f64 / names.naming.max(1) as f64;
        let measured =
            format!("{} of {} files that name a class are labelled another ({})", names.disagreeing, names.naming, percent(share));
        if names.naming < limits.naming || share <= limits.share {
            return Judgement::clear(measured);
        }
        let example = names.examples.first().map(|e| format!(", such as `{}`, labelled `{}`", e.path, e.labelled)).unwrap_or_default();
        Finding {
            severity: if share > limits.error_share { Severity::Error } else { Severity::Warning },
            strength: beyond(share, limits.share, 1.0),
            message: format!("file names contradict the labels{example}, so the model is taught wrong answers"),
            measured,
            fix: "join labels by file name, not by position, and check `dataset.class_to_idx`".to_owned(),
            remedy: None,
            location: None,
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::NameDisagreement;
    use crate::testing::{clears, suspects};

    fn names(naming: u64, disagreeing: u64) -> LabelNames {
        let example = NameDisagreement { path: "train/dog/cat.7.jpg".to_owned(), named: "cat".to_owned(), labelled: "dog".to_owned() };
        LabelNames { independent: true, files: 1000, naming, disagreeing, examples: vec![example] }
    }

    #[test]
    fn half_the_names_against_the_labels_is_an_error() {
        let finding = suspects::<LabelsDisagreeWithNames>(&names(1000, 490));
        assert_eq!(finding.severity, Severity::Error);
        assert!(finding.message.contains("cat.7.jpg"));
        assert_eq!(suspects::<LabelsDisagreeWithNames>(&names(1000, 50)).severity, Severity::Warning);
    }

    #[test]
    fn agreement_few_names_and_dependent_labels_are_clear() {
        clears::<LabelsDisagreeWithNames>(&names(1000, 10));
        clears::<LabelsDisagreeWithNames>(&names(10, 9));
        clears::<LabelsDisagreeWithNames>(&LabelNames { independent: false, ..names(1000, 490) });
    }
}
