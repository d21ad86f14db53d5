//! Exported models against PyTorch: logits in both modes, gradients, five training steps.
//!
//! `cargo test --release --test exported -- --ignored --nocapture` runs the whole survey, prints its table and takes
//! an hour; it needs timm in the test environment.
#![cfg(feature = "engine")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use nanprobe::design::Design;
use nanprobe::graph::{Exported, Graph, Mode, Network};
use nanprobe::model::{Treatment, build};
use nanprobe::train::{Optimizer, criterion};
use nanprobe::zoo::Shape;
use nanprobe_checks::recipe::{Loss, OptimizerKind, OptimizerRecipe};
use tch::{Device, Tensor, no_grad};

/// What rounding explains, relative to the largest value.
const VALUES: f64 = 1e-4;
/// The same for losses after updates.
const LOSSES: f64 = 1e-3;

/// How far nanprobe is from PyTorch with one model.
#[derive(Debug)]
struct Differences {
    eval: f64,
    train: f64,
    gradient: (f64, String),
    loss: f64,
    nodes: usize,
    load_seconds: f64,
    /// Median step of PyTorch and of nanprobe, where they were timed.
    step_seconds: Option<(f64, f64)>,
}

impl Differences {
    fn within(&self) -> bool {
        [self.eval, self.train, self.gradient.0].iter().all(|d| *d <= VALUES) && self.loss <= LOSSES
    }
}

fn export(model: &str, folder: &Path, extra: &[&str]) -> Result<(PathBuf, HashMap<String, Tensor>), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".venv/bin/python");
    assert!(python.exists(), "{} is missing; `make setup-tests` makes it", python.display());
    let out = folder.join(model.replace('/', "-"));
    let run = Command::new(python).arg(root.join("tests/oracle/export.py")).arg(model).arg(&out).args(extra).output().unwrap();
    if !run.status.success() {
        return Err(String::from_utf8_lossy(&run.stderr).lines().last().unwrap_or_default().to_owned());
    }
    let oracle = Tensor::read_safetensors(out.with_extension("safetensors")).unwrap().into_iter().collect();
    Ok((out.with_extension("pt2"), oracle))
}

fn relative(ours: &Tensor, theirs: &Tensor, floor: f64) -> f64 {
    let largest = |t: &Tensor| t.abs().max().double_value(&[]);
    if theirs.numel() == 0 { 0.0 } else { largest(&(ours - theirs)) / largest(theirs).max(floor) }
}

fn network(exported: Exported) -> Result<Network, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let recipe = nanprobe::config::Settings::of_flags(
        &nanprobe::cli::JobArgs { data: Some(".".into()), model: Some("model.pt2".to_owned()), ..Default::default() },
        None,
    );
    let treatment = Treatment::none(&recipe.map_err(|error| text(&error))?.recipe);
    let shape = Shape { channels: 3, size: 64, outputs: 10 };
    let design = Design::Exported(Box::new(exported));
    Ok(build(&design, &treatment, shape, Device::Cpu, 0).map_err(|error| text(&error))?.network)
}

fn names(graph: &Graph) -> Vec<&str> {
    graph.parameters.iter().map(|p| p.name.as_str()).collect()
}

