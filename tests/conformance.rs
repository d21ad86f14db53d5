//! Our graphs against torchvision's modules, and our loop against PyTorch's: the scripts in tests/oracle/ write
//! down what PyTorch computes, with its own random weights.
#![cfg(feature = "engine")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::slice;
use std::sync::Once;

use nanprobe::graph::{Fill, Mode, Network, edit};
use nanprobe::train::{Optimizer, criterion};
use nanprobe::zoo::{self, Shape};
use nanprobe_checks::recipe::{Loss, OptimizerKind, OptimizerRecipe};
use tch::{Device, Kind, Tensor, no_grad};

/// Largest difference, relative to the largest value of the tensor, that rounding explains.
const TOLERANCE: f64 = 1e-5;
/// The same of a loss after updates: rounding grows with each, most under batch norm over a few samples.
const LOSSES: f64 = 1e-3;
/// Learning rate of those updates, as in tests/oracle/reference.py.
const LEARNING_RATE: f64 = 1e-3;
/// Standard errors by which a statistic of drawn values may be off. The suite compares some 10,000, of which chance takes none this far.
const ERRORS: f64 = 7.0;
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

fn fresh(model: &str, size: i64) -> Network {
    let mut graph = zoo::build(model, Shape { channels: 3, size, outputs: CLASSES }).unwrap();
    edit::set_dropout(&mut graph, 0.0);
    edit::set_stochastic_depth(&mut graph, 0.0);
    Network::new(graph, Device::Cpu).unwrap()
}

fn network(model: &str, size: i64, oracle: &HashMap<String, Tensor>) -> Network {
    let mut network = fresh(model, size);
    given(&mut network, oracle);
    network
}

/// Gives a network the oracle's values.
fn given(network: &mut Network, oracle: &HashMap<String, Tensor>) {
    let names = |names: Vec<String>| names.into_iter().enumerate();
    for (index, name) in names(network.graph().parameters.iter().map(|p| p.name.clone()).collect()) {
        network.set_parameter(index, &oracle[&format!("param/{name}")]).unwrap();
    }
    for (index, name) in names(network.graph().buffers.iter().map(|b| b.name.clone()).collect()) {
        network.set_buffer(index, &oracle[&format!("param/{name}")]).unwrap();
    }
    let ours = network.graph().parameters.len() + network.graph().buffers.len();
    assert_eq!(
        oracle.keys().filter(|key| key.starts_with("param/")).count(),
        ours,
        "{}: not the same set of tensors",
        network.graph().name
    );
}

fn assert_close(what: &str, ours: &Tensor, theirs: &Tensor, tolerance: f64) {
    assert_eq!(ours.size(), theirs.size(), "{what}");
    let scale = theirs.abs().max().double_value(&[]).max(1e-12);
    let difference = (ours - theirs).abs().max().double_value(&[]) / scale;
    assert!(difference <= tolerance, "{what}: relative difference {difference:.1e}");
}

/// That PyTorch's values and ours are both drawn as the architecture says, as far as their statistics tell.
fn begins_as_in_torch(network: &Network, oracle: &HashMap<String, Tensor>) {
    let model = &network.graph().name;
    for (parameter, ours) in network.graph().parameters.iter().zip(network.parameters()) {
        let theirs = Vec::<f64>::try_from(&oracle[&format!("init/{}", parameter.name)]).unwrap();
        let ours = ours.detach();
        let ours = [ours.mean(None), ours.std(false), ours.min(), ours.max()].map(|t| t.double_value(&[]));
        let count = parameter.shape.iter().product::<i64>() as f64;
        for (whose, values) in [("ours", &ours[..]), ("torch's", &theirs)] {
            let what = format!("{model} {}: {whose} {values:?} against {:?}", parameter.name, parameter.fill);
            let [mean, std, least, largest] = *values else { panic!("{what}") };
            let drawn = parameter.fill.std().unwrap();
            if let Fill::Constant(value) = parameter.fill {
                assert!((least - value).abs() <= 1e-7 * value.abs() && (largest - value).abs() <= 1e-7 * value.abs(), "{what}");
                continue;
            }
            assert!(mean.abs() <= ERRORS * drawn / count.sqrt(), "{what}");
            // The standard error of a normal sample's deviation; that of a uniform sample is less.
            assert!((std - drawn).abs() <= ERRORS * drawn / (2.0 * count).sqrt(), "{what}");
            let widest = largest.max(-least);
            match parameter.fill {
                Fill::Uniform(bound) => assert!(widest <= bound * (1.0 + 1e-6), "{what}"),
                // A normal sample of this size reaches further than a uniform one of the same deviation can.
                _ => assert!(count < 1000.0 || widest > 2.0 * drawn, "{what}"),
            }
        }
    }
}

