//! Faults of the model and its parameters.

use crate::check::AnyCheck;

/// The family's checks.
pub const CHECKS: &[&dyn AnyCheck] = &[];
