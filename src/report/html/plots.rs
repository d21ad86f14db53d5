//! The plots of the page, each with what it shows, its legend and its numbers.

use nanprobe_checks::Real;
use nanprobe_checks::evidence::{LearningRateSweep, NodeKind};
use nanprobe_checks::recipe::Loss;

use super::prose;
use crate::diagnosis::{CurveOf, Diagnosis, LossCurve};
use crate::report::numbers::{loss, percent};
use crate::report::svg::axis::Scale;
use crate::report::svg::escape;
use crate::report::svg::plot::{Axis, Band, Mark, Plot, Series};

/// A figure; all text is HTML.
pub struct Figure {
    /// Its heading.
    pub title: &'static str,
    /// The plot.
    pub svg: String,
    /// How to read it.
    pub caption: String,
    /// Classes of the series and their names.
    pub legend: Vec<(String, String)>,
    /// Whether the series are dots.
    pub dots: bool,
    /// Its numbers: headings and rows.
    pub head: Vec<&'static str>,
    /// Rows of the table.
    pub rows: Vec<Vec<String>>,
}

/// Steps that a loss is averaged over for the eye.
const SMOOTH: usize = 5;
/// Deviations of activations between which signals neither vanish nor explode from layer to layer (CS231n).
const LIVELY: (f64, f64) = (0.5, 2.0);
/// A range of losses wider than this is drawn by its logarithm.
const WIDE: f64 = 30.0;

/// All that can be drawn.
pub fn figures(diagnosis: &Diagnosis) -> Vec<Figure> {
    [losses(diagnosis), sweep(diagnosis), gradients(diagnosis), activations(diagnosis), weights(diagnosis), controls(diagnosis)]
        .into_iter()
        .flatten()
        .collect()
}

fn losses(diagnosis: &Diagnosis) -> Option<Figure> {
    let curves: Vec<&LossCurve> = diagnosis.figures.losses.iter().filter(|curve| curve.loss.iter().any(|x| x.is_finite())).collect();
    let longest = curves.iter().map(|curve| curve.loss.len()).max().filter(|steps| *steps > 1)?;
    let criterion = diagnosis.job.as_ref().map_or(Loss::CrossEntropy, |job| job.recipe.loss);
    let nats = matches!(criterion, Loss::CrossEntropy | Loss::Nll);
    let guessing = diagnosis.symptom.as_ref().map(|symptom| symptom.ln_classes.0).filter(|_| nats);
    let values = || curves.iter().flat_map(|curve| smooth(&curve.loss)).chain(guessing);
    let positive = values().filter(|x| x.is_finite() && *x > 0.0);
    let (low, high) = positive.fold((f64::INFINITY, 0.0_f64), |(low, high), x| (x.min(low), x.max(high)));
    let wide = high > WIDE * guessing.unwrap_or(1.0).max(low);
    let scale = if wide { Scale::log([low.max(1e-3 * high.min(1.0)), high].into_iter()) } else { Scale::linear(values().chain([0.0])) };
    let styles = styles(&curves);
    let series = curves.iter().zip(&styles).map(|(curve, style)| Series {
        class: style.clone(),
        points: smooth(&curve.loss).into_iter().enumerate().map(|(step, loss)| (step as f64 + 1.0, loss)).collect(),
        dots: false,
    });
    let marks = guessing.map(|value| Mark {
        vertical: false,
        class: "rule",
        value,
        label: format!("guessing: ln {:.0} = {}", value.exp(), loss(value)),
    });
    let plot = Plot {
        x: Axis { label: "training step", scale: Scale::linear([0.0, longest as f64].into_iter()) },
        y: Axis { label: if nats { "loss, nats" } else { "loss" }, scale },
        series: series.collect(),
        marks: marks.into_iter().collect(),
        bands: vec![],
    };
    let names: Vec<String> = curves.iter().map(|curve| curve_name(curve)).collect();
    let row = |(curve, name): (&&LossCurve, &String)| {
        let end = |loss_at: Option<&Real>| loss_at.map_or_else(String::new, |x| loss(x.0));
        vec![name.clone(), end(curve.loss.first()), end(curve.loss.last()), curve.loss.len().to_string()]
    };
    Some(Figure {
        title: "Training loss",
        svg: plot.draw(&format!("training loss by step of {} trainings", curves.len())),
        caption: format!("Of the first seed, averaged over {SMOOTH} steps. A curve that ends early became not finite."),
        dots: false,
        legend: styles.into_iter().zip(names.iter().cloned()).collect(),
        head: vec!["training", "first loss", "last loss", "steps"],
        rows: curves.iter().zip(&names).map(row).collect(),
    })
}

