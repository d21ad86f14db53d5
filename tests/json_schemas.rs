//! The JSON Schemas in `docs/schema/` and the page of the report's fields, generated from the types; and that what nanprobe writes
//! and reads keeps to them.
//!
//! `NANPROBE_UPDATE=1 cargo test --test json_schemas` writes the generated files; without it the test fails where one is stale.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use jsonschema::Validator;
use nanprobe::schema::Format;
use nanprobe_checks::plugin::{Answer, Hello, Verdicts};
use nanprobe_checks::{Evidence, checks};
use serde_json::{Value, json};

/// Set to write the files instead of comparing them.
const UPDATE: &str = "NANPROBE_UPDATE";
/// What stands below this line on the page is generated.
const GENERATED: &str = "<!-- Generated from here on by tests/json_schemas.rs: NANPROBE_UPDATE=1 cargo test --test json_schemas -->";

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)
}

/// Asserts that a file has that text, or writes it.
#[track_caller]
fn fresh(path: &Path, wanted: &str) {
    if std::env::var_os(UPDATE).is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, wanted).unwrap();
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(found == wanted, "{} is stale; run {UPDATE}=1 cargo test --test json_schemas", path.display());
}

fn validator(format: Format) -> Validator {
    let schema: Value = serde_json::from_str(&format.text().unwrap()).unwrap();
    assert!(jsonschema::meta::is_valid(&schema), "{}: no valid schema", format.name());
    jsonschema::validator_for(&schema).unwrap()
}

#[track_caller]
fn keeps_to(validator: &Validator, value: &Value) {
    let errors: Vec<String> = validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

fn healthy() -> &'static str {
    include_str!("../checks/tests/healthy.jsonl")
}

fn evidence(text: &str) -> Evidence {
    nanprobe::diagnose::stored(text).unwrap()
}

#[test]
fn every_schema_is_checked_in_and_no_other() {
    for format in Format::value_variants() {
        fresh(&docs("schema").join(format!("{}.json", format.name())), &format.text().unwrap());
    }
    assert_eq!(fs::read_dir(docs("schema")).unwrap().count(), Format::value_variants().len(), "a file in docs/schema of no format");
}

#[test]
fn evidence_keeps_to_its_schema_line_by_line() {
    let validator = validator(Format::Evidence);
    for line in healthy().lines() {
        keeps_to(&validator, &serde_json::from_str(line).unwrap());
    }
    let mut failed = Evidence::default();
    failed.failures.insert("training".to_owned(), "out of memory".to_owned());
    for record in failed.records().unwrap() {
        keeps_to(&validator, &serde_json::to_value(record).unwrap());
    }
    let line: Value = serde_json::from_str(healthy().lines().next().unwrap()).unwrap();
    for (key, wrong) in [("schema", json!("nanprobe.evidence/0")), ("measurement", json!("weather")), ("value", json!({}))] {
        let mut broken = line.clone();
        broken[key] = wrong;
        assert!(!validator.is_valid(&broken), "{key} may be anything");
    }
}

#[test]
fn numbers_that_are_not_finite_are_strings_in_the_schema_too() {
    let validator = validator(Format::Evidence);
    let line = healthy().lines().find(|line| line.contains("\"initial-loss\"")).unwrap();
    let with = |loss: Value| {
        let mut record: Value = serde_json::from_str(line).unwrap();
        record["value"]["loss"] = loss;
        record
    };
    for loss in [json!(0.5), json!("nan"), json!("inf"), json!("-inf")] {
        keeps_to(&validator, &with(loss));
    }
    for loss in [json!("many"), json!(null)] {
        assert!(!validator.is_valid(&with(loss)));
    }
}

#[test]
fn a_report_keeps_to_its_schema_whatever_was_found() {
    let validator = validator(Format::Diagnosis);
    let unshuffled = healthy().replace("\"dominance\":", "\"dominance\":1.0,\"was\":");
    for text in [healthy(), "", unshuffled.as_str()] {
        let diagnosis = nanprobe::diagnose::judge_stored(&evidence(text), &nanprobe::config::GateSettings::default());
        let mut value: Value = serde_json::from_str(&nanprobe::report::json(&diagnosis).unwrap()).unwrap();
        keeps_to(&validator, &value);
        value["verdicts"][0]["status"] = json!("maybe");
        assert!(!validator.is_valid(&value));
    }
}

#[test]
fn what_plug_ins_read_and_answer_keeps_to_its_schema() {
    keeps_to(&validator(Format::Plugin), &serde_json::to_value(Hello::new("house-rules", serde_json::Map::new())).unwrap());
    let validator = validator(Format::Verdicts);
    for text in [healthy(), ""] {
        let evidence = evidence(text);
        let answers = checks().map(|check| Answer::of(check.name(), check.judge(&evidence, None).unwrap())).collect();
        keeps_to(&validator, &serde_json::to_value(Verdicts::new(answers)).unwrap());
    }
    let suspect = |remedy: Value| {
        let verdict = json!({
            "status": "suspect", "severity": "note", "strength": 0.5, "message": "m", "measured": "n", "fix": "f", "remedy": remedy
        });
        json!({ "schema": "nanprobe.verdicts/1", "verdicts": [verdict] })
    };
    keeps_to(&validator, &suspect(json!({ "edit": "normalize", "to": "imagenet" })));
    keeps_to(&validator, &suspect(json!(null)));
    assert!(!validator.is_valid(&suspect(json!({ "edit": "pray" }))));
}