fn compare(path: &Path, oracle: &HashMap<String, Tensor>, timed: usize) -> Result<Differences, String> {
    tch::set_num_threads(1);
    let text = |error: nanprobe::graph::GraphError| error.to_string();
    let start = Instant::now();
    let exported = Exported::read(path).map_err(|error| error.to_string())?;
    let fresh = network(exported.shallow_clone())?;
    let load_seconds = start.elapsed().as_secs_f64();
    let (inputs, labels) = (&oracle["inputs"], &oracle["labels"]);
    let answers = no_grad(|| fresh.forward(&[inputs.get(0)], Mode::Evaluate, None)).map_err(text)?;
    let eval = relative(&answers, &oracle["eval"], 0.0);

    let logits = fresh.forward(&[inputs.get(0)], Mode::Train, None).map_err(text)?;
    let train = relative(&logits, &oracle["train"], 0.0);
    criterion(Loss::CrossEntropy, &logits, &labels.get(0)).map_err(text)?.backward();
    let gradients: HashMap<&str, &Tensor> = oracle.iter().filter_map(|(name, t)| Some((name.strip_prefix("grad/")?, t))).collect();
    let largest = gradients.values().map(|g| g.abs().max().double_value(&[])).fold(0.0, f64::max);
    let listed = names(fresh.graph());
    if let Some(missing) = gradients.keys().find(|name| !listed.contains(name)) {
        return Err(format!("no parameter `{missing}`, of which PyTorch has the gradient"));
    }
    let mut gradient = (0.0, String::new());
    for (name, ours) in listed.into_iter().zip(fresh.parameters()) {
        let difference = match (gradients.get(name), ours.grad()) {
            (Some(theirs), grad) if grad.defined() => relative(&grad, theirs, 1e-3 * largest),
            (None, grad) if !grad.defined() => 0.0,
            _ => f64::INFINITY,
        };
        if difference.is_nan() || difference > gradient.0 {
            gradient = (difference, name.to_owned());
        }
    }

    let network = network(exported)?;
    let sgd = OptimizerRecipe { kind: OptimizerKind::Sgd, lr: 1e-3, momentum: 0.0, weight_decay: 0.0, groups: vec![] };
    let optimizer = Optimizer::new(&sgd, &network).map_err(text)?;
    let step = |index: i64| -> Result<f64, nanprobe::graph::GraphError> {
        let loss = criterion(Loss::CrossEntropy, &network.forward(&[inputs.get(index)], Mode::Train, None)?, &labels.get(index))?;
        optimizer.zero_grad()?;
        loss.backward();
        optimizer.step()?;
        Ok(loss.double_value(&[]))
    };
    let mut losses = Vec::new();
    for index in 0..inputs.size()[0] {
        let theirs = oracle["losses"].double_value(&[index]);
        losses.push((step(index).map_err(text)? - theirs).abs() / theirs.abs());
    }
    // A largest difference that no NaN hides behind.
    let loss = losses.into_iter().fold(0.0, |worst: f64, d| if d.is_nan() || d > worst { d } else { worst });
    let mut seconds = Vec::new();
    for _ in 0..timed {
        let start = Instant::now();
        step(0).map_err(text)?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    let theirs = oracle.get("seconds").map(|seconds| seconds.double_value(&[]));
    let step_seconds = theirs.zip(seconds.get(seconds.len() / 2).copied());
    Ok(Differences { eval, train, gradient, loss, nodes: network.graph().nodes.len(), load_seconds, step_seconds })
}

fn check(model: &str, extra: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let (path, oracle) = export(model, folder.path(), extra).unwrap();
    let differences = compare(&path, &oracle, 0).unwrap_or_else(|problem| panic!("{model}: {problem}"));
    assert!(differences.within(), "{model}: {differences:?}");
}

#[test]
fn hand_written_models_compute_what_pytorch_computes() {
    // `own-wide`: an archive whose first entry has a header of 76 bytes, as long as what torch writes behind the directory.
    for model in ["functional", "recurrent", "attention", "mixed", "one-and-three", "frozen-body", "wide"] {
        check(&format!("own/{model}"), &[]);
    }
}

#[test]
fn a_model_exported_in_evaluation_mode_trains_as_in_training_mode() {
    check("own/functional", &["--eval"]);
    check("torchvision/resnet18", &["--eval"]);
}

#[test]
fn torchvisions_models_compute_what_pytorch_computes() {
    for (model, size) in [("mobilenet_v3_small", "64"), ("vit_b_16", "224")] {
        check(&format!("torchvision/{model}"), &["--size", size]);
    }
}

/// torchvision's and timm's classifiers with the side of their input: 64 px where they take it.
const SURVEY: &str = include_str!("oracle/survey.txt");

#[test]
#[ignore = "the whole survey takes an hour and needs timm"]
fn the_survey() {
    let timed: usize = std::env::var("NANPROBE_SURVEY_STEPS").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    let only = std::env::var("NANPROBE_SURVEY_ONLY").unwrap_or_default();
    println!(
        "| model | nodes | eval | train | gradient | losses | load s | step s, PyTorch s |\n| --- | --- | --- | --- | --- | --- | --- | --- |"
    );
    let (mut right, mut all) = (0, 0);
    for line in SURVEY.lines().filter(|line| !line.starts_with('#') && line.contains(&only)) {
        let [model, size] = line.split_whitespace().collect::<Vec<_>>()[..] else { continue };
        let folder = tempfile::tempdir().unwrap();
        let steps = timed.to_string();
        let extra = ["--size", size, "--time", &steps];
        let result = export(model, folder.path(), &extra).map_err(|problem| format!("not exported: {problem}"));
        let result = result.and_then(|(path, oracle)| compare(&path, &oracle, timed));
        all += 1;
        match result {
            Ok(d) => {
                right += usize::from(d.within());
                let wrong = if d.within() { String::new() } else { format!(" **differs** ({})", d.gradient.1) };
                let seconds = d.step_seconds.map_or_else(String::new, |(theirs, ours)| format!("{ours:.3}, {theirs:.3}"));
                let Differences { eval, train, gradient, loss, nodes, load_seconds, .. } = d;
                println!(
                    "| {model}{wrong} | {nodes} | {eval:.0e} | {train:.0e} | {:.0e} | {loss:.0e} | {load_seconds:.2} | {seconds} |",
                    gradient.0
                );
            }
            Err(problem) => println!("| {model} **{}** | | | | | | | |", problem.chars().take(300).collect::<String>()),
        }
    }
    println!("\n{right} of {all} within {VALUES:e} (losses {LOSSES:e})");
    assert_eq!(right, all);
}
