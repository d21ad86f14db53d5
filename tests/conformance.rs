//! Our graphs against torchvision's modules, and our loop against PyTorch's: the scripts in tests/oracle/ write
//! down what PyTorch computes, with its own random weights.
#![cfg(feature = "engine")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::slice;
use std::sync::Once;

use nanprobe::graph::{Mode, Network, edit};
use nanprobe::train::{Optimizer, criterion};
use nanprobe::zoo::{self, Shape};
use nanprobe_checks::recipe::{Loss, OptimizerKind, OptimizerRecipe};
use tch::{Device, Kind, Tensor, no_grad};

/// Largest difference, relative to the largest value of the tensor, that rounding explains.
const TOLERANCE: f64 = 1e-5;
const CLASSES: i64 = 3;

fn single_threaded() {
    static ONCE: Once = Once::new();
    // The oracle adds in this order too.
    ONCE.call_once(|| tch::set_num_threads(1));
}

/// Runs an oracle script and reads what it wrote.
fn oracle(script: &str, model: &str, size: i64, extra: &[&str]) -> HashMap<String, Tensor> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".venv/bin/python");
    assert!(python.exists(), "{} is missing; `make setup-tests` makes it", python.display());
    let folder = tempfile::tempdir().unwrap();
    let out: PathBuf = folder.path().join("oracle.safetensors");
    let status = Command::new(python)
        .arg(root.join("tests/oracle").join(script))
        .arg(model)
        .arg(&out)
        .args(["--size", &size.to_string(), "--classes", &CLASSES.to_string()])
        .args(extra)
        .status()
        .unwrap();
    assert!(status.success(), "{script} {model} failed");
    Tensor::read_safetensors(&out).unwrap().into_iter().collect()
}

fn network(model: &str, size: i64, oracle: &HashMap<String, Tensor>) -> Network {
    let mut graph = zoo::build(model, Shape { channels: 3, size, outputs: CLASSES }).unwrap();
    edit::set_dropout(&mut graph, 0.0);
    let mut network = Network::new(graph, Device::Cpu).unwrap();
    let names = |names: Vec<String>| names.into_iter().enumerate();
    for (index, name) in names(network.graph().parameters.iter().map(|p| p.name.clone()).collect()) {
        network.set_parameter(index, &oracle[&format!("param/{name}")]).unwrap();
    }
    for (index, name) in names(network.graph().buffers.iter().map(|b| b.name.clone()).collect()) {
        network.set_buffer(index, &oracle[&format!("param/{name}")]).unwrap();
    }
    let ours = network.graph().parameters.len() + network.graph().buffers.len();
    assert_eq!(oracle.keys().filter(|key| key.starts_with("param/")).count(), ours, "{model}: not the same set of tensors");
    network
}

fn assert_close(what: &str, ours: &Tensor, theirs: &Tensor, tolerance: f64) {
    assert_eq!(ours.size(), theirs.size(), "{what}");
    let scale = theirs.abs().max().double_value(&[]).max(1e-12);
    let difference = (ours - theirs).abs().max().double_value(&[]) / scale;
    assert!(difference <= tolerance, "{what}: relative difference {difference:.1e}");
}

fn same_as_torch(model: &str, size: i64) {
    single_threaded();
    let oracle = oracle("reference.py", model, size, &["--batch", "4"]);
    let network = network(model, size, &oracle);
    let input = &oracle["input"];
    let logits = no_grad(|| network.forward(slice::from_ref(input), Mode::Evaluate, None)).unwrap();
    assert_close(&format!("{model} logits in evaluation mode"), &logits, &oracle["logits_eval"], TOLERANCE);

    let logits = network.forward(slice::from_ref(input), Mode::Train, None).unwrap();
    assert_close(&format!("{model} logits in training mode"), &logits, &oracle["logits_train"], TOLERANCE);
    criterion(Loss::CrossEntropy, &logits, &oracle["target"]).unwrap().backward();
    // Relative to the largest gradient of the whole model: a bias in front of batch norm has a gradient of
    // exactly zero, which rounding turns into noise.
    let theirs = |name: &str| &oracle[&format!("grad/{name}")];
    let largest = network.graph().parameters.iter().map(|p| theirs(&p.name).abs().max().double_value(&[])).fold(0.0, f64::max);
    for (parameter, tensor) in network.graph().parameters.iter().zip(network.parameters()) {
        let difference = (tensor.grad() - theirs(&parameter.name)).abs().max().double_value(&[]) / largest;
        assert!(difference <= TOLERANCE, "{model} gradient of {}: {difference:.1e}", parameter.name);
    }
    for (buffer, tensor) in network.graph().buffers.iter().zip(network.buffers()) {
        assert_close(&format!("{model} {}", buffer.name), tensor, &oracle[&format!("buffer_after/{}", buffer.name)], TOLERANCE);
    }
}