#[test]
fn the_page_of_the_report_has_every_field() {
    let path = docs("report-format.md");
    let found = fs::read_to_string(&path).unwrap_or_default();
    let by_hand = found.split(GENERATED).next().unwrap_or_default().trim_end();
    let schema: Value = serde_json::from_str(&Format::Diagnosis.text().unwrap()).unwrap();
    fresh(&path, &format!("{by_hand}\n\n{GENERATED}\n\n{}", page(&schema)));
}

/// A section for the report, then one for each type within it, in the order in which they are first named.
fn page(schema: &Value) -> String {
    let mut text = String::from("## Every field\n\n");
    let mut sections = vec![("Diagnosis".to_owned(), schema)];
    let mut done = 0;
    while let Some((name, one)) = sections.get(done).cloned() {
        section(&mut text, &name, one);
        done += 1;
        for named in references(one) {
            if !sections.iter().any(|(other, _)| *other == named) {
                sections.push((named.clone(), &schema["$defs"][&named]));
            }
        }
    }
    text.trim_end().to_owned() + "\n"
}

/// Names of the types that a schema refers to, in order.
fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(entries) => {
            let own = entries.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/$defs/")).map(str::to_owned);
            let inner = entries.iter().filter(|(key, _)| *key != "$defs").flat_map(|(_, value)| references(value));
            own.into_iter().chain(inner).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// A doc comment on one line of a table.
fn meaning(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|")
}

fn section(text: &mut String, name: &str, schema: &Value) {
    write!(text, "### {name}\n\n{}\n\n", meaning(schema)).unwrap();
    fields(text, schema);
    for variant in ["oneOf", "anyOf"].iter().filter_map(|key| schema[*key].as_array()).flatten() {
        if let Some(values) = variant["enum"].as_array() {
            for value in values {
                writeln!(text, "- `{value}`").unwrap();
            }
        } else if !variant["const"].is_null() {
            writeln!(text, "- `{}`: {}", variant["const"], meaning(variant)).unwrap();
        } else if variant["properties"].is_object() {
            let tags = variant["properties"].as_object().unwrap().iter().filter_map(|(key, value)| Some((key, value.get("const")?)));
            let tags: Vec<String> = tags.map(|(key, value)| format!("`\"{key}\": {value}`")).collect();
            let own = variant["properties"].as_object().unwrap().iter().filter(|(_, value)| value.get("const").is_none());
            let own: Vec<String> = own
                .map(|(key, value)| format!("`{key}` ({}): {}", kind(value), meaning(value)).trim_end_matches(": ").to_owned())
                .collect();
            let (tags, own) = (tags.join(", "), own.join("; "));
            let parts: Vec<String> = [tags, meaning(variant), own].into_iter().filter(|part| !part.is_empty()).collect();
            writeln!(text, "- {}", parts.join(" ")).unwrap();
        } else {
            writeln!(text, "- {}", kind(variant)).unwrap();
        }
    }
    if !text.ends_with("\n\n") {
        text.push('\n');
    }
}

fn fields(text: &mut String, schema: &Value) {
    let Some(properties) = schema["properties"].as_object() else { return };
    *text += "| field | type | meaning |\n| --- | --- | --- |\n";
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in properties {
        let may = if required.contains(&name.as_str()) || kind(field).contains("null") { "" } else { ", may be left out" };
        writeln!(text, "| `{name}` | {}{may} | {} |", kind(field), meaning(field)).unwrap();
    }
    text.push('\n');
}

/// A field's type in a few letters, with links to the sections of others.
fn kind(schema: &Value) -> String {
    if let Some(path) = schema["$ref"].as_str() {
        let name = path.rsplit('/').next().unwrap_or_default();
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if !schema["const"].is_null() {
        return format!("`{}`", schema["const"]);
    }
    let choice = ["anyOf", "oneOf"].iter().find_map(|key| schema[*key].as_array());
    if let Some(choices) = choice {
        return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    let one = |name: &str| match name {
        "array" if schema["prefixItems"].is_array() => {
            let items: Vec<String> = schema["prefixItems"].as_array().into_iter().flatten().map(kind).collect();
            format!("[{}]", items.join(", "))
        }
        "object" if schema["properties"].is_object() => {
            let entries = schema["properties"].as_object().into_iter().flatten();
            let entries: Vec<String> = entries.map(|(name, one)| format!("`{name}` ({}): {}", kind(one), meaning(one))).collect();
            format!("object with {}", entries.join(" "))
        }
        "array" => match (schema["minItems"].as_u64(), schema["maxItems"].as_u64()) {
            (Some(least), Some(most)) if least == most => format!("array of {}, {least} of them", kind(&schema["items"])),
            _ => format!("array of {}", kind(&schema["items"])),
        },
        other => other.to_owned(),
    };
    match &schema["type"] {
        Value::String(name) => one(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).map(one).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    }
}
