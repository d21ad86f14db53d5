//! Training steps against PyTorch eager, and decoding against Pillow: in turns within one run, as ratios,
//! for absolute times of a shared machine say little.
//!
//! `cargo bench` runs it; it needs `make setup-tests`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use nanprobe::data::{DataOptions, Listing};
use nanprobe::graph::{Exported, Mode, Network};
use nanprobe::train::{Optimizer, criterion};
use nanprobe::zoo::{Shape, build};
use nanprobe_checks::recipe::{Loss, OptimizerKind, OptimizerRecipe};
use tch::{Device, Kind, Tensor};

const ROUNDS: usize = 3;
const STEPS: usize = 10;
const BATCH: i64 = 32;
/// Of torchvision, at 64 px.
const EXPORTED: [&str; 10] = [
    "resnet18",
    "resnet50",
    "vgg11",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "densenet121",
    "shufflenet_v2_x1_0",
    "efficientnet_b0",
    "regnet_y_400mf",
    "convnext_tiny",
];
const JPEGS: usize = 300;

fn main() {
    for (model, size, channels) in [("resnet18", 64, 3), ("small-cnn", 28, 1)] {
        let network = Network::new(build(model, Shape { channels, size, outputs: 10 }).unwrap(), Device::Cpu).unwrap();
        step_time(model, [channels, size], &network, &mut Pytorch::start(&[]));
    }
    println!("exported models:");
    exported();
    decoding();
}

fn script(name: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(root.join(".venv/bin/python"));
    command.arg(root.join("benches").join(name));
    command
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

struct Pytorch {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Pytorch {
    fn start(options: &[&str]) -> Self {
        let mut command = script("step_time.py");
        command.args(["--serve", "--steps", &STEPS.to_string()]).args(options);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    fn seconds(&mut self, model: &str) -> f64 {
        writeln!(self.input, "{model}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str::<serde_json::Value>(&line).unwrap()["seconds_median"].as_f64().unwrap()
    }
}

impl Drop for Pytorch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The ratio of a training step's time to PyTorch's.
fn step_time(model: &str, [channels, size]: [i64; 2], network: &Network, pytorch: &mut Pytorch) -> f64 {
    let recipe = OptimizerRecipe { kind: OptimizerKind::Sgd, lr: 0.01, momentum: 0.9, weight_decay: 0.0, groups: vec![] };
    let optimizer = Optimizer::new(&recipe, network).unwrap();
    let inputs = [Tensor::randn([BATCH, channels, size, size], (Kind::Float, Device::Cpu))];
    let targets = Tensor::randint(10, [BATCH], (Kind::Int64, Device::Cpu));
    let step = || {
        let start = Instant::now();
        let loss = criterion(Loss::CrossEntropy, &network.forward(&inputs, Mode::Train, None).unwrap(), &targets).unwrap();
        optimizer.zero_grad().unwrap();
        loss.backward();
        optimizer.step().unwrap();
        let _value = loss.double_value(&[]);
        start.elapsed().as_secs_f64()
    };
    let _warm = (step(), pytorch.seconds(model));
    let (mut ours, mut theirs, mut ratios) = (vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let a = median((0..STEPS).map(|_| step()).collect());
        let b = pytorch.seconds(model);
        ours.push(a);
        theirs.push(b);
        ratios.push(a / b);
    }
    println!(
        "{model} {size} px batch {BATCH}: {:.1} ms a step, PyTorch eager {:.1} ms, ratio {:.2} (median of {ROUNDS} rounds in turns)",
        1e3 * median(ours),
        1e3 * median(theirs),
        median(ratios.clone())
    );
    median(ratios)
}

/// torchvision's models as `torch.export` writes them, against the same models in PyTorch.
fn exported() {
    let folder = tempfile::tempdir().unwrap();
    let mut pytorch = Pytorch::start(&["--export", folder.path().to_str().unwrap()]);
    let mut ratios = Vec::new();
    for model in EXPORTED {
        let _first = pytorch.seconds(model);
        let exported = Exported::read(&folder.path().join(format!("{model}.pt2"))).unwrap();
        let mut network = Network::new(exported.graph, Device::Cpu).unwrap();
        network.set_buffers(&exported.buffers).unwrap();
        ratios.push(step_time(model, [3, 64], &network, &mut pytorch));
    }
    println!("median ratio {:.2} over {} exported models", median(ratios.clone()), ratios.len());
}

fn decoding() {
    let folder = tempfile::tempdir().unwrap();
    assert!(script("make_jpegs.py").arg(folder.path()).arg(JPEGS.to_string()).status().unwrap().success());
    let options = DataOptions { path: folder.path().to_owned(), labels: Some("([0-9])[.]jpe?g$".to_owned()), ..DataOptions::default() };
    let listing = Listing::open(folder.path(), &options).unwrap();
    let (mut ours, mut theirs) = (vec![], vec![]);
    for _ in 0..3 {
        let start = Instant::now();
        for index in 0..listing.len() {
            listing.decode(index, 3, 224).unwrap();
        }
        ours.push(listing.len() as f64 / start.elapsed().as_secs_f64());
        let output = script("decode_pil.py").arg(folder.path()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let value: serde_json::Value = serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap();
        theirs.push(value["images_per_second"].as_f64().unwrap());
    }
    let ratio = median(ours.iter().zip(&theirs).map(|(a, b)| a / b).collect());
    println!("decode + resize 224, one thread: {:.0} images/s, Pillow {:.0}, ratio {ratio:.2}", median(ours), median(theirs));
}
