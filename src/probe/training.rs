//! Short trainings by the user's recipe, and by the recipe with remedies.

use std::ops::Range;

use nanprobe_checks::Remedy;
use nanprobe_checks::evidence::{
    Activations, Calibration, Logits, Measurement, NonFinite, Record, SampleDifferences, Training, TrainingRun,
};

use super::gradients::Updates;
use super::sample_differences::Differences;
use super::{Lab, ProbeError, Sink, activations, calibration, gradients, logits, non_finite, record};
use crate::graph::Network;
use crate::sampler::Sampler;
use crate::train::{Curve, Hook, calibrate, evaluate, train};
use crate::worker::{Exam, Trial};

/// Trains once a seed; the first training is looked at from inside as well.
pub fn measure(lab: &mut Lab, seeds: usize, sink: &mut dyn Sink) -> Result<(), ProbeError> {
    let trained = lab.each(0..seeds, |lab, repetition| match repetition {
        0 => observed_run(lab),
        _ => Ok((run(lab, repetition, &mut ())?.0, vec![])),
    });
    let trained = match trained {
        Ok(trained) => trained,
        Err(error) => {
            // The others need this training; each says why it is missing.
            for name in [Training::NAME, Calibration::NAME, Activations::NAME, Logits::NAME, NonFinite::NAME, SampleDifferences::NAME] {
                sink.record(Record::failed(name, error.to_string()))?;
            }
            return Ok(());
        }
    };
    let (runs, records): (Vec<TrainingRun>, Vec<Vec<Record>>) = trained.into_iter().unzip();
    records.into_iter().flatten().try_for_each(|record| sink.record(record))?;
    lab.first_run = runs.first().cloned();
    let training = Training { steps: lab.plan.steps as u64, batch_size: lab.recipe().batch_size as u64, runs };
    sink.record(record(&training)?)
}

/// The first seed's training, and what it shows from inside.
fn observed_run(lab: &Lab) -> Result<(TrainingRun, Vec<Record>), ProbeError> {
    let mut gradients = gradients::measure(lab)?;
    let fresh = lab.model(0)?.network;
    let initial_logits = logits::values(lab, &fresh)?;
    let differences = Differences::measure(lab, &fresh)?;
    let initial = activations::measure(lab, &fresh)?;
    drop(fresh);

    let mut updates = Updates::default();
    let (run, network, curve) = run(lab, 0, &mut updates)?;
    updates.complete(&mut gradients);
    let trained_logits = logits::values(lab, &network)?;
    let logits = Logits {
        samples: lab.spread(logits::SAMPLES).len() as u64,
        outputs: lab.shape.outputs as u64,
        trailing: logits::trailing(network.graph()),
        initial: initial_logits,
        trained: trained_logits,
    };
    let trained = activations::measure(lab, &network)?;
    let activations = Activations { samples: lab.spread(activations::SAMPLES).len() as u64, initial, trained };
    let differences = differences.complete(lab, &network)?;
    let non_finite = non_finite::measure(lab, &network, &curve)?;
    // Last: it changes what batch norm keeps.
    let calibration = calibration::measure(lab, &network, &run.held_out)?;
    let records =
        [record(&calibration), record(&gradients), record(&non_finite), record(&logits), record(&activations), record(&differences)];
    Ok((run, records.into_iter().collect::<Result<_, _>>()?))
}

/// One short training of the recipe in force.
fn run(lab: &Lab, repetition: usize, hook: &mut dyn Hook) -> Result<(TrainingRun, Network, Curve), ProbeError> {
    let seed = lab.seed(repetition);
    let recipe = lab.recipe();
    let network = lab.model(repetition)?.network;
    let kept = lab.kept()?;
    let samples = kept.as_ref().unwrap_or(&lab.train);
    let mut sampler = if lab.treatment.balance {
        Sampler::balanced(samples, recipe.batch_size, seed)?
    } else {
        Sampler::new(samples, recipe.batch_size, recipe.shuffle, seed)
    };
    let curve = train(&network, samples, recipe, &mut sampler, lab.plan.steps, hook)?;
    if lab.treatment.calibrate {
        calibrate(&network, &lab.seen, recipe)?;
    }
    let run = TrainingRun {
        seed,
        loss: curve.loss.clone(),
        gradient_norm: curve.gradient_norm.clone(),
        half_way: (recipe.shuffle || lab.treatment.balance).then(|| curve.half_way(lab.train.classes())).flatten(),
        train: evaluate(&network, &lab.seen, recipe)?,
        held_out: evaluate(&network, &lab.held_out, recipe)?,
    };
    Ok((run, network, curve))
}

/// The baseline's training with remedies applied, same samples and steps, on some of its seeds.
pub fn trial(lab: &Lab, exam: Exam, remedies: &[Remedy], seeds: Range<usize>) -> Result<Trial, ProbeError> {
    let mut lab = lab.treated(remedies)?;
    match exam {
        Exam::HeldOut => {}
        Exam::ByHeart => lab.learn_by_heart()?,
        Exam::Longer(times) => lab.plan.steps *= times as usize,
    }
    let runs = lab.each(seeds, |lab, repetition| Ok(run(lab, repetition, &mut ())?.0))?;
    Ok(Trial { runs })
}
