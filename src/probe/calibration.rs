//! What is lost between a model as it trains and as it is evaluated.

use nanprobe_checks::Real;
use nanprobe_checks::evidence::{Calibration, Score};
use nanprobe_checks::recipe::{Mode, Recipe};

use super::{Lab, ProbeError};
use crate::graph::Network;
use crate::graph::knowledge::{batch_norm_momenta, dropouts};
use crate::train::{calibrate, evaluate};

/// Scores the trained network once more, with statistics taken anew; it keeps these.
pub fn measure(lab: &Lab, network: &Network, kept: &Score) -> Result<Calibration, ProbeError> {
    let momenta = batch_norm_momenta(network.graph());
    let ends = |momenta: &[f64]| {
        let (least, most) = momenta.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), m| (a.min(*m), b.max(*m)));
        [Real(least), Real(most)]
    };
    let calibrated = if momenta.is_empty() {
        kept.clone()
    } else {
        let recipe = Recipe { evaluation_mode: Mode::Eval, ..lab.recipe().clone() };
        calibrate(network, &lab.seen, &recipe)?;
        evaluate(network, &lab.held_out, &recipe)?
    };
    Ok(Calibration {
        batch_norms: momenta.len() as u64,
        dropouts: dropouts(network.graph()) as u64,
        momentum: (!momenta.is_empty()).then(|| ends(&momenta)),
        kept: kept.clone(),
        calibrated,
    })
}
