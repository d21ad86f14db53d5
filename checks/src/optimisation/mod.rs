//! Faults of the optimisation.

use crate::check::AnyCheck;

/// The family's checks.
pub const CHECKS: &[&dyn AnyCheck] = &[];
