//! What every check must have: a listing, a documented fault, a file of its own on one screen, limits that can be set.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use nanprobe_checks::check::SECTIONS;
use nanprobe_checks::{AnyCheck, Evidence, checks};

/// Every family with its folder, in the order of [`checks`].
const FAMILIES: [(&str, &str); 6] = [
    ("data", "data"),
    ("labels", "labels"),
    ("loop", "training_loop"), // `loop` is a word of the language and names no module.
    ("model", "model"),
    ("optimisation", "optimisation"),
    ("evaluation", "evaluation"),
];

/// Lines that a check may have, with its tests (STYLE.md: under 150).
const LONGEST: usize = 149;

fn file_of(check: &dyn AnyCheck) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let folder = FAMILIES.iter().find(|(family, _)| *family == check.family()).map_or("no such family", |(_, folder)| folder);
    source.join(folder).join(check.name().replace('-', "_")).with_extension("rs")
}

#[test]
fn every_file_of_a_family_is_a_listed_check_and_every_check_is_such_a_file() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = BTreeSet::new();
    for (_, folder) in FAMILIES {
        let entries = std::fs::read_dir(source.join(folder)).unwrap();
        files.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| path.file_name().unwrap() != "mod.rs"));
    }
    let listed: BTreeSet<PathBuf> = checks().map(file_of).collect();
    let unlisted: Vec<_> = files.difference(&listed).collect();
    let missing: Vec<_> = listed.difference(&files).collect();
    assert!(unlisted.is_empty(), "not in a CHECKS list under the name and family of the file: {unlisted:?}");
    assert!(missing.is_empty(), "listed, but the file named after the check is not there: {missing:?}");
    assert_eq!(listed.len(), checks().count(), "a check is listed twice");
}

#[test]
fn families_stand_together_and_causes_before_effects() {
    let mut families: Vec<&str> = checks().map(AnyCheck::family).collect();
    families.dedup();
    assert_eq!(families, FAMILIES.map(|(family, _)| family));
}

#[test]
fn every_check_fits_one_screen() {
    for check in checks() {
        let lines = std::fs::read_to_string(file_of(check)).unwrap().lines().count();
        assert!(lines <= LONGEST, "{} has {lines} lines, at most {LONGEST} are allowed", check.name());
    }
}

#[test]
fn every_check_documents_its_fault_in_all_sections() {
    for check in checks() {
        let (name, doc) = (check.name(), check.doc());
        let headings: Vec<&str> = doc.lines().filter_map(|line| line.trim().strip_prefix("## ")).collect();
        assert_eq!(headings, SECTIONS, "{name}: sections");
        let mut parts = doc.split("## ");
        let summary = parts.next().unwrap().trim();
        assert!(summary.ends_with('.') && summary.lines().count() == 1, "{name}: the first line is one sentence: {summary}");
        for part in parts {
            let (heading, text) = part.split_once('\n').unwrap();
            assert!(text.trim().len() > 40, "{name}: `{heading}` says nothing");
        }
    }
}

#[test]
fn every_check_reads_known_measurements() {
    for check in checks() {
        for need in check.needs() {
            assert!(Evidence::MEASUREMENTS.iter().any(|(name, _)| *name == need), "{}: unknown measurement {need}", check.name());
        }
    }
}

#[test]
fn limits_can_be_set_together_or_alone_and_unknown_ones_are_refused() {
    let nothing = Evidence::default();
    for check in checks() {
        let (name, limits) = (check.name(), check.default_limits());
        check.judge(&nothing, Some(&limits)).unwrap_or_else(|error| panic!("{name}: its own defaults are refused: {error}"));
        let limits = limits.as_object().unwrap_or_else(|| panic!("{name}: limits are a table"));
        for (key, value) in limits {
            let alone = serde_json::json!({ key: value });
            check.judge(&nothing, Some(&alone)).unwrap_or_else(|error| panic!("{name}: {key} alone is refused: {error}"));
        }
        let error = check.judge(&nothing, Some(&serde_json::json!({ "no_such_limit": 1 }))).expect_err(name).to_string();
        assert!(error.contains("no_such_limit"), "{name}: the unknown limit is not named: {error}");
    }
}

#[test]
fn every_limit_says_what_it_is_and_where_its_default_is_from() {
    for check in checks() {
        for (limit, _) in check.default_limits().as_object().unwrap() {
            let about = check.about_limit(limit);
            assert!(about.split_whitespace().count() >= 5 && about.ends_with('.'), "{}: {limit}: `{about}`", check.name());
        }
    }
}
