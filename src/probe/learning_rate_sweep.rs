//! The loss while the learning rate grows (Smith 2017), and a rate to use.
//!
//! The suggestion is the lesser of two of fastai's, found on the logarithm of the rate: the valley (half-way
//! down the longest fall of the smoothed loss) and a tenth of the rate with the least loss. In a sweep this
//! short the valley alone lies so near divergence that training at it often fails.

use nanprobe_checks::Real;
use nanprobe_checks::evidence::{LearningRateSweep, Suggestion, SweepCurve};
use nanprobe_checks::recipe::OptimizerRecipe;

use super::{Lab, ProbeError};
use crate::graph::{GraphError, Network};
use crate::sampler::Sampler;
use crate::train::{Hook, Optimizer, train};

/// The rates run from 1e-6 to 10: Adam's useful ones and SGD's lie well within.
const LOW: f64 = 1e-6;
const HIGH: f64 = 10.0;
/// Weight of the newest loss in the smoothed one; torch-lr-finder takes 0.05, for twice the steps.
const SMOOTHING: f64 = 0.1;
/// The sweep ends at this multiple of the least loss so far (Lightning and fastai: 4).
const STOP: f64 = 4.0;
/// Least fall, as a share of the first loss, that counts as a loss that falls at all.
const LEAST_FALL: f64 = 0.02;

pub fn measure(lab: &Lab) -> Result<LearningRateSweep, ProbeError> {
    let curves = lab.each(0..lab.plan.sweep_seeds, curve)?;
    let suggestion = suggest(&curves);
    Ok(LearningRateSweep { curves, suggestion, current: lab.recipe().optimizer.lr.into() })
}

fn curve(lab: &Lab, repetition: usize) -> Result<SweepCurve, ProbeError> {
    let mut recipe = lab.recipe().clone();
    // Groups keep their proportion to the main rate; where that is zero there is none to keep.
    let base = recipe.optimizer.lr;
    recipe.optimizer =
        if base > 0.0 { recipe.optimizer.scaled(1.0 / base) } else { OptimizerRecipe { lr: 1.0, groups: vec![], ..recipe.optimizer } };
    let network = lab.model(repetition)?.network;
    // Shuffled whatever the recipe says: a sorted order moves the loss more than the rate does.
    let mut sampler = Sampler::new(&lab.train, recipe.batch_size, true, lab.seed(repetition));
    let steps = lab.plan.sweep_steps;
    let mut ramp = Ramp {
        steps,
        curve: SweepCurve { seed: lab.seed(repetition), lr: vec![], loss: vec![], smoothed: vec![] },
        average: 0.0,
        best: f64::INFINITY,
    };
    train(&network, &lab.train, &recipe, &mut sampler, steps, &mut ramp)?;
    Ok(ramp.curve)
}

/// Raises the rate before each update and keeps the loss that was seen before it.
struct Ramp {
    steps: usize,
    curve: SweepCurve,
    average: f64,
    best: f64,
}

impl Hook for Ramp {
    fn before_update(&mut self, step: usize, _: &Network, optimizer: &mut Optimizer) -> Result<(), GraphError> {
        let lr = LOW * (HIGH / LOW).powf(step as f64 / (self.steps - 1).max(1) as f64);
        self.curve.lr.push(Real(lr));
        optimizer.scale_learning_rates(lr)
    }

    fn after_update(&mut self, step: usize, _: &Network, loss: f64) -> Result<bool, GraphError> {
        self.average = (1.0 - SMOOTHING) * self.average + SMOOTHING * loss;
        let smoothed = self.average / (1.0 - (1.0 - SMOOTHING).powi(step as i32 + 1));
        self.curve.loss.push(Real(loss));
        self.curve.smoothed.push(Real(smoothed));
        self.best = self.best.min(smoothed);
        Ok(loss <= STOP * self.best || step < 10)
    }
}

