//! What holds for every check whatever the evidence: no panic, well-formed findings, indifference to class names,
//! strength that grows with the fault.
//!
//! `healthy.jsonl` is the starting point: small-cnn on Fashion-MNIST classes 0 and 6, SGD at 0.05, three seeds of 60 steps,
//! measured with PyTorch 2.13; what concerns files, labels, modes, references, the sweep and the loop is written by hand.

use std::collections::BTreeMap;

use nanprobe_checks::evidence::{Record, SCHEMA};
use nanprobe_checks::{AnyCheck, Evidence, Finding, Judgement, Outcome, checks, find};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Measurements by name.
type Measured = BTreeMap<String, Value>;

fn healthy() -> Measured {
    let lines = include_str!("healthy.jsonl").lines();
    lines.map(|line| serde_json::from_str::<Record>(line).unwrap()).map(|record| (record.measurement, record.value)).collect()
}

fn evidence(measured: &Measured) -> Evidence {
    let mut evidence = Evidence::default();
    for (measurement, value) in measured {
        let record = Record { schema: SCHEMA.to_owned(), measurement: measurement.clone(), value: value.clone(), failure: None };
        evidence.insert(record).unwrap();
    }
    evidence
}

fn judge(check: &dyn AnyCheck, evidence: &Evidence) -> Option<Judgement> {
    match check.judge(evidence, None).unwrap() {
        Outcome::Judged(judgement) => Some(judgement),
        Outcome::NotMeasured { .. } => None,
    }
}

/// All findings, and a panic for one that a report could not print.
fn findings(evidence: &Evidence) -> Vec<(&'static str, Finding)> {
    let mut findings = Vec::new();
    for check in checks() {
        let name = check.name();
        match judge(check, evidence) {
            Some(Judgement::Suspect(finding)) => {
                assert!((0.0..=1.0).contains(&finding.strength), "{name}: strength {}", finding.strength);
                assert!(finding.measured.chars().count() <= 90, "{name}: too long for a cell: {}", finding.measured);
                for text in [&finding.message, &finding.measured, &finding.fix] {
                    assert!(!text.is_empty() && !text.ends_with('.') && !text.contains('\n'), "{name}: {text}");
                    assert!(!text.starts_with(char::is_uppercase), "{name}: {text}");
                }
                findings.push((name, *finding));
            }
            Some(Judgement::Clear { measured }) => {
                assert!(!measured.is_empty() && measured.chars().count() <= 110, "{name}: {measured}");
            }
            None => {}
        }
    }
    findings
}

#[test]
fn a_healthy_job_is_cleared_by_every_check() {
    let evidence = evidence(&healthy());
    let faults: Vec<_> = findings(&evidence).into_iter().map(|(name, finding)| (name, finding.measured)).collect();
    assert!(faults.is_empty(), "{faults:?}");
    for check in checks() {
        assert!(judge(check, &evidence).is_some(), "{} lacks a measurement", check.name());
    }
}

/// Random numbers of a seed (splitmix64, Steele et al. 2014).
struct Draws {
    state: u64,
    /// Whether floats may be NaN and infinite: all of evidence but the recipe.
    real: bool,
}

impl Draws {
    fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }
}

/// Fields of measurements that may be null, and what stands there otherwise.
const OPTIONAL: [(&str, &str, f64); 4] = [
    ("parameters", "reference_std", 0.1),
    ("training", "update_ratio", 1e-9),
    ("initial-loss", "uninformed", 2.3),
    ("learning-rate-sweep", "diverges", 0.5),
];

/// Lists of a fixed length.
const FIXED: [&str; 2] = ["input", "momentum"];

/// Words that stand for one another in the same place.
const WORDS: [&[&str]; 8] = [
    &["layer", "norm", "relu", "sigmoid", "tanh", "other-activation"],
    &["weight", "bias", "norm-weight", "norm-bias", "other"],
    &["cross-entropy", "nll", "bce-with-logits", "bce", "mse", "exported"],
    &["input", "parameter", "forward", "loss", "backward"],
    &["none", "unit", "imagenet"],
    &["train", "eval"],
    &["float32", "float16", "bfloat16"],
    &["CrossEntropyLoss", "torch.nn.modules.loss.CrossEntropyLoss", "torch.nn.modules.loss.MSELoss", "mse_loss"],
];

