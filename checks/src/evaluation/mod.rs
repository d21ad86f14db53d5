//! Faults of what comes out.

use crate::check::AnyCheck;

mod collapsed_predictions;
mod initial_loss_off_chance;

/// The family's checks.
pub const CHECKS: &[&dyn AnyCheck] = &[&initial_loss_off_chance::InitialLossOffChance, &collapsed_predictions::CollapsedPredictions];
