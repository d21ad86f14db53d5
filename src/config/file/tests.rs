use super::*;

fn read(text: &str) -> Result<ConfigFile, ConfigError> {
    ConfigFile::read(text, Path::new("project/nanprobe.toml"))
}

fn error(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

const WHOLE: &str = r#"
[data]
data = "train"
val = "/mnt/val"
classes = [0, 6]
labels = '/([a-z]+)\.\d+\.jpg$'
format-hint = "webdataset"
samples = 500

[model]
model = "vgg11"
weights = "vgg11.safetensors"
outputs = 2
output-activation = "softmax"
detach = ["features"]
init = "normal:0.01"
batch-norm-momentum = 0.5
reference = "imagenet.safetensors"

[train]
loss = "nll"
optimizer = "adam"
lr = 1
momentum = 0.5
weight-decay = 1e-4
batch-size = 16
shuffle = false
image-size = 64
normalize = "0.5/0.25"
trainable = ["classifier", "features.28"]
training-mode = "eval"
evaluation-mode = "train"
device = "cuda:1"
seed = 7
budget = "90s"
quick = false
thorough = true

[train.lr-group]
"features.*" = 1e-5
"*" = 0x1

[train.loop]
backward = false
step = false
clear-gradients = false
clip-norm = 1e-3
lr-decay = 0.5

[gate]
fail-on = "warning"
select = "data"
ignore = ["unshuffled-batches"]

[checks.unshuffled-batches]
excess_dominance = 1
"#;

#[test]
fn every_key_has_the_name_and_the_form_of_its_flag() {
    let file = read(WHOLE).unwrap();
    let job = &file.job;
    assert_eq!(job.data.as_deref(), Some(Path::new("project/train")));
    assert_eq!(job.val.as_deref(), Some(Path::new("/mnt/val")));
    assert_eq!(job.weights.as_deref(), Some(Path::new("project/vgg11.safetensors")));
    assert_eq!(job.classes, ["0", "6"]);
    assert_eq!((job.lr, job.weight_decay, job.momentum, job.seed), (Some(1.0), Some(1e-4), Some(0.5), Some(7)));
    assert!(job.no_shuffle && !job.shuffle);
    let groups: Vec<_> = job.lr_group.iter().map(|group| (group.pattern.as_str(), group.lr)).collect();
    assert_eq!(groups, [("features.*", 1e-5), ("*", 1.0)], "in the order of the file: the first match counts");
    let faulty = LoopRecipe { backward: false, step: false, clear_gradients: false, clip_norm: Some(1e-3), lr_decay: 0.5 };
    assert_eq!(job.training_loop, faulty);
    assert_eq!(job.budget, Some(std::time::Duration::from_secs(90)));
    assert!(job.thorough && !job.quick);
    assert_eq!(
        (file.fail_on, file.select, file.ignore),
        (Some(FailOn::Warning), vec!["data".to_owned()], vec!["unshuffled-batches".to_owned()])
    );
    assert_eq!(file.limits["unshuffled-batches"], serde_json::json!({ "excess_dominance": 1 }));
}

#[test]
fn every_key_that_is_listed_is_read() {
    for (table, keys) in TABLES {
        for key in keys {
            let spelled = format!("\n{key} = ");
            let in_table = format!("[{table}.{key}]");
            assert!(WHOLE.contains(&spelled) || WHOLE.contains(&in_table), "{table}.{key} is not in the example");
        }
    }
}

#[test]
fn a_learning_rate_group_can_be_an_array_as_its_flag_is_repeated() {
    let file = read("[train]\nlr-group = [\"fc=1e-3\", \"*=0\"]").unwrap();
    assert_eq!(file.job.lr_group.len(), 2);
    assert!(error("[train]\nlr-group = [\"fc\"]").contains("PATTERN=LR"));
}

#[test]
fn a_loop_that_the_file_does_not_speak_of_is_sound() {
    assert_eq!(read("[train]\nlr = 1").unwrap().job.training_loop, LoopRecipe::default());
    let one = read("[train.loop]\nstep = false").unwrap().job.training_loop;
    assert_eq!(one, LoopRecipe { step: false, ..LoopRecipe::default() });
}

#[test]
fn broken_toml_names_the_line_and_the_key() {
    for (text, line, near) in [
        ("[data]\ndata = \n", 2, "data"),
        ("[train]\n\nloss = cross-entropy\n", 3, "loss"),
        ("[train\nlr = 1", 1, "[train"),
        ("[train]\nlr = 1\nlr = 2\n", 3, "lr"),
        ("[train]\nlr = \"1", 2, "lr"),
    ] {
        let error = error(text);
        let head = format!("project/nanprobe.toml:{line}: not valid TOML at `{near}`: ");
        assert!(error.starts_with(&head), "{text}\n{error}");
    }
}

#[test]
fn unknown_names_are_answered_with_the_nearest_or_their_place() {
    for (text, says) in [
        ("[train]\noptimiser = \"adam\"", ":2: unknown key `optimiser` in [train]; did you mean `optimizer`?"),
        ("[train]\nlr_group = []", ":2: unknown key `lr_group` in [train]; did you mean `lr-group`?"),
        ("[model]\nlr = 0.1", ":2: unknown key `lr` in [model]; it belongs under [train]"),
        ("[train.loop]\nclear_gradients = false", ":2: unknown key `clear_gradients` in [train.loop]; did you mean `clear-gradients`?"),
        ("[train]\nclip-norm = 1", ":2: unknown key `clip-norm` in [train]; it belongs under [train.loop]"),
        ("[train.loop]\nlr = 1", ":2: unknown key `lr` in [train.loop]; it belongs under [train]"),
        ("lr = 0.1", ":1: unknown table `lr`; it belongs under [train]"),
        ("[trian]\nlr = 0.1", ":1: unknown table `trian`; did you mean `train`?"),
        ("[gate]\nzzz = 1", ":2: unknown key `zzz` in [gate]; known: fail-on, select, ignore"),
        ("[checks.unshuffled-batch]", ":1: unknown check `unshuffled-batch` in [checks]; did you mean `unshuffled-batches`?"),
        (
            "[checks.unshuffled-batches]\nexcess-dominance = 0.4",
            ":2: unknown limit `excess-dominance` in [checks.unshuffled-batches]; did you mean `excess_dominance`?",
        ),
        ("[gate]\nselect = [\"datas\"]", "`gate.select`: unknown check or family `datas`; did you mean `data`?"),
        ("[model]\nmodel = \"resnet-18\"", ":2: `model.model`: unknown model `resnet-18`; did you mean `resnet18`?"),
    ] {
        let error = error(text);
        assert!(error.starts_with("project/nanprobe.toml:") && error.contains(says), "{text}\n{error}");
    }
}

#[test]
fn wrong_values_name_the_line_the_key_and_what_would_do() {
    for (text, says) in [
        ("[train]\n\nlr = \"fast\"", ":3: `train.lr`: expected a number, found the string \"fast\""),
        ("[train]\nlr = -1", ":2: `train.lr`: -1 is no rate"),
        ("[train]\nlr = nan", ":2: `train.lr`: NaN is no rate"),
        ("[train]\nbatch-size = 0", ":2: `train.batch-size`: expected a whole number of 1 or more, found `0`"),
        ("[train]\nbatch-size = 1.5", "found `1.5`"),
        ("[train]\nshuffle = \"no\"", ":2: `train.shuffle`: expected `true` or `false`, found the string \"no\""),
        ("[train]\nloss = \"crossentropy\"", ":2: `train.loss`: unknown loss `crossentropy`; use `cross-entropy`"),
        ("[train]\nnormalize = 0.5", "expected a string, found `0.5`"),
        ("[train]\nbudget = \"soon\"", ":2: `train.budget`: `soon` is no time; write it like 90s"),
        ("[train]\nbudget = true", "expected a time such as \"90s\", found `true`"),
        ("[train]\ndevice = \"gpu\"", "unknown device `gpu`"),
        ("[train]\nloop = 1", ":2: `train.loop`: expected a table ([train.loop]), found `1`"),
        ("[train.loop]\nstep = 0", ":2: `train.loop.step`: expected `true` or `false`, found `0`"),
        ("[train.loop]\nclip-norm = -1", ":2: `train.loop.clip-norm`: -1 is no norm"),
        ("[train.loop]\nlr-decay = 1.1", ":2: `train.loop.lr-decay`: 1.1 is no decay"),
        ("[train.lr-group]\nfc = \"slow\"", ":2: `train.lr-group`: expected a number"),
        ("[data]\nclasses = [[1]]", "expected an array of strings, found an array"),
        ("[data]\nformat-hint = \"manifets\"", "`data.format-hint`: unknown form `manifets`; did you mean `manifest`?"),
        ("[data]\nlabels = \"(\"", "`data.labels`: `(` is no regular expression"),
        ("[data]\nsamples = 3", "`data.samples`: 3 samples cannot tell"),
        ("data = \"./train\"", ":1: `data`: expected a table ([data]), found the string \"./train\""),
        ("[gate]\nfail-on = \"errors\"", "unknown severity `errors`; did you mean `error`?"),
        ("[checks]\nunshuffled-batches = 1", "expected a table ([checks.unshuffled-batches])"),
        ("[checks.unshuffled-batches]\nexcess_dominance = \"high\"", ":2: `checks.unshuffled-batches.excess_dominance`: invalid type"),
        ("[model]\nmodel = \"net.pth\"", "`model.model`: `net.pth` is not read as a model: export yours with `torch.export.save("),
    ] {
        let error = error(text);
        assert!(error.starts_with("project/nanprobe.toml:") && error.contains(says), "{text}\n{error}");
    }
}

#[test]
fn an_empty_list_of_trained_parameters_is_not_the_same_as_none() {
    let trainable = |text: &str| read(text).unwrap().job.trainable;
    assert_eq!(trainable("[train]\ntrainable = []"), Some(vec![]));
    assert_eq!(trainable("[train]\n"), None);
}
