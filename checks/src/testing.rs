//! Helpers for the checks' own tests: a check is run alone, on the measurements it needs.

use crate::evidence::{
    Gradients, Job, LearningRateSweep, ModelSummary, NodeActivation, NodeKind, OutputValues, ParameterGradient, ParameterKind,
    ParameterStatistics, Run, Score, SourceSummary, Suggestion, Training, TrainingRun,
};
use crate::recipe::{LoopRecipe, Loss, Mode, ModelRecipe, Normalize, OptimizerKind, OptimizerRecipe, Recipe};
use crate::{Check, Finding, Judgement, Needs, Real};

/// The finding of a check that must fire.
pub fn suspects<C: Check>(needs: <C::Needs as Needs>::Ref<'_>) -> Finding {
    match C::judge(needs, &C::Limits::default()) {
        Judgement::Suspect(finding) => {
            assert!((0.0..=1.0).contains(&finding.strength), "{}: strength {}", C::NAME, finding.strength);
            assert!(finding.measured.len() <= 90, "{}: too long for a cell: {}", C::NAME, finding.measured);
            *finding
        }
        Judgement::Clear { measured } => panic!("{} did not fire: {measured}", C::NAME),
    }
}

/// Asserts that a check stays silent and says why.
pub fn clears<C: Check>(needs: <C::Needs as Needs>::Ref<'_>) {
    match C::judge(needs, &C::Limits::default()) {
        Judgement::Clear { measured } => assert!(!measured.is_empty(), "{} clears without saying what was measured", C::NAME),
        Judgement::Suspect(finding) => panic!("{} fired: {} ({})", C::NAME, finding.message, finding.measured),
    }
}

/// A sound job: small-cnn on two classes, cross-entropy, SGD at 0.05.
pub fn job() -> Job {
    let optimizer = OptimizerRecipe { kind: OptimizerKind::Sgd, lr: 0.05, momentum: 0.9, weight_decay: 0.0, groups: vec![] };
    Job {
        recipe: Recipe {
            model: ModelRecipe::named("small-cnn"),
            loss: Loss::CrossEntropy,
            optimizer,
            batch_size: 32,
            shuffle: true,
            image_size: 28,
            normalize: Normalize::Imagenet,
            trainable: vec![],
            training_mode: Mode::Train,
            evaluation_mode: Mode::Eval,
            loop_: LoopRecipe::default(),
        },
        source: SourceSummary {
            path: "train".to_owned(),
            kind: "image folder".to_owned(),
            rule: "the folder is the label".to_owned(),
            classes: vec!["shirt".to_owned(), "top".to_owned()],
            listed: 1200,
            train: 800,
            held_out: 400,
            held_out_from: "split".to_owned(),
        },
        model: ModelSummary {
            name: "small-cnn".to_owned(),
            parameters: 7938,
            trainable: 7938,
            outputs: 2,
            input: vec![1, 28, 28],
            weights: None,
            modules: vec![],
        },
        run: Run::default(),
    }
}

/// A held-out score of two classes.
pub fn score(confusion: [[u64; 2]; 2]) -> Score {
    let confusion: Vec<Vec<u64>> = confusion.iter().map(|row| row.to_vec()).collect();
    Score { samples: confusion.iter().flatten().sum(), loss: 0.6.into(), confusion }
}

/// A training of one seed with these losses and held-out confusion.
pub fn training(losses: &[f64], confusion: [[u64; 2]; 2]) -> Training {
    let loss: Vec<Real> = losses.iter().copied().map(Real).collect();
    let run = TrainingRun {
        seed: 0,
        gradient_norm: vec![Real(1.0); loss.len()],
        loss,
        half_way: None,
        train: score(confusion),
        held_out: score(confusion),
    };
    Training { steps: losses.len() as u64, batch_size: 32, runs: vec![run] }
}

/// The weight of a [16, 16, 3, 3] convolution in the architecture's own initialisation.
pub fn tensor(module: &str, depth: u64) -> ParameterStatistics {
    ParameterStatistics {
        name: format!("{module}.weight"),
        module: module.to_owned(),
        kind: ParameterKind::Weight,
        shape: vec![16, 16, 3, 3],
        depth,
        last: false,
        from_weights: false,
        mean: 0.0.into(),
        std: 0.048.into(),
        min: (-0.083).into(),
        max: 0.083.into(),
        zero_share: 0.0.into(),
        positive_share: 0.5.into(),
        fan_in: Some(144),
        reference_std: Some(0.048.into()),
        distinct_units: Some(16),
    }
}

/// The gradient of a weight of 2304 values that trains as it should.
pub fn gradient(module: &str, depth: u64, mean_abs: f64) -> ParameterGradient {
    ParameterGradient {
        name: format!("{module}.weight"),
        kind: ParameterKind::Weight,
        depth,
        count: 2304,
        trainable: true,
        lr: 0.05.into(),
        reached: true,
        norm: (48.0 * mean_abs).into(),
        mean_abs: mean_abs.into(),
        weight_norm: 2.3.into(),
        update_ratio: Some(1e-3.into()),
    }
}

/// Gradients of these parameters.
pub fn gradients(parameters: Vec<ParameterGradient>) -> Gradients {
    let total_norm = parameters.iter().map(|p| p.norm.0 * p.norm.0).sum::<f64>().sqrt().into();
    Gradients { samples: 96, total_norm, parameters, detached: vec![] }
}

/// A node whose output varies as it should.
pub fn node(module: &str, kind: NodeKind, depth: u64) -> NodeActivation {
    NodeActivation {
        node: module.to_owned(),
        module: module.to_owned(),
        kind,
        depth,
        units: 16,
        mean: 0.3.into(),
        std: 0.5.into(),
        zero_share: 0.4.into(),
        dead_share: 0.0.into(),
        saturated_share: 0.0.into(),
        between_samples: 0.3.into(),
    }
}

/// Output values between two ends, of no particular form.
pub fn outputs(min: f64, max: f64) -> OutputValues {
    OutputValues {
        min: min.into(),
        max: max.into(),
        row_sum: (min + max).into(),
        row_sum_off_one: 1.4.into(),
        exp_sum_off_one: 2.1.into(),
        zero_share: 0.0.into(),
        between_samples: 0.1.into(),
    }
}

/// A sweep that suggests 0.02 to 0.1, best 0.04, diverging from 1, for a recipe's rate.
pub fn sweep(current: f64) -> LearningRateSweep {
    let range = Suggestion { valley: 0.04.into(), low: 0.02.into(), high: 0.1.into(), diverges: Some(1.0.into()) };
    LearningRateSweep { curves: vec![], suggestion: Some(range), current: current.into() }
}
