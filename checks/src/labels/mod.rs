//! Faults of labels.

use crate::check::AnyCheck;

mod conflicting_labels;
mod label_out_of_range;
mod labels_disagree_with_names;
mod uninformative_labels;

/// The family's checks.
pub const CHECKS: &[&dyn AnyCheck] = &[
    &label_out_of_range::LabelOutOfRange,
    &labels_disagree_with_names::LabelsDisagreeWithNames,
    &conflicting_labels::ConflictingLabels,
    &uninformative_labels::UninformativeLabels,
];
