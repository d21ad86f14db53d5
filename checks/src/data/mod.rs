//! Faults of the inputs and of the order they come in.

use crate::check::AnyCheck;

mod unshuffled_batches;

/// The family's checks.
pub const CHECKS: &[&dyn AnyCheck] = &[&unshuffled_batches::UnshuffledBatches];
