//! What several versions of torch wrote: exported models compute what PyTorch computed with them and learn; state dicts and checkpoints load.
//!
//! The files are in `fixtures/models/versions`; `fixtures/write_versions.py` wrote them, and what PyTorch computes with each.
#![cfg(feature = "engine")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use nanprobe::design::Design;
use nanprobe::graph::weights::{Loaded, load};
use nanprobe::graph::{Exported, Mode, Network};
use nanprobe::model::{Treatment, build, seeded};
use nanprobe::train::{Optimizer, criterion};
use nanprobe::zoo::Shape;
use nanprobe_checks::recipe::{Loss, OptimizerKind, OptimizerRecipe};
use tch::{Device, Kind, Tensor, no_grad};

/// Versions with files of their own: both layouts of `.pt2`, both export schemas, the versions in between and the newest.
const VERSIONS: [&str; 6] = ["2.5.1", "2.6.0", "2.7.1", "2.9.1", "2.13.0", "2.15.0"];
/// What rounding explains in logits of about 1.
const VALUES: f64 = 1e-5;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/models/versions").join(name)
}

/// The pictures of `write_versions.py`.
fn pictures() -> Tensor {
    let values: Vec<f32> = (0..2 * 3 * 16 * 16).map(|i| (f64::from(i * 7919 % 1000) / 500.0 - 1.0) as f32).collect();
    Tensor::from_slice(&values).reshape([2, 3, 16, 16])
}

/// What PyTorch computes in evaluation mode.
fn expected(version: &str, what: &str) -> Tensor {
    let text = std::fs::read_to_string(fixture(&format!("torch-{version}.json"))).unwrap();
    let logits: HashMap<String, Vec<Vec<f64>>> = serde_json::from_str(&text).unwrap();
    Tensor::from_slice2(&logits[what]).to_kind(Kind::Float)
}

fn network(version: &str, kind: &str) -> Network {
    let exported = Exported::read(&fixture(&format!("torch-{version}-{kind}.pt2"))).unwrap_or_else(|error| panic!("{error}"));
    assert!(exported.torch.starts_with(version), "{} wrote the file of {version}", exported.torch);
    assert_eq!((&exported.inputs[0].sizes[..], exported.outputs), (&[None, Some(3), Some(16), Some(16)][..], Some(4)), "{version} {kind}");
    assert!(exported.modules.values().any(|module| module.source.as_ref().is_some_and(|source| source.file == "model.py")));
    let flags = nanprobe::cli::JobArgs { data: Some(".".into()), model: Some("model.pt2".to_owned()), ..Default::default() };
    let recipe = nanprobe::config::Settings::of_flags(&flags, None).unwrap().recipe;
    let shape = Shape { channels: 3, size: 16, outputs: 4 };
    build(&Design::Exported(Box::new(exported)), &Treatment::none(&recipe), shape, Device::Cpu, 0).unwrap().network
}

fn logits(network: &Network) -> Tensor {
    no_grad(|| network.forward(&[pictures()], Mode::Evaluate, None)).unwrap()
}

fn difference(ours: &Tensor, theirs: &Tensor) -> f64 {
    (ours - theirs).abs().max().double_value(&[])
}

#[test]
fn exported_models_of_every_version_compute_what_pytorch_computed() {
    for version in VERSIONS {
        for kind in ["convnet", "attention"] {
            let difference = difference(&logits(&network(version, kind)), &expected(version, kind));
            assert!(difference <= VALUES, "{version} {kind}: {difference}");
        }
    }
}

#[test]
fn exported_models_of_every_version_learn_two_pictures() {
    let labels = Tensor::from_slice(&[0i64, 3]);
    let sgd = OptimizerRecipe { kind: OptimizerKind::Adam, lr: 1e-2, momentum: 0.0, weight_decay: 0.0, groups: vec![] };
    for (version, kind) in VERSIONS.into_iter().flat_map(|version| [(version, "convnet"), (version, "attention")]) {
        let network = network(version, kind);
        let optimizer = Optimizer::new(&sgd, &network).unwrap();
        let loss = |mode| criterion(Loss::CrossEntropy, &network.forward(&[pictures()], mode, None).unwrap(), &labels).unwrap();
        let before = no_grad(|| loss(Mode::Evaluate)).double_value(&[]);
        seeded(0, || {
            for _ in 0..40 {
                let loss = loss(Mode::Train);
                optimizer.zero_grad().unwrap();
                loss.backward();
                optimizer.step().unwrap();
            }
        });
        let after = no_grad(|| loss(Mode::Evaluate)).double_value(&[]);
        assert!(after < 0.7 * before, "{version} {kind}: {before} to {after}");
    }
}

#[test]
fn batch_norm_keeps_its_statistics_whichever_version_exported_it() {
    let statistics = |version: &str| {
        let network = network(version, "convnet");
        drop(no_grad(|| network.forward(&[pictures() + 1.0], Mode::Train, None)).unwrap());
        let find = |name: &str| network.graph().buffers.iter().position(|buffer| buffer.name == name).unwrap();
        ["norm1.running_mean", "norm1.running_var"].map(|name| network.buffers()[find(name)].copy())
    };
    let newest = statistics("2.13.0");
    let before = network("2.13.0", "convnet");
    assert!(before.buffers().iter().all(|buffer| buffer.size() != [6] || difference(buffer, &newest[0]) > 1e-3));
    for version in VERSIONS {
        for (ours, theirs) in statistics(version).iter().zip(&newest) {
            assert!(difference(ours, theirs) <= VALUES, "{version}");
        }
    }
}

fn loaded(network: &mut Network, file: &str) -> Loaded {
    load(network, &fixture(file)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn state_dicts_of_every_version_give_their_values() {
    for version in VERSIONS {
        let mut network = network("2.13.0", "convnet");
        let loaded = loaded(&mut network, &format!("torch-{version}.pth"));
        assert_eq!(loaded.describe(), "8 of 8 parameter tensors from the file");
        assert!(loaded.parameters.iter().all(|taken| *taken) && loaded.unused.is_empty(), "{loaded:?}");
        let difference = difference(&logits(&network), &expected(version, "state_dict"));
        assert!(difference <= VALUES, "{version}: {difference}");
    }
}

#[test]
fn a_checkpoint_of_a_wrapped_model_says_where_its_values_were() {
    let mut network = network("2.13.0", "convnet");
    let before = logits(&network);
    let loaded = loaded(&mut network, "checkpoint.pth");
    assert_eq!(loaded.describe(), "8 of 8 parameter tensors from the file's `state_dict`, its names without `module.`");
    assert!(difference(&logits(&network), &before) > 1e-2);
}

#[test]
fn what_is_no_state_dict_is_refused_with_the_way_out() {
    let mut network = network("2.13.0", "convnet");
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.pth");
    std::fs::write(&text, "these are no weights").unwrap();
    for (path, part) in [
        (fixture("legacy.pth"), "torch.load("),
        (fixture("whole-model.pth"), "torch.save(model.state_dict()"),
        (fixture("scripted.pt"), "torch.jit.load("),
        (fixture("torch-2.6.0-convnet.pt2"), "`--model`"),
        (fixture("views.pth"), "holds none of the parameters of"),
        (text, "neither a safetensors file"),
        (folder.path().join("none.pth"), "cannot read weights file"),
    ] {
        let complaint = load(&mut network, &path).unwrap_err().to_string();
        assert!(complaint.contains(part) && complaint.contains(path.to_str().unwrap()), "`{part}` is not in: {complaint}");
    }
}
