//! Helpers for the checks' own tests: a check is run alone, on the measurements it needs.

use crate::evidence::{
    Gradients, Job, LearningRateSweep, LoopCriterion, LoopEvaluation, LoopGradients, LoopLoader, LoopMetric, LoopModes, LoopOptimizer,
    LoopRankBatches, LoopRankParameters, LoopRanks, LoopSampler, LoopSchedule, LoopValidation, ModelSummary, Moments, NodeActivation,
    NodeKind, OutputValues, ParameterGradient, ParameterKind, ParameterStatistics, Run, Score, SourceSummary, Suggestion, Training,
    TrainingLoop, TrainingRun,
};
use crate::recipe::{LoopRecipe, Loss, Mode, ModelRecipe, Normalize, OptimizerKind, OptimizerRecipe, Recipe};
use crate::{Check, Finding, Judgement, Location, Needs, Real};

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
            trainable: None,
            training_mode: Mode::Train,
            evaluation_mode: Mode::Eval,
            loop_: LoopRecipe::default(),
        },
        source: SourceSummary {
            path: "train".to_owned(),
            kind: "image folder".to_owned(),
            rule: "folder name".to_owned(),
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
    Gradients { samples: 96, total_norm, parameters, detached: vec![], unused: vec![] }
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

/// A line of the user's train.py.
#[expect(clippy::unnecessary_wraps, reason = "it stands where a location may be unknown")]
pub fn line(line: u32) -> Option<Location> {
    Some(Location { module: String::new(), file: Some("train.py".to_owned()), line: Some(line) })
}

/// A loop that was watched for 40 steps and does all it should. The model has four tensors of 7938 values.
pub fn sound_loop() -> TrainingLoop {
    let moments = |mean: f64| Moments {
        shape: vec![1, 28, 28],
        dtype: "float32".to_owned(),
        mean: mean.into(),
        std: 1.0.into(),
        min: (-2.1).into(),
        max: 2.6.into(),
    };
    TrainingLoop {
        watched: true,
        batches: 40,
        forwards: 40,
        backwards: 40,
        steps: 40,
        remade: 0,
        unregistered: None,
        other_evaluated: None,
        uncleared: 0,
        empty_steps: 0,
        losses: (0..40).map(|i| Real(0.69 - 0.01 * f64::from(i))).collect(),
        changed_share: Some(1.0.into()),
        loss_location: line(20),
        step_location: line(21),
        clear_location: None,
        modes: Some(LoopModes {
            training_forwards: 40,
            training_in_eval: 0,
            evaluation_forwards: 4,
            evaluation_in_train: 0,
            training_location: line(18),
            evaluation_location: line(30),
        }),
        optimizer: Some(LoopOptimizer {
            class: "torch.optim.sgd.SGD".to_owned(),
            tensors: 4,
            model_tensors: 4,
            missing: vec![],
            missing_values: 0,
            model_values: 7938,
            foreign: 0,
            foreign_values: 0,
            location: line(12),
        }),
        gradients: Some(LoopGradients {
            without: vec![],
            parameters: 4,
            median_norm: 3.2.into(),
            clip: None,
            precision: "float32".to_owned(),
            scaled: false,
            scaler_steps: 0,
            zero_share: 0.1.into(),
        }),
        schedule: Some(LoopSchedule {
            class: "torch.optim.lr_scheduler.StepLR".to_owned(),
            first: 0.05.into(),
            last: 0.05.into(),
            changes: 0,
            location: line(24),
        }),
        criterion: Some(LoopCriterion {
            class: "torch.nn.modules.loss.CrossEntropyLoss".to_owned(),
            outputs: vec![32, 2],
            targets: vec![32],
            targets_dtype: "int64".to_owned(),
            broadcast: false,
            between: None,
            detached: false,
            location: line(19),
        }),
        metric: Some(LoopMetric { reported: 0.83.into(), recomputed: 0.83.into(), samples: 400, location: line(5) }),
        validation: Some(LoopValidation { samples: 400, repeated: 0, train: moments(0.01), held_out: moments(0.02), location: line(10) }),
        loader: Some(LoopLoader {
            class: "torch.utils.data.dataloader.DataLoader".to_owned(),
            reordered: Some(true),
            workers: 0,
            passes: 3,
            empty_passes: 0,
            drop_last: false,
            location: line(9),
        }),
        evaluated: Some(LoopEvaluation { samples: 400, accuracy: 0.83.into() }),
        distributed: None,
        export_error: None,
    }
}

/// What two ranks record that train as they should.
pub fn sound_ranks() -> LoopRanks {
    LoopRanks {
        ranks: 2,
        batches: Some(LoopRankBatches { samples: 320, same: 0.0.into() }),
        parameters: Some(LoopRankParameters { first: 0.0.into(), change: 0.0.into() }),
        batch_norm: None,
        sampler: Some(LoopSampler { shuffle: true, epoch: 2, passes: 3 }),
        wrapped: true,
        location: line(18),
    }
}
