//! Faults of the inputs and of the order they come in.

use crate::check::AnyCheck;

mod class_imbalance;
pub(crate) mod constant_inputs;
mod single_class_data;
mod unnormalized_inputs;
mod unreadable_images;
mod unshuffled_batches;

/// The family's checks.
pub const CHECKS: &[&dyn AnyCheck] = &[
    &unshuffled_batches::UnshuffledBatches,
    &single_class_data::SingleClassData,
    &class_imbalance::ClassImbalance,
    &unreadable_images::UnreadableImages,
    &constant_inputs::ConstantInputs,
    &unnormalized_inputs::UnnormalizedInputs,
];