/// What one curve says: valley, rate of the least loss, rate at which the loss grows past its start.
struct Reading {
    valley: f64,
    start: f64,
    minimum: f64,
    diverges: Option<f64>,
}

fn read(curve: &SweepCurve) -> Option<Reading> {
    let losses: Vec<f64> = curve.smoothed.iter().map(|x| x.0).collect();
    let first = *losses.get(4)?;
    let (best, least) = losses.iter().copied().enumerate().filter(|(_, x)| x.is_finite()).min_by(|a, b| a.1.total_cmp(&b.1))?;
    if best < 5 || least > first * (1.0 - LEAST_FALL) {
        return None;
    }
    // The longest run that falls, towards the least loss: walk back while the loss was higher before.
    let mut begin = best;
    while begin > 4 && losses[begin - 1] >= losses[begin] - 1e-3 * first {
        begin -= 1;
    }
    let point = |share: f64| curve.lr[begin + ((best - begin) as f64 * share) as usize].0;
    let diverges = (best..losses.len()).find(|&i| losses[i] > 1.1 * first).map(|i| curve.lr[i].0);
    // A curve that ended early ended because it diverged.
    let diverges = diverges.or_else(|| curve.lr.last().map(|lr| lr.0).filter(|lr| *lr < HIGH * 0.99));
    let valley = point(0.5).min(curve.lr[best].0 / 10.0);
    Some(Reading { valley, start: point(1.0 / 6.0), minimum: curve.lr[best].0, diverges })
}

fn suggest(curves: &[SweepCurve]) -> Option<Suggestion> {
    let readings: Vec<Reading> = curves.iter().filter_map(read).collect();
    if readings.is_empty() {
        return None;
    }
    let geometric = |f: fn(&Reading) -> f64| (readings.iter().map(|r| f(r).ln()).sum::<f64>() / readings.len() as f64).exp();
    let valley = geometric(|r| r.valley);
    let smallest = readings.iter().map(|r| r.valley).fold(f64::INFINITY, f64::min);
    let largest = readings.iter().map(|r| r.valley).fold(0.0, f64::max);
    let diverging: Vec<f64> = readings.iter().filter_map(|r| r.diverges).collect();
    let diverges = (!diverging.is_empty()).then(|| diverging.iter().copied().fold(f64::INFINITY, f64::min));
    Some(Suggestion {
        valley: valley.into(),
        low: smallest.min(geometric(|r| r.start)).into(),
        high: largest.max(geometric(|r| r.minimum) / 3.0).into(),
        diverges: diverges.map(Real),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn synthetic(loss: impl Fn(f64) -> f64) -> SweepCurve {
        let lr: Vec<f64> = (0..100).map(|i| LOW * (HIGH / LOW).powf(f64::from(i) / 99.0)).collect();
        let loss: Vec<Real> = lr.iter().map(|lr| Real(loss(*lr))).collect();
        SweepCurve { seed: 0, smoothed: loss.clone(), loss, lr: lr.into_iter().map(Real).collect() }
    }

    #[test]
    fn the_valley_lies_on_the_slope() {
        let curve = synthetic(|lr| {
            if lr < 1e-4 {
                0.7
            } else if lr < 1e-1 {
                0.7 - 0.2 * (lr / 1e-4).log10() / 3.0
            } else {
                5.0
            }
        });
        let suggestion = suggest(&[curve]).unwrap();
        assert!(suggestion.low.0 <= suggestion.valley.0 && suggestion.valley.0 <= suggestion.high.0);
        assert!((1e-4..1e-1).contains(&suggestion.valley.0), "{suggestion:?}");
        assert!(suggestion.diverges.is_some_and(|lr| (0.09..0.2).contains(&lr.0)));
    }

    #[test]
    fn a_loss_that_never_falls_suggests_nothing_and_neither_does_nan() {
        assert_eq!(suggest(&[synthetic(|_| 0.693)]), None);
        assert_eq!(suggest(&[synthetic(|_| f64::NAN)]), None);
        assert_eq!(suggest(&[]), None);
    }
}
