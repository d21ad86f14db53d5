//! Faults of labels.

use crate::check::AnyCheck;

/// The family's checks.
pub const CHECKS: &[&dyn AnyCheck] = &[];
