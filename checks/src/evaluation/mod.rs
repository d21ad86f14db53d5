//! Faults of what comes out.

use crate::check::AnyCheck;

/// The family's checks.
pub const CHECKS: &[&dyn AnyCheck] = &[];
