use std::fs;

use nanprobe_checks::recipe::{Loss, OptimizerKind};

use super::*;

/// A project folder with a nanprobe.toml and a folder `deep/er` in it.
fn project(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(FILE_NAME), text).unwrap();
    fs::create_dir_all(folder.path().join("deep/er")).unwrap();
    folder
}

fn flags(data: &str, model: &str) -> JobArgs {
    JobArgs { data: Some(data.into()), model: Some(model.into()), ..JobArgs::default() }
}

#[test]
fn flags_alone_are_enough() {
    let empty = tempfile::tempdir().unwrap();
    let settings = Settings::resolve(&flags("./train", "resnet18"), None, empty.path()).unwrap();
    assert_eq!(settings.data.path, Path::new("./train"));
    assert_eq!(settings.run, RunOptions { seed: 0, budget: BUDGET, seeds: 8, samples: 1000, held_out: 400, device: "auto".into() });
    assert!(!settings.given.image_size && settings.origin.is_none());
}

#[test]
fn the_file_is_found_upwards_and_its_paths_are_relative_to_it() {
    let project = project("[data]\ndata = \"train\"\n[model]\nmodel = \"mlp\"\n[train]\nimage-size = 16\n");
    let settings = Settings::resolve(&JobArgs::default(), None, &project.path().join("deep/er")).unwrap();
    assert_eq!(settings.data.path, project.path().join("train"));
    assert_eq!((settings.recipe.model.name.as_str(), settings.given.image_size), ("mlp", true));
    assert_eq!(settings.origin, Some(project.path().join(FILE_NAME)));

    let beside = Settings::resolve(&JobArgs::default(), None, project.path()).unwrap();
    assert_eq!(beside.data.path, Path::new("train"), "paths stay short where the file is in the working directory");
}

#[test]
fn a_demo_reads_no_file() {
    let error = Settings::of_flags(&JobArgs::default(), None).unwrap_err();
    assert!(matches!(error, ConfigError::Missing { key: "data", .. }));
    assert!(Settings::of_flags(&flags("d", "mlp"), None).unwrap().origin.is_none());
}

#[test]
fn flags_win_over_the_file() {
    let text = "[data]\ndata = \"a\"\n[model]\nmodel = \"mlp\"\ndetach = [\"fc1\"]\n\
                [train]\nloss = \"mse\"\noptimizer = \"adam\"\nshuffle = false\n[gate]\nfail-on = \"never\"\nselect = [\"data\"]\n";
    let project = project(text);
    let job = JobArgs { loss: Some(Loss::Bce), shuffle: true, detach: vec!["fc2".into()], ..flags("b", "lenet") };
    let report = GateArgs { fail_on: Some(FailOn::Warning), select: vec!["unshuffled-batches".into()], ..GateArgs::default() };
    let settings = Settings::resolve(&job, Some(&report), project.path()).unwrap();
    assert_eq!(settings.data.path, Path::new("b"));
    let recipe = &settings.recipe;
    assert_eq!((recipe.model.name.as_str(), recipe.loss, recipe.optimizer.kind), ("lenet", Loss::Bce, OptimizerKind::Adam));
    assert!(recipe.shuffle);
    assert_eq!(recipe.model.detach, ["fc2"]);
    assert_eq!((settings.gate.fail_on, settings.gate.select), (FailOn::Warning, vec!["unshuffled-batches".to_owned()]));
}

#[test]
fn what_nobody_says_is_asked_for_with_flag_and_key() {
    let empty = tempfile::tempdir().unwrap();
    let nothing = Settings::resolve(&JobArgs::default(), None, empty.path()).unwrap_err().to_string();
    assert_eq!(nothing, "no data given: pass `--data ./train`, or set `data = \"./train\"` under [data] in a nanprobe.toml here or above");
    let project = project("[data]\ndata = \"train\"\n");
    let no_model = Settings::resolve(&JobArgs::default(), None, project.path()).unwrap_err().to_string();
    assert_eq!(no_model, "no model given: pass `--model resnet18`, or set `model = \"resnet18\"` under [model] in nanprobe.toml");
}

#[test]
fn a_file_that_is_asked_for_must_be_there() {
    let empty = tempfile::tempdir().unwrap();
    let error = GateSettings::resolve(None, Some(Path::new("gone.toml")), empty.path()).unwrap_err().to_string();
    assert!(error.contains("gone.toml") && error.contains("--config"), "{error}");
}

#[test]
fn checks_are_selected_by_name_or_family_and_unknown_names_are_rejected() {
    let empty = tempfile::tempdir().unwrap();
    let check = nanprobe_checks::find("unshuffled-batches").unwrap();
    let gate = |select: &[&str], ignore: &[&str]| {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let report = GateArgs { select: names(select), ignore: names(ignore), ..GateArgs::default() };
        GateSettings::resolve(Some(&report), None, empty.path()).map(|settings| settings.gate.includes(check.name(), check.family()))
    };
    assert!(gate(&[], &[]).unwrap());
    assert!(gate(&["data"], &[]).unwrap());
    assert!(!gate(&["data"], &["unshuffled-batches"]).unwrap());
    let error = gate(&["unshufled-batches"], &[]).unwrap_err().to_string();
    assert_eq!(error, "--select: unknown check or family `unshufled-batches`; did you mean `unshuffled-batches`?");
}

#[test]
fn settings_survive_the_way_to_the_measuring_child() {
    let project = project("[checks.unshuffled-batches]\nexcess_dominance = 0.25\n");
    let settings = Settings::resolve(&flags("./train", "resnet18"), None, project.path()).unwrap();
    let text = serde_json::to_string(&settings).unwrap();
    let back: Settings = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
    assert_eq!(back.limits["unshuffled-batches"]["excess_dominance"], 0.25);
}

#[test]
fn the_flag_quick_overrides_a_file_that_is_thorough() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(FILE_NAME), "[train]\nthorough = true\n").unwrap();
    let run = |job: &JobArgs| Settings::resolve(job, None, folder.path()).unwrap().run;
    assert_eq!((run(&flags("a", "mlp")).budget, run(&flags("a", "mlp")).seeds), THOROUGH);
    let quick = JobArgs { quick: true, ..flags("a", "mlp") };
    assert_eq!((run(&quick).budget, run(&quick).seeds), QUICK);
}
