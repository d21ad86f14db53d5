use nanprobe_checks::{Remedy, Severity};
use serde_json::json;

use super::*;

fn plugin(name: &str) -> Plugin {
    Plugin {
        name: name.to_owned(),
        command: vec!["cat".to_owned()],
        folder: PathBuf::new(),
        timeout: TIMEOUT,
        config: serde_json::Map::new(),
        place: "nanprobe.toml:3".to_owned(),
    }
}

fn finding(check: Option<&str>) -> serde_json::Value {
    let mut finding = json!({
        "status": "suspect", "severity": "warning", "strength": 7.0, "message": "m", "measured": "n", "fix": "f",
        "remedy": { "edit": "shuffle" }, "location": { "file": "train.py", "line": 3 }
    });
    if let Some(check) = check {
        finding["check"] = check.into();
    }
    finding
}

fn read(verdicts: &serde_json::Value) -> (Vec<Judged>, Vec<String>) {
    let answer = json!({ "schema": VERDICTS, "verdicts": verdicts });
    plugin("house-rules").read(answer.to_string().as_bytes()).unwrap()
}

#[test]
fn checks_are_named_behind_their_plug_in_and_its_only_one_like_it() {
    let (judged, unread) =
        read(&json!([finding(None), finding(Some("tiny-batches")), { "check": "x", "status": "clear", "measured": "y" }]));
    let names: Vec<&str> = judged.iter().map(|one| one.check.as_ref()).collect();
    assert_eq!((names, unread.len()), (vec!["house-rules", "house-rules/tiny-batches", "house-rules/x"], 0));
    let Some(found) = judged[0].finding() else { panic!("{:?}", judged[0].outcome) };
    assert_eq!((found.severity, found.strength, found.remedy.clone()), (Severity::Warning, 1.0, Some(Remedy::Shuffle)));
    assert_eq!(found.location.as_ref().and_then(|location| location.line), Some(3));
}

#[test]
fn a_verdict_that_cannot_be_read_costs_no_other() {
    let mut unknown_edit = finding(Some("a"));
    unknown_edit["remedy"]["edit"] = "pray".into();
    let (judged, unread) = read(&json!([unknown_edit, finding(Some("b")), finding(Some("b")), finding(Some("Not A Name")), 7]));
    assert_eq!(judged.iter().map(|one| one.check.as_ref()).collect::<Vec<_>>(), ["house-rules/b"]);
    for (problem, says) in unread.iter().zip(["number 1, that cannot be read: unknown variant `pray`", "twice", "`Not A Name`", "number 5"])
    {
        assert!(problem.contains(says), "`{says}` is not in: {problem}");
    }
    assert_eq!(unread.len(), 4);
}

#[test]
fn what_is_no_answer_is_told_apart() {
    let says = |text: &str| plugin("p").read(text.as_bytes()).unwrap_err();
    assert!(says(" \n").contains("answered nothing"));
    assert!(says("{\"schema\": \"nanprobe.verdicts/1\", \"verd").contains("only a part"));
    assert!(says("Traceback (most recent").contains("`Traceback (most recent`"));
    assert!(says("{\"schema\": \"nanprobe.verdicts/2\", \"verdicts\": []}").contains("`nanprobe.verdicts/2`"));
    assert!(says("\u{fffd}\u{fffd}").contains("no `nanprobe.verdicts/1` object"));
}

#[cfg(unix)]
#[test]
fn a_plug_in_that_failed_is_named_and_not_asked_again_while_the_others_answer() {
    let sh = |name: &str, script: &str| Plugin { command: ["sh", "-c", script].map(str::to_owned).into(), ..plugin(name) };
    let good =
        sh("good", r#"cat > /dev/null; echo '{"schema": "nanprobe.verdicts/1", "verdicts": [{"status": "clear", "measured": "all"}]}'"#);
    let bad = sh("bad", "echo oh no >&2; exit 4");
    let mut plugins = vec![&bad, &good];
    let mut problems = Vec::new();
    for _ in 0..2 {
        let judged = judge(&mut plugins, &Evidence::default(), &mut problems);
        assert_eq!(judged.iter().map(|one| one.check.as_ref()).collect::<Vec<_>>(), ["good"]);
    }
    assert_eq!(problems, ["plug-in `bad` (nanprobe.toml:3) ended with exit code 4; it wrote: oh no; its checks were not judged"]);
}

#[cfg(unix)]
#[test]
fn the_configuration_comes_first_and_the_evidence_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let script = "cat > seen; exit 1".to_owned();
    let config = json!({ "least": 4 }).as_object().unwrap().clone();
    let one = Plugin { command: vec!["sh".to_owned(), "-c".to_owned(), script], folder: folder.path().to_owned(), config, ..plugin("p") };
    let evidence = crate::diagnose::stored(include_str!("../../checks/tests/healthy.jsonl")).unwrap();
    judge(&mut vec![&one], &evidence, &mut Vec::new());
    let seen = std::fs::read_to_string(folder.path().join("seen")).unwrap();
    let (hello, rest) = seen.split_once('\n').unwrap();
    assert_eq!(serde_json::from_str::<Hello>(hello).unwrap().config["least"], 4);
    let back = crate::diagnose::stored(rest).unwrap();
    assert_eq!(serde_json::to_value(back.records().unwrap()).unwrap(), serde_json::to_value(evidence.records().unwrap()).unwrap());
}

#[test]
fn names_are_in_kebab_case() {
    for name in ["a", "tiny-batches", "x2"] {
        assert_eq!(well_formed(name), Ok(()), "{name}");
    }
    for name in ["", "Tiny", "a b", "-a", "a-", "2x", "a/b", &"a".repeat(61)] {
        assert!(well_formed(name).is_err(), "{name}");
    }
}
