//! The JSON Schema of an evidence stream's lines.

use schemars::generate::SchemaSettings;
use schemars::{Schema, json_schema};
use serde_json::{Map, Value, json};

use super::{Evidence, SCHEMA};

/// JSON Schema (draft 2020-12) of one line: a record of any of the measurements, or why one could not be taken.
pub fn schema() -> Schema {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let line = |measurement: Value, value: Value, more: Value| {
        let mut properties = Map::new();
        properties.insert("schema".to_owned(), json!({ "const": SCHEMA }));
        properties.insert("measurement".to_owned(), measurement);
        properties.insert("value".to_owned(), value);
        properties.extend(more.as_object().cloned().unwrap_or_default());
        json!({ "type": "object", "properties": properties })
    };
    let mut lines: Vec<Value> = Evidence::value_schemas(&mut generator)
        .into_iter()
        .map(|(name, title, value)| {
            let mut record = line(json!({ "const": name }), value.into(), json!({ "failure": { "type": "null" } }));
            record["title"] = name.into();
            record["description"] = title.into();
            record["required"] = json!(["schema", "measurement", "value"]);
            record
        })
        .collect();
    let mut failure = line(
        json!({ "type": "string", "description": "Name of the measurement." }),
        json!({ "type": "null" }),
        json!({ "failure": { "type": "string", "description": "Why it could not be taken." } }),
    );
    failure["title"] = "failure".into();
    failure["description"] = "a measurement that could not be taken".into();
    failure["required"] = json!(["schema", "measurement", "failure"]);
    lines.push(failure);
    json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Evidence",
        "description": "One line of evidence, as `nanprobe measure` writes it and `nanprobe judge` reads it: a measurement of one training job.",
        "anyOf": lines,
        "$defs": generator.take_definitions(true)
    })
}
