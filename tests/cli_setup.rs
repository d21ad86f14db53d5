//! What sets nanprobe up, from outside: `init`, `config`, accepted findings, schemas, the shell.

mod place;

use place::{Place, unshuffled, verdict};
use serde_json::{Value, json};

fn read(place: &Place, name: &str) -> String {
    std::fs::read_to_string(place.path().join(name)).unwrap()
}

const ACCEPTED: &str = "[[accept]]\ncheck = \"unshuffled-batches\"\nreason = \"the stream has no random access\"\ndate = 2026-01-31\n";

#[test]
fn init_writes_what_it_sees_and_config_shows_it() {
    let place = Place::new().with("train/cat/1.jpg", "").with("train/dog/1.jpg", "").with("train.py", "optim.Adam(p, lr=1e-3)\n");
    let run = place.run(&["init"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    for says in ["wrote nanprobe.toml", "data: train (image folder, 2 samples, classes cat, dog)", "script: train.py (optimizer, lr)"] {
        assert!(run.stdout.contains(says), "`{says}` is not in: {}", run.stdout);
    }
    let before = read(&place, "nanprobe.toml");
    place.run(&["init"]).refuses(&["nanprobe.toml is there already", "nanprobe config"]);
    assert_eq!(read(&place, "nanprobe.toml"), before);
    let shown = place.run(&["config", "--format", "json", "--lr", "0.5"]).json();
    let get = |key: &str| shown["values"].as_array().unwrap().iter().find(|setting| setting["key"] == key).unwrap();
    assert_eq!(get("train.lr"), &json!({ "key": "train.lr", "value": 0.5, "from": "flag", "flag": "--lr" }));
    assert_eq!((&get("train.optimizer")["value"], &get("train.optimizer")["from"]), (&json!("adam"), &json!("file")));
    assert_eq!(shown["schema"], "nanprobe.config/1");
}

#[test]
fn config_shows_values_plug_ins_and_accepted_findings_with_their_lines() {
    let text = format!(
        "[train]\nlr = 0.1\n\n[[plugin]]\nname = \"house-rules\"\ncommand = [\"python3\", \"rules.py\"]\n\n\
         [checks.dead-relu]\ndead_share = 0.9\n\n{ACCEPTED}"
    );
    let place = Place::new().with("nanprobe.toml", text).with("deeper/x", "");
    let run = place.run(&["config", "--optimizer", "adam", "--ignore", "plugin"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    insta::assert_snapshot!(run.stdout);
    let without = Place::new().run(&["config"]);
    assert!(without.stdout.starts_with("no nanprobe.toml here or above; `nanprobe init` writes one\n"), "{without:?}");
}

#[test]
fn an_accepted_finding_is_shown_and_does_not_fail() {
    let place = Place::new().with("e.jsonl", unshuffled()).with("nanprobe.toml", ACCEPTED);
    let run = place.run(&["judge", "e.jsonl"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.flat().starts_with("Nothing new: the one finding is accepted in nanprobe.toml"), "{run:?}");
    assert!(run.stdout.contains("(accepted)") && run.stdout.contains("2026-01-31"), "{run:?}");
    let json = place.run(&["judge", "e.jsonl", "--format", "json"]).json();
    let found = verdict(&json, "unshuffled-batches");
    assert_eq!((&found["status"], &found["severity"], &found["rank"]), (&json!("suspected"), &json!("error"), &Value::Null));
    assert_eq!(found["accepted"], json!({ "reason": "the stream has no random access", "date": "2026-01-31" }));
    assert_eq!(json["run"].get("stale_accepts"), None);
}

#[test]
fn a_stored_report_is_gated_by_what_is_accepted_now() {
    let place = Place::new().with("e.jsonl", unshuffled());
    let found = place.run(&["judge", "e.jsonl", "--format", "json"]);
    let place = place.with("report.json", &found.stdout);
    assert_eq!((found.code, place.run(&["report", "report.json"]).code), (Some(1), Some(1)));
    let place = place.with("nanprobe.toml", ACCEPTED);
    let again = place.run(&["report", "report.json"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let place = place.with("other.toml", "[gate]\nfail-on = \"never\"\n");
    assert_eq!(place.run(&["report", "report.json", "--config", "other.toml"]).code, Some(0));
}

#[test]
fn an_entry_that_covers_nothing_any_more_is_named_as_stale() {
    let stale = ACCEPTED.replace("unshuffled-batches", "dead-relu");
    let place = Place::new().with("e.jsonl", unshuffled()).with("nanprobe.toml", stale);
    let run = place.run(&["judge", "e.jsonl"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.flat().contains("no longer found: dead-relu (nanprobe.toml:1, accepted 2026-01-31)"), "{run:?}");
    let json = place.run(&["judge", "e.jsonl", "--format", "json"]).json();
    assert_eq!(json["run"]["stale_accepts"], json!(["dead-relu (nanprobe.toml:1, accepted 2026-01-31)"]));
}

#[test]
fn accept_adds_an_entry_that_then_counts() {
    let place = Place::new().with("e.jsonl", unshuffled()).with("nanprobe.toml", "# mine\n[gate]\nfail-on   =   \"error\"\n");
    let report = place.run(&["judge", "e.jsonl", "--format", "json"]).stdout;
    let place = place.with("report.json", report);
    let reason = ["--reason", "the stream has no \"random\" access"];
    place
        .run(&["accept", "dead-relu", reason[0], reason[1], "--report", "report.json"])
        .refuses(&["report.json has no finding of `dead-relu`", "unshuffled-batches"]);
    place.run(&["accept", "unshufled-batches", reason[0], reason[1]]).refuses(&["did you mean `unshuffled-batches`?"]);
    let run = place.run(&["accept", "unshuffled-batches", reason[0], reason[1], "--report", "report.json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.starts_with("added to nanprobe.toml:\n\n[[accept]]\n"), "{run:?}");
    assert!(read(&place, "nanprobe.toml").starts_with("# mine\n[gate]\nfail-on   =   \"error\"\n\n[[accept]]\n"));
    assert_eq!(place.run(&["judge", "e.jsonl"]).code, Some(0));
}

#[test]
fn schema_prints_what_is_checked_in() {
    for (args, name) in [(&["schema"][..], "diagnosis"), (&["schema", "evidence"], "evidence"), (&["schema", "verdicts"], "verdicts")] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/schema/{name}.json"));
        assert!(Place::new().run(args).stdout == std::fs::read_to_string(path).unwrap(), "docs/schema/{name}.json is another");
    }
    Place::new().run(&["schema", "diagnoses"]).refuses(&["diagnosis"]);
}

#[test]
fn completions_and_manual_pages_know_every_subcommand() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let run = place.run(&["completions", shell]);
        assert!(run.code == Some(0) && run.stdout.contains("diagnose") && run.stdout.contains("fail-on"), "{shell}");
    }
    let page = place.run(&["man"]).stdout;
    assert!(page.contains(".TH nanprobe 1") && page.contains("Exit codes"), "{page}");
    assert_eq!(place.run(&["man", "share/man1"]).code, Some(0));
    let help = place.run(&["--help"]).stdout;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<&str> = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty())).collect();
    assert!(names.len() >= 14, "{names:?}");
    for name in names.iter().filter(|name| **name != "help") {
        assert!(read(&place, &format!("share/man1/nanprobe-{name}.1")).contains(".TH"), "{name}");
    }
}