/// Replaces some leaves of a measurement by other values of their kind, and shortens some lists.
fn disturb(measurement: &str, key: &str, value: &mut Value, draws: &mut Draws) {
    if let Some((.., present)) = OPTIONAL.iter().find(|(of, name, _)| (*of, *name) == (measurement, key)) {
        *value = draws.pick(&[Value::Null, json!(present), value.clone(), json!("nan"), json!(0.0)]);
        return;
    }
    match value {
        Value::Array(items) => {
            let shortened = [0, 1, items.len(), items.len(), items.len()];
            items.truncate(if FIXED.contains(&key) { items.len() } else { draws.pick(&shortened) });
            for item in items {
                disturb(measurement, key, item, draws);
            }
        }
        Value::Object(fields) => fields.iter_mut().for_each(|(key, field)| disturb(measurement, key, field, draws)),
        _ if draws.below(4) > 0 => {}
        Value::Bool(flag) => *flag = !*flag,
        Value::Number(number) if number.is_f64() => {
            let plain = [0.0, -0.0, 1.0, -1.0, 0.5, 1e-300, 1e300, 1e-7, 37.5, -1e9].map(|x| json!(x));
            let other = ["nan", "inf", "-inf"].map(|x| json!(x));
            *value = draws.pick(&if draws.real { [&plain[..], &other].concat() } else { plain.to_vec() });
        }
        Value::Number(_) => *value = json!(draws.pick(&[0_u64, 1, 2, 7, 64, 1000, 1_000_000])),
        Value::String(word) => {
            if let Some(words) = WORDS.iter().find(|words| words.contains(&word.as_str())) {
                draws.pick(words).clone_into(word);
            }
        }
        Value::Null => {}
    }
}

/// The healthy evidence with some measurements disturbed and some lacking.
fn disturbed(seed: u64) -> Measured {
    let draws = &mut Draws { state: seed, real: true };
    let mut measured = healthy();
    let location = json!({"module": "fc", "file": null, "line": null});
    let first = json!({"step": 1, "phase": "loss", "node": "fc", "operator": "", "location": location, "largest_parameter": 1.5});
    let collapse = json!({
        "operator": "aten.select.int", "kind": draws.pick(&[Value::Null, json!("norm"), json!("relu")]), "by_parameters": false,
        "location": location, "reads": 0.4, "gives": 0.0, "trained": draws.pick(&[0.0, 0.3]),
    });
    measured.get_mut("sample-differences").unwrap()["collapse"] = draws.pick(&[Value::Null, collapse]);
    measured.insert("non-finite".to_owned(), json!({"steps": 60, "first": draws.pick(&[Value::Null, first])}));
    let functions = [json!([]), json!(["softmax"]), json!(["relu", "log-softmax"])].map(|functions| {
        let trailing = |function: &Value| json!({"function": function, "location": location});
        functions.as_array().unwrap().iter().map(trailing).collect::<Vec<_>>()
    });
    measured.get_mut("logits").unwrap()["trailing"] = json!(draws.pick(&functions));
    set(
        &mut measured,
        "identical-samples",
        "/conflicting",
        &json!(draws.pick(&[vec![], (0..5).collect(), (0..300).collect::<Vec<u64>>()])),
    );
    watch(&mut measured, draws);
    measured.retain(|_, _| draws.below(8) > 0);
    for (measurement, value) in &mut measured {
        if draws.below(3) > 0 {
            draws.real = measurement != "job";
            disturb(measurement, "", value, draws);
        }
    }
    measured
}