/// The same kind of training looks the same in every report.
fn styles(curves: &[&LossCurve]) -> Vec<String> {
    let mut remedies = [1, 3, 4, 5].into_iter().cycle();
    let style = |curve: &&LossCurve| match curve.of {
        CurveOf::Baseline => 0,
        CurveOf::Remedy => remedies.next().unwrap_or(1),
        CurveOf::Fixed => 2,
        CurveOf::Memorise => 6,
        CurveOf::Loop => 7,
    };
    curves.iter().map(style).map(|style| format!("s{style}")).collect()
}

fn curve_name(curve: &LossCurve) -> String {
    match (curve.of, &curve.check) {
        (CurveOf::Baseline, _) => "as it is".to_owned(),
        (CurveOf::Fixed, _) => "with all fixes".to_owned(),
        (CurveOf::Memorise, _) => "control: a few samples learned by heart".to_owned(),
        (CurveOf::Loop, _) => "your own loop, as it ran".to_owned(),
        (CurveOf::Remedy, check) => format!("with {} fixed", escape(check.as_deref().unwrap_or_default())),
    }
}

/// The mean of the last few values at each step.
fn smooth(losses: &[Real]) -> Vec<f64> {
    let window = |end: usize| &losses[end.saturating_sub(SMOOTH - 1)..=end];
    (0..losses.len()).map(|end| window(end).iter().map(|x| x.0).sum::<f64>() / window(end).len() as f64).collect()
}

fn sweep(diagnosis: &Diagnosis) -> Option<Figure> {
    let LearningRateSweep { curves, suggestion, current } = diagnosis.figures.sweep.as_ref()?;
    let rates = || curves.iter().flat_map(|curve| &curve.lr).map(|lr| lr.0).filter(|lr| *lr > 0.0 && lr.is_finite());
    let (low, high) = rates().fold((f64::INFINITY, 0.0_f64), |(low, high), lr| (lr.min(low), lr.max(high)));
    if curves.iter().all(|curve| curve.smoothed.len() < 2) || low >= high {
        return None;
    }
    let first = curves.iter().filter_map(|curve| curve.smoothed.first()).map(|x| x.0).fold(0.0, f64::max);
    // Beyond its start the loss only says that it diverges.
    let top = if first > 0.0 { 1.5 * first } else { f64::INFINITY };
    let shown = curves.iter().flat_map(|curve| &curve.smoothed).map(|x| x.0).filter(|x| *x <= top);
    let series = curves.iter().enumerate().map(|(index, curve)| Series {
        class: format!("s{}", index % 8),
        points: curve.lr.iter().zip(&curve.smoothed).map(|(lr, loss)| (lr.0, if loss.0 <= top { loss.0 } else { f64::NAN })).collect(),
        dots: false,
    });
    let scale = Scale::log_between(low.min(current.0.max(low * 1e-3)), high.max(current.0.min(high * 1e3)));
    let mut marks = vec![Mark { vertical: true, class: "yours", value: current.0, label: format!("yours: {:e}", current.0) }];
    let mut bands = vec![];
    if let Some(found) = suggestion {
        marks.push(Mark { vertical: true, class: "rule", value: found.valley.0, label: format!("suggested: {}", rate(found.valley.0)) });
        bands.push(Band { vertical: true, ends: (found.low.0, found.high.0) });
    }
    let caption = match suggestion {
        Some(found) => format!(
            "The loss while the rate grows, smoothed. Suggested: {}, from {} to {} (shaded). Yours: {:e}.",
            rate(found.valley.0),
            rate(found.low.0),
            rate(found.high.0),
            current.0
        ),
        None => format!("The loss while the rate grows, smoothed. It falls at no rate, so none is suggested. Yours: {:e}.", current.0),
    };
    let row = |lr: &[Real], loss_at: &[Real]| {
        let best = lr.iter().zip(loss_at).filter(|(_, x)| x.is_finite()).min_by(|a, b| a.1.0.total_cmp(&b.1.0));
        best.map_or_else(|| vec![String::new(); 2], |(lr, least)| vec![rate(lr.0), loss(least.0)])
    };
    let plot = Plot {
        x: Axis { label: "learning rate", scale },
        y: Axis { label: "loss", scale: Scale::linear(shown) },
        series: series.collect(),
        marks,
        bands,
    };
    Some(Figure {
        title: "Learning rate",
        svg: plot.draw(&caption),
        caption,
        dots: false,
        legend: curves.iter().enumerate().map(|(index, curve)| (format!("s{}", index % 8), format!("seed {}", curve.seed))).collect(),
        head: vec!["seed", "rate of the least loss", "least loss"],
        rows: curves.iter().map(|curve| [vec![curve.seed.to_string()], row(&curve.lr, &curve.smoothed)].concat()).collect(),
    })
}

