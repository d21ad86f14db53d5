//! Short trainings by the user's recipe, and by the recipe with remedies.

use nanprobe_checks::Remedy;
use nanprobe_checks::evidence::{Activations, Logits, Measurement, NonFinite, Record, Training, TrainingRun};

use super::gradients::Updates;
use super::{Lab, ProbeError, Sink, activations, gradients, logits, non_finite, record};
use crate::graph::Network;
use crate::train::{Curve, Hook, Sampler, evaluate, train};
use crate::worker::Trial;

/// Trains once a seed; the first training is looked at from inside as well.
pub fn measure(lab: &mut Lab, sink: &mut dyn Sink) -> Result<(), ProbeError> {
    let first = match observed_run(lab, sink) {
        Ok(run) => run,
        Err(error) => {
            // The others need this training; each says why it is missing.
            for name in [Training::NAME, Activations::NAME, Logits::NAME, NonFinite::NAME] {
                sink.record(Record::failed(name, error.to_string()))?;
            }
            return Ok(());
        }
    };
    lab.first_run = Some(first.clone());
    let mut runs = vec![first];
    for repetition in 1..lab.plan.seeds {
        if lab.clock.past(0.35) {
            lab.skipped.push(format!("{} of {} baseline seeds", lab.plan.seeds - repetition, lab.plan.seeds));
            break;
        }
        sink.stage(&format!("training by your recipe, seed {} of {}", repetition + 1, lab.plan.seeds));
        runs.push(run(lab, repetition, &mut ())?.0);
    }
    let training = Training { steps: lab.plan.steps as u64, batch_size: lab.recipe().batch_size as u64, runs };
    sink.record(record(&training)?)
}

fn observed_run(lab: &Lab, sink: &mut dyn Sink) -> Result<TrainingRun, ProbeError> {
    let mut gradients = gradients::measure(lab)?;
    let fresh = lab.model(0)?.network;
    let initial_logits = logits::values(lab, &fresh)?;
    let initial = activations::measure(lab, &fresh)?;
    drop(fresh);

    let mut updates = Updates::default();
    let (run, network, curve) = run(lab, 0, &mut updates)?;
    updates.complete(&mut gradients);
    sink.record(record(&gradients)?)?;
    sink.record(record(&non_finite::measure(lab, &network, &curve)?)?)?;
    let trained_logits = logits::values(lab, &network)?;
    sink.record(record(&Logits {
        samples: lab.spread(logits::SAMPLES).len() as u64,
        outputs: lab.shape.outputs as u64,
        trailing: logits::trailing(network.graph()),
        initial: initial_logits,
        trained: trained_logits,
    })?)?;
    let trained = activations::measure(lab, &network)?;
    sink.record(record(&Activations { samples: lab.spread(activations::SAMPLES).len() as u64, initial, trained })?)?;
    Ok(run)
}

/// One short training of the recipe in force.
fn run(lab: &Lab, repetition: usize, hook: &mut dyn Hook) -> Result<(TrainingRun, Network, Curve), ProbeError> {
    let seed = lab.seed(repetition);
    let recipe = lab.recipe();
    let network = lab.model(repetition)?.network;
    let mut sampler = if lab.treatment.balance {
        Sampler::balanced(&lab.train, recipe.batch_size, seed)?
    } else {
        Sampler::new(&lab.train, recipe.batch_size, recipe.shuffle, seed)
    };
    let curve = train(&network, &lab.train, recipe, &mut sampler, lab.plan.steps, hook)?;
    let run = TrainingRun {
        seed,
        loss: curve.loss.clone(),
        gradient_norm: curve.gradient_norm.clone(),
        train: evaluate(&network, &lab.train, recipe)?,
        held_out: evaluate(&network, &lab.held_out, recipe)?,
    };
    Ok((run, network, curve))
}

/// The baseline's training with remedies applied, same samples and steps, on the baseline's first
/// `seeds` seeds; fewer where the time runs out.
pub fn trial(lab: &Lab, remedies: &[Remedy], seeds: usize) -> Result<Trial, ProbeError> {
    let treated = lab.treated(remedies);
    let mut runs = Vec::new();
    for repetition in 0..seeds {
        if repetition > 0 && lab.clock.past(0.97) {
            break;
        }
        runs.push(run(&treated, repetition, &mut ())?.0);
    }
    Ok(Trial { runs })
}
