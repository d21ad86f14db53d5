//! Faults of what comes out.

use crate::check::AnyCheck;

mod collapsed_predictions;
mod initial_loss_off_chance;
mod train_eval_mismatch;

/// The family's checks.
pub const CHECKS: &[&dyn AnyCheck] = &[
    &train_eval_mismatch::TrainEvalMismatch,
    &initial_loss_off_chance::InitialLossOffChance,
    &collapsed_predictions::CollapsedPredictions,
];