/// A rate to two digits.
fn rate(lr: f64) -> String {
    format!("{lr:.1e}")
}

/// Values by layer: what a layered figure has in common.
struct Layers<'a> {
    title: &'static str,
    y: &'static str,
    names: Vec<&'a str>,
    series: Vec<(&'static str, Vec<f64>)>,
    bands: Vec<Band>,
    caption: String,
}

impl Layers<'_> {
    /// Dots from the input to the output, by their logarithm; what is zero lies on the floor.
    fn figure(self) -> Option<Figure> {
        let values = || self.series.iter().flat_map(|(_, values)| values).copied();
        if self.names.is_empty() || !values().any(f64::is_finite) {
            return None;
        }
        let ends = self.bands.iter().flat_map(|band| [band.ends.0, band.ends.1]);
        let scale = Scale::log(values().chain(ends));
        let floor = if let Scale::Log { low, .. } = scale { low } else { 0.0 };
        let place = |(layer, value): (usize, &f64)| (layer as f64 + 1.0, if *value == 0.0 { floor } else { *value });
        let series = self.series.iter().enumerate().map(|(index, (_, values))| Series {
            class: format!("s{index}"),
            points: values.iter().enumerate().map(place).collect(),
            dots: true,
        });
        let plot = Plot {
            x: Axis { label: "layer, from input to output", scale: Scale::Places { count: self.names.len() } },
            y: Axis { label: self.y, scale },
            series: series.collect(),
            marks: vec![],
            bands: self.bands,
        };
        let row = |(layer, name): (usize, &&str)| {
            let values = self
                .series
                .iter()
                .map(|(_, values)| values.get(layer).filter(|x| !x.is_nan()).map_or_else(String::new, |x| format!("{x:.2e}")));
            [(layer + 1).to_string(), escape(name)].into_iter().chain(values).collect()
        };
        Some(Figure {
            title: self.title,
            svg: plot.draw(&format!("{} of {} layers, from input to output", self.y, self.names.len())),
            caption: self.caption,
            dots: true,
            legend: self.series.iter().enumerate().map(|(index, (name, _))| (format!("s{index}"), (*name).to_owned())).collect(),
            head: ["", "layer"].into_iter().chain(self.series.iter().map(|(name, _)| *name)).collect(),
            rows: self.names.iter().enumerate().map(row).collect(),
        })
    }
}

fn known(value: Option<Real>) -> f64 {
    value.map_or(f64::NAN, |value| value.0)
}