/// Faults of the loop that no change of a single leaf makes, and parts of its record that are unknown.
fn watch(measured: &mut Measured, draws: &mut Draws) {
    let seen = measured.get_mut("training-loop").unwrap();
    let parameters = ["conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "fc.weight", "fc.bias"];
    seen["optimizer"]["missing"] = json!(&parameters[draws.pick(&[0, 4, 6, 6])..]);
    seen["gradients"]["without"] = json!(&parameters[draws.pick(&[0, 3, 6, 6])..]);
    seen["gradients"]["precision"] = json!(draws.pick(&["float16", "float32"]));
    seen["gradients"]["zero_share"] = json!(draws.pick(&[0.0, 0.1, 0.8]));
    seen["remade"] = json!(draws.pick(&[0, 0, 1, 6]));
    seen["unregistered"] = draws.pick(&[Value::Null, Value::Null, json!({"tensors": 4, "values": 300})]);
    seen["gradients"]["scaled"] = json!(draws.below(2) == 0);
    seen["gradients"]["scaler_steps"] = json!(draws.pick(&[0, 40]));
    seen["loader"]["passes"] = json!(6);
    seen["loader"]["empty_passes"] = json!(draws.pick(&[0, 0, 5]));
    seen["criterion"]["between"] = draws.pick(&[Value::Null, Value::Null, json!("softmax"), json!("argmax")]);
    let shapes = [json!([[32, 2], [32]]), json!([[32, 1], [32]]), json!([[32, 2], [32, 1]]), json!([[], []])];
    let shapes = draws.pick(&shapes);
    (seen["criterion"]["outputs"], seen["criterion"]["targets"]) = (shapes[0].clone(), shapes[1].clone());
    for part in [
        "modes",
        "optimizer",
        "gradients",
        "schedule",
        "criterion",
        "metric",
        "validation",
        "distributed",
        "loss_location",
        "changed_share",
    ] {
        if draws.below(12) == 0 {
            seen[part] = Value::Null;
        }
    }
}

/// Gives every class another name, wherever names of classes are evidence.
fn rename(measured: &mut Measured, name: &str) {
    let renamed = |value: &mut Value| *value = json!(format!("{name}{}", value.as_str().unwrap_or_default()));
    let each = |value: Option<&mut Value>, path: &[&str]| {
        for item in value.and_then(Value::as_array_mut).into_iter().flatten() {
            for key in path {
                renamed(&mut item[*key]);
            }
        }
    };
    each(measured.get_mut("class-counts").and_then(|v| v.get_mut("classes")), &["name"]);
    each(measured.get_mut("label-names").and_then(|v| v.get_mut("examples")), &["named", "labelled"]);
    if let Some(classes) = measured.get_mut("job").and_then(|v| v["source"]["classes"].as_array_mut()) {
        classes.iter_mut().for_each(renamed);
    }
}

#[test]
fn the_disturbed_evidence_makes_every_check_fire_and_every_check_clear() {
    let all: Vec<Evidence> = (0..300).map(|seed| evidence(&disturbed(seed))).collect();
    for check in checks() {
        let fired = all.iter().filter_map(|evidence| judge(check, evidence)).filter(|judgement| judgement.finding().is_some()).count();
        let judged = all.iter().filter_map(|evidence| judge(check, evidence)).count();
        assert!(fired > 0 && fired < judged, "{} fires {fired} times of {judged}", check.name());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_check_panics_and_all_findings_can_be_printed(seed: u64) {
        findings(&evidence(&disturbed(seed)));
    }

    #[test]
    fn verdicts_do_not_change_when_classes_are_renamed(seed: u64, name in "[a-z]{1,12}") {
        let mut measured = disturbed(seed);
        let verdict = |(name, f): (&'static str, Finding)| (name, f.severity, f.strength.to_bits(), f.measured, format!("{:?}", f.remedy));
        let before: Vec<_> = findings(&evidence(&measured)).into_iter().map(verdict).collect();
        rename(&mut measured, &name);
        let after: Vec<_> = findings(&evidence(&measured)).into_iter().map(verdict).collect();
        prop_assert_eq!(before, after);
    }
}

/// Evidence of a fault that is nought at 0 and as large as can be at 1.
type Fault = fn(&mut Measured, f64);

fn set(measured: &mut Measured, measurement: &str, pointer: &str, value: &Value) {
    let root = measured.get_mut(measurement).unwrap();
    root.pointer_mut(pointer).unwrap_or_else(|| panic!("{measurement}{pointer}")).clone_from(value);
}

fn scale(measured: &mut Measured, measurement: &str, pointer: &str, factor: f64) {
    let value = measured[measurement].pointer(pointer).unwrap_or_else(|| panic!("{measurement}{pointer}")).as_f64().unwrap();
    set(measured, measurement, pointer, &json!(value * factor));
}

const FAULTS: [(&str, Fault); 32] = [
    ("unshuffled-batches", |m, x| set(m, "batch-labels", "/dominance", &json!(0.57 + 0.43 * x))),
    ("class-imbalance", |m, x| set(m, "class-counts", "/classes/0/listed", &json!((6000.0 * 1000_f64.powf(x)) as u64))),
    ("unreadable-images", |m, x| set(m, "unreadable-files", "/failed", &json!((1200.0 * x) as u64))),
    ("constant-inputs", |m, x| set(m, "input-statistics", "/constant_share", &json!(x))),
    ("unnormalized-inputs", |m, x| {
        for figure in ["mean", "std", "min", "max"] {
            scale(m, "input-statistics", &format!("/channels/0/{figure}"), 1e4_f64.powf(x));
        }
    }),
    ("label-out-of-range", |m, x| set(m, "label-range", "/out_of_range", &json!((12_000.0 * x) as u64))),
    ("labels-disagree-with-names", |m, x| set(m, "label-names", "/disagreeing", &json!((900.0 * x) as u64))),
    ("bad-initialization", |m, x| {
        for tensor in 0..6 {
            for figure in ["mean", "std", "min", "max"] {
                scale(m, "parameters", &format!("/tensors/{tensor}/{figure}"), 1e-6_f64.powf(x));
            }
        }
    }),
    ("symmetric-initialization", |m, x| set(m, "parameters", "/tensors/0/distinct_units", &json!((16.0 - 15.0 * x) as u64))),
    ("dead-first-layer", |m, x| set(m, "activations", "/initial/1/dead_share", &json!(x))),
    ("dead-relu", |m, x| set(m, "activations", "/trained/3/dead_share", &json!(x))),
    ("vanishing-gradient", |m, x| scale(m, "gradients", "/parameters/0/mean_abs", 1e-12_f64.powf(x))),
    ("exploding-gradient", |m, x| scale(m, "gradients", "/total_norm", 1e9_f64.powf(x))),
    ("learning-rate-too-low", |m, x| set(m, "learning-rate-sweep", "/current", &json!(0.05 * 1e-8_f64.powf(x)))),
    ("learning-rate-too-high", |m, x| set(m, "learning-rate-sweep", "/current", &json!(0.05 * 1e4_f64.powf(x)))),
    ("conflicting-labels", |m, x| set(m, "identical-samples", "/conflicting", &json!((0..(1200.0 * x) as u64).collect::<Vec<_>>()))),
    ("train-eval-mismatch", |m, x| {
        let wrong = (162.0 * x) as u64;
        set(m, "calibration", "/kept/confusion", &json!([[162 - wrong, 36 + wrong], [33, 169]]));
    }),
    ("weights-not-loaded", |m, x| {
        for tensor in 0..3 {
            set(m, "reference", &format!("/tensors/{tensor}/correlation"), &json!(1.0 - x));
        }
    }),
    ("mixed-precision-underflow", |m, x| {
        set(m, "training-loop", "/gradients/precision", &json!("float16"));
        set(m, "training-loop", "/gradients/zero_share", &json!(x));
    }),
    ("gradient-clipping-too-tight", |m, x| scale(m, "training-loop", "/gradients/clip/max_norm", 1e-6_f64.powf(x))),
    ("parameters-missing-from-optimizer", |m, x| {
        set(m, "training-loop", "/optimizer/missing", &json!(vec!["fc.weight"; (6.0 * x) as usize]));
        set(m, "training-loop", "/optimizer/missing_values", &json!((7938.0 * x) as u64));
    }),
    ("ranks-see-same-data", |m, x| set(m, "training-loop", "/distributed/batches/same", &json!(x))),
    ("ranks-start-differently", |m, x| set(m, "training-loop", "/distributed/parameters/first", &json!(x))),
    ("gradients-not-synchronised", |m, x| set(m, "training-loop", "/distributed/parameters/change", &json!(x))),
    ("per-rank-batch-statistics", |m, x| {
        set(m, "training-loop", "/distributed/batch_norm/samples", &json!((32.0 - 31.0 * x) as u64));
    }),
    ("missing-zero-grad", |m, x| set(m, "training-loop", "/uncleared", &json!((39.0 * x) as u64))),
    ("gradients-cleared-before-step", |m, x| set(m, "training-loop", "/empty_steps", &json!((40.0 * x) as u64))),
    ("scheduler-kills-learning-rate", |m, x| scale(m, "training-loop", "/schedule/last", 1e-12_f64.powf(x))),
    ("train-validation-overlap", |m, x| set(m, "training-loop", "/validation/repeated", &json!((400.0 * x) as u64))),
    ("validation-prepared-differently", |m, x| {
        for figure in ["mean", "std", "min", "max"] {
            scale(m, "training-loop", &format!("/validation/held_out/{figure}"), 255_f64.powf(x));
        }
    }),
    ("accuracy-computed-wrong", |m, x| scale(m, "training-loop", "/metric/reported", 1.0 - x)),
    ("initial-loss-off-chance", |m, x| scale(m, "initial-loss", "/loss", 1e5_f64.powf(x))),
];

#[test]
fn strength_grows_with_the_fault_and_the_worst_fault_is_found() {
    for (name, fault) in FAULTS {
        let check = find(name).unwrap_or_else(|| panic!("no check {name}"));
        let strength = |x: f64| {
            let mut measured = healthy();
            fault(&mut measured, x);
            judge(check, &evidence(&measured)).unwrap().finding().map(|finding| finding.strength)
        };
        let strengths: Vec<Option<f64>> = (0..=50).map(|i| strength(f64::from(i) / 50.0)).collect();
        assert_eq!(strengths[0], None, "{name} fires on a healthy job");
        assert!(strengths.is_sorted(), "{name}: {strengths:?}");
        assert!(strengths[50] > Some(0.5), "{name}: {:?} for the worst fault", strengths[50]);
    }
}
