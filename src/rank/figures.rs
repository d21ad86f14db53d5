//! From evidence and experiments to what a report draws.

use nanprobe_checks::evidence::{
    Activations, BatchLabels, BlankInputs, ClassCounts, Gradients, LearningRateSweep, Memorise, NodeActivation, ParameterKind, Parameters,
    PermutedLabels, Pictures, Reference, Training, TrainingLoop,
};
use nanprobe_checks::{Evidence, Real};

use crate::diagnosis::{Control, CurveOf, Figures, LayerActivation, LayerWeight, LossCurve};
use crate::experiment::Outcome;

/// Everything that can be drawn of a job.
pub fn figures(evidence: &Evidence, outcome: &Outcome) -> Figures {
    Figures {
        losses: losses(evidence, outcome),
        sweep: evidence.get::<LearningRateSweep>().cloned(),
        weights: weights(evidence),
        activations: activations(evidence),
        classes: evidence.get::<ClassCounts>().map(|counts| counts.classes.clone()).unwrap_or_default(),
        batches: evidence.get::<BatchLabels>().cloned(),
        pictures: evidence.get::<Pictures>().cloned(),
        controls: controls(evidence),
    }
}

fn losses(evidence: &Evidence, outcome: &Outcome) -> Vec<LossCurve> {
    let curve = |of, check: Option<&str>, loss: &[Real]| LossCurve { of, check: check.map(str::to_owned), loss: loss.to_vec() };
    let mut curves = Vec::new();
    if let Some(own) = evidence.get::<TrainingLoop>().filter(|own| own.watched && !own.losses.is_empty()) {
        curves.push(curve(CurveOf::Loop, None, &own.losses));
    }
    if let Some(run) = evidence.get::<Training>().and_then(|training| training.runs.first()) {
        curves.push(curve(CurveOf::Baseline, None, &run.loss));
    }
    for decision in outcome.decisions.iter().filter(|decision| !decision.loss.is_empty()) {
        curves.push(curve(CurveOf::Remedy, Some(decision.check.as_ref()), &decision.loss));
    }
    if let Some(run) = outcome.mended.first().filter(|_| outcome.path.len() > 1) {
        curves.push(curve(CurveOf::Fixed, None, &run.loss));
    }
    if let Some(memorise) = evidence.get::<Memorise>() {
        curves.push(curve(CurveOf::Memorise, None, &memorise.loss));
    }
    curves
}

fn weights(evidence: &Evidence) -> Vec<LayerWeight> {
    let statistics = evidence.get::<Parameters>().map_or(&[][..], |parameters| &parameters.tensors);
    let gradients = evidence.get::<Gradients>().map_or(&[][..], |gradients| &gradients.parameters);
    let reference = evidence.get::<Reference>().map_or(&[][..], |reference| &reference.tensors);
    let of = |name: &str| {
        let own = statistics.iter().find(|tensor| tensor.name == name);
        let gradient = gradients.iter().find(|gradient| gradient.name == name);
        LayerWeight {
            name: name.to_owned(),
            trainable: gradient.is_none_or(|gradient| gradient.trainable),
            gradient: gradient.map(|gradient| gradient.mean_abs),
            std: own.map(|own| own.std),
            fresh_std: own.and_then(|own| own.reference_std),
            reference_std: reference.iter().find(|tensor| tensor.name == name).map(|tensor| tensor.reference_std),
        }
    };
    let named = statistics.iter().filter(|tensor| tensor.kind == ParameterKind::Weight).map(|tensor| tensor.name.as_str());
    let mut names: Vec<&str> = named.collect();
    let only_gradient = gradients.iter().filter(|gradient| gradient.kind == ParameterKind::Weight).map(|gradient| gradient.name.as_str());
    if names.is_empty() {
        names.extend(only_gradient);
    }
    names.into_iter().map(of).collect()
}

fn activations(evidence: &Evidence) -> Vec<LayerActivation> {
    let Some(activations) = evidence.get::<Activations>() else { return vec![] };
    let reference = evidence.get::<Reference>().map_or(&[][..], |reference| &reference.activations);
    let of = |node: &NodeActivation| {
        let trained = activations.trained.iter().find(|trained| trained.node == node.node);
        LayerActivation {
            node: node.node.clone(),
            kind: node.kind,
            initial_std: node.std,
            trained_std: trained.map(|trained| trained.std),
            initial_dead: node.dead_share,
            trained_dead: trained.map(|trained| trained.dead_share),
            reference_std: reference.iter().find(|other| other.node == node.node).map(|other| other.reference_std),
        }
    };
    activations.initial.iter().map(of).collect()
}

fn controls(evidence: &Evidence) -> Vec<Control> {
    let mut controls = Vec::new();
    if let Some(labels) = evidence.get::<PermutedLabels>().filter(|labels| !labels.contests.is_empty()) {
        let mean = |accuracy: &dyn Fn(&nanprobe_checks::evidence::LabelContest) -> f64| {
            Real(labels.contests.iter().map(accuracy).sum::<f64>() / labels.contests.len() as f64)
        };
        controls.push(Control {
            name: format!("your labels against the same labels permuted, learned by a reference network ({})", labels.learner),
            real: mean(&|contest| contest.given.balanced_accuracy()),
            blank: mean(&|contest| contest.permuted.balanced_accuracy()),
        });
    }
    if let Some(inputs) = evidence.get::<BlankInputs>() {
        controls.push(Control {
            name: "your training on your inputs against constant ones".to_owned(),
            real: inputs.real_accuracy,
            blank: inputs.blank_accuracy,
        });
    }
    controls
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::stored;

    #[test]
    fn what_was_measured_is_drawn_and_what_was_not_is_left_out() {
        let evidence = stored(include_str!("../../checks/tests/healthy.jsonl")).unwrap();
        let drawn = figures(&evidence, &Outcome::default());
        assert_eq!(drawn.losses.iter().map(|curve| curve.of).collect::<Vec<_>>(), [CurveOf::Loop, CurveOf::Baseline, CurveOf::Memorise]);
        assert!(drawn.weights.iter().all(|weight| weight.name.ends_with("weight") && weight.gradient.is_some() && weight.std.is_some()));
        assert!(drawn.weights.iter().any(|weight| weight.reference_std.is_some()));
        assert!(!drawn.activations.is_empty() && drawn.activations.iter().all(|layer| layer.trained_std.is_some()));
        assert_eq!((drawn.controls.len(), drawn.classes.len()), (2, 2));
        assert!(drawn.sweep.is_some() && drawn.batches.is_some() && drawn.pictures.is_none());
        assert_eq!(figures(&Evidence::default(), &Outcome::default()), Figures::default());
    }
}