fn same_as_torch(model: &str, size: i64) {
    single_threaded();
    let oracle = oracle("reference.py", model, size, &["--batch", "4"]);
    let mut network = fresh(model, size);
    begins_as_in_torch(&network, &oracle);
    given(&mut network, &oracle);
    let (batches, labels) = (&oracle["batches"], &oracle["labels"]);
    let input = batches.get(0);
    let logits = no_grad(|| network.forward(slice::from_ref(&input), Mode::Evaluate, None)).unwrap();
    assert_close(&format!("{model} logits in evaluation mode"), &logits, &oracle["logits_eval"], TOLERANCE);

    let logits = network.forward(slice::from_ref(&input), Mode::Train, None).unwrap();
    assert_close(&format!("{model} logits in training mode"), &logits, &oracle["logits_train"], TOLERANCE);
    criterion(Loss::CrossEntropy, &logits, &labels.get(0)).unwrap().backward();
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

    let sgd = OptimizerRecipe { kind: OptimizerKind::Sgd, lr: LEARNING_RATE, momentum: 0.0, weight_decay: 0.0, groups: vec![] };
    let optimizer = Optimizer::new(&sgd, &network).unwrap();
    let expected = Vec::<f64>::try_from(oracle["losses"].to_kind(Kind::Double)).unwrap();
    for (step, expected) in expected.into_iter().enumerate() {
        let ours = training_step(&network, &optimizer, batches, labels, step);
        assert!((ours - expected).abs() <= LOSSES * expected, "{model} step {step}: {ours} against {expected}");
    }
}

/// Takes a step and answers the loss before it.
fn training_step(network: &Network, optimizer: &Optimizer, batches: &Tensor, labels: &Tensor, step: usize) -> f64 {
    let logits = network.forward(&[batches.get(step as i64)], Mode::Train, None).unwrap();
    let loss = criterion(Loss::CrossEntropy, &logits, &labels.get(step as i64)).unwrap();
    optimizer.zero_grad().unwrap();
    loss.backward();
    optimizer.step().unwrap();
    loss.double_value(&[])
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
    mobilenet_v3_small_is_torchvisions: "mobilenet_v3_small" at 64;
    densenet121_is_torchvisions: "densenet121" at 64;
    squeezenet1_1_is_torchvisions: "squeezenet1_1" at 64;
    efficientnet_b0_is_torchvisions: "efficientnet_b0" at 64;
    convnext_tiny_is_torchvisions: "convnext_tiny" at 64;
    shufflenet_v2_x1_0_is_torchvisions: "shufflenet_v2_x1_0" at 64;
    regnet_y_400mf_is_torchvisions: "regnet_y_400mf" at 64;
    googlenet_is_torchvisions: "googlenet" at 64;
    vit_b_16_is_torchvisions: "vit_b_16" at 48;
    // 15 patches a side are padded to whole windows and shifted, and merged to 8; from there one window holds a picture.
    swin_t_is_torchvisions: "swin_t" at 60;
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
            let ours = training_step(&network, &optimizer, batches, labels, step);
            assert!((ours - expected).abs() <= TOLERANCE * expected.abs().max(1.0), "{kind} step {step}: {ours} against {expected}");
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