macro_rules! conformance {
    ($($test:ident: $model:literal at $size:literal;)+) => {
        $(#[test] fn $test() { same_as_torch($model, $size); })+
    };
}

conformance! {
    resnet18_is_torchvisions: "resnet18" at 64;
    resnet34_is_torchvisions: "resnet34" at 64;
    resnet50_is_torchvisions: "resnet50" at 64;
    alexnet_is_torchvisions: "alexnet" at 64;
    vgg11_is_torchvisions: "vgg11" at 32;
    vgg16_bn_is_torchvisions: "vgg16_bn" at 32;
    mobilenet_v2_is_torchvisions: "mobilenet_v2" at 64;
    lenet_is_the_torch_module: "lenet" at 32;
    small_cnn_is_the_torch_module: "small-cnn" at 32;
    small_cnn_bn_is_the_torch_module: "small-cnn-bn" at 32;
    mlp_is_the_torch_module: "mlp" at 28;
    sigmoid_mlp_is_the_torch_module: "sigmoid-mlp" at 28;
}

#[test]
fn every_optimizer_and_criterion_computes_what_torchs_does() {
    single_threaded();
    let oracle = oracle("training.py", "small-cnn", 32, &[]);
    let (batches, labels) = (&oracle["batches"], &oracle["labels"]);
    for kind in [OptimizerKind::Sgd, OptimizerKind::Adam, OptimizerKind::AdamW, OptimizerKind::RmsProp] {
        let settings = Vec::<f64>::try_from(&oracle[&format!("settings/{kind}")]).unwrap();
        let recipe = OptimizerRecipe { kind, lr: settings[0], momentum: settings[1], weight_decay: settings[2], groups: vec![] };
        let network = network("small-cnn", 32, &oracle);
        let optimizer = Optimizer::new(&recipe, &network).unwrap();
        let expected = Vec::<f64>::try_from(oracle[&format!("losses/{kind}")].to_kind(Kind::Double)).unwrap();
        for (step, expected) in expected.into_iter().enumerate() {
            let logits = network.forward(&[batches.get(step as i64)], Mode::Train, None).unwrap();
            let loss = criterion(Loss::CrossEntropy, &logits, &labels.get(step as i64)).unwrap();
            let ours = loss.double_value(&[]);
            assert!((ours - expected).abs() <= TOLERANCE * expected.abs().max(1.0), "{kind} step {step}: {ours} against {expected}");
            optimizer.zero_grad().unwrap();
            loss.backward();
            optimizer.step().unwrap();
        }
    }

    let network = network("small-cnn", 32, &oracle);
    let logits = no_grad(|| network.forward(&[batches.get(0)], Mode::Train, None)).unwrap();
    let outputs = |loss| match loss {
        Loss::Nll => logits.log_softmax(1, Kind::Float),
        Loss::Bce => logits.sigmoid(),
        _ => logits.shallow_clone(),
    };
    for loss in [Loss::CrossEntropy, Loss::Nll, Loss::BceWithLogits, Loss::Bce, Loss::Mse] {
        let ours = criterion(loss, &outputs(loss), &labels.get(0)).unwrap();
        assert_close(loss.name(), &ours, &oracle[&format!("criterion/{loss}")], TOLERANCE);
    }
}