fn gradients(diagnosis: &Diagnosis) -> Option<Figure> {
    let weights = &diagnosis.figures.weights;
    let of = |trained: bool| -> Vec<f64> {
        weights.iter().map(|weight| if weight.trainable == trained { known(weight.gradient) } else { f64::NAN }).collect()
    };
    let mut series = vec![("mean |gradient|", of(true))];
    if weights.iter().any(|weight| !weight.trainable) {
        series.push(("of a frozen layer", of(false)));
    }
    let silent: Vec<&str> = weights.iter().filter(|w| w.gradient.is_some_and(|g| g.0 == 0.0)).map(|w| w.name.as_str()).collect();
    let none = if silent.is_empty() { String::new() } else { format!(" No gradient at all: {}.", escape(&silent.join(", "))) };
    Layers {
        title: "Gradient by depth",
        y: "mean |gradient| of a weight",
        names: weights.iter().map(|weight| weight.name.as_str()).collect(),
        series,
        bands: vec![],
        caption: format!("Before the first step. A fall by orders of magnitude towards the input is a vanishing gradient.{none}"),
    }
    .figure()
}

fn activations(diagnosis: &Diagnosis) -> Option<Figure> {
    let layers: Vec<_> = diagnosis.figures.activations.iter().filter(|layer| layer.kind != NodeKind::Norm).collect();
    let mut series = vec![
        ("before training", layers.iter().map(|layer| layer.initial_std.0).collect()),
        ("after", layers.iter().map(|layer| known(layer.trained_std)).collect::<Vec<f64>>()),
    ];
    if layers.iter().any(|layer| layer.reference_std.is_some()) {
        series.push(("reference weights", layers.iter().map(|layer| known(layer.reference_std)).collect()));
    }
    let dead = layers.iter().filter_map(|layer| Some((layer.trained_dead?.0, &layer.node))).max_by(|a, b| a.0.total_cmp(&b.0));
    let dead = dead.filter(|(share, _)| *share > 0.0).map_or_else(String::new, |(share, node)| {
        format!(" Most dead units after training: {} of {}.", percent(share), prose(&format!("`{node}`")))
    });
    Layers {
        title: "Activations by depth",
        y: "standard deviation of the output",
        names: layers.iter().map(|layer| layer.node.as_str()).collect(),
        series,
        bands: vec![Band { vertical: false, ends: LIVELY }],
        caption: format!(
            "Over held-out samples. Between {} and {} (shaded) a signal neither fades nor grows from layer to layer (CS231n).{dead}",
            LIVELY.0, LIVELY.1
        ),
    }
    .figure()
}

fn weights(diagnosis: &Diagnosis) -> Option<Figure> {
    let weights = &diagnosis.figures.weights;
    let mut series = vec![
        ("first values", weights.iter().map(|weight| known(weight.std)).collect::<Vec<f64>>()),
        ("the layer's own initialisation", weights.iter().map(|weight| known(weight.fresh_std)).collect()),
    ];
    if weights.iter().any(|weight| weight.reference_std.is_some()) {
        series.push(("reference weights", weights.iter().map(|weight| known(weight.reference_std)).collect()));
    }
    Layers {
        title: "Weights by depth",
        y: "standard deviation of the weight",
        names: weights.iter().map(|weight| weight.name.as_str()).collect(),
        series,
        bands: vec![],
        caption: "Before training. Far from the layer's own initialisation: other initial values, or loaded ones.".to_owned(),
    }
    .figure()
}

fn controls(diagnosis: &Diagnosis) -> Option<Figure> {
    let controls = &diagnosis.figures.controls;
    if controls.is_empty() {
        return None;
    }
    let rows = controls.iter().map(|control| vec![escape(&control.name), percent(control.real.0), percent(control.blank.0)]);
    Some(Figure {
        title: "Controls",
        svg: String::new(),
        caption: "Held-out balanced accuracy. Where the two are alike, what was taken away carried no information.".to_owned(),
        dots: false,
        legend: vec![],
        head: vec!["what is compared", "as given", "without information"],
        rows: rows.collect(),
    })
}
