//! What is in force, and from where.

use serde_json::Value;

use super::page::{Page, Tone, clean};
use crate::config::{InForce, Origin};
use crate::report::numbers::plural;

/// Keys without which nothing can be diagnosed.
const NEEDED: [&str; 2] = ["data.data", "model.model"];
/// Columns that a value may take beside its key before its origin moves to a line below.
const VALUE: usize = 24;

/// The values for a terminal; those that nobody said anything of only if all are wanted.
pub fn config(in_force: &InForce, all: bool, width: usize, color: bool) -> String {
    let mut page = Page::new(width, color);
    let file = in_force.file.as_deref();
    let head = file.map_or_else(|| "no nanprobe.toml here or above; `nanprobe init` writes one".to_owned(), |file| format!("from {file}"));
    page.paragraph(Tone::Strong, &clean(&head));
    let key = in_force.values.iter().map(|setting| setting.key.len()).max().unwrap_or(0);
    let mut table = "";
    for setting in &in_force.values {
        let (own, _) = setting.key.split_once('.').unwrap_or((&setting.key, ""));
        // A default of nothing is only worth a line where everything is asked for.
        let unset = setting.from == Origin::Default && setting.value.is_null();
        let needed = NEEDED.contains(&setting.key.as_str());
        if unset && !all && !needed {
            continue;
        }
        if own != table {
            page.blank();
            table = own;
        }
        let tone = match setting.from {
            _ if unset && needed => Tone::Warning,
            Origin::Default => Tone::Dim,
            _ => Tone::Plain,
        };
        let from = if unset && needed { "not given, but needed".to_owned() } else { setting.from.in_words(file) };
        let text = format!("{:<VALUE$}  {from}", value(&setting.value));
        page.hanging(tone, &format!("{:key$}", setting.key), key + 2, &hard_spaces(&clean(&text)));
    }
    if !in_force.plugins.is_empty() {
        page.blank();
        page.paragraph(Tone::Strong, &format!("{}: programs that judging starts", plural(in_force.plugins.len(), "plug-in")));
        for plugin in &in_force.plugins {
            let asked = if plugin.asked { "" } else { ", not asked: left out by select or ignore" };
            let command = plugin.command.join(" ");
            let text = format!("{command} (in {}, {} s, {}{asked})", plugin.folder, plugin.timeout, plugin.place);
            page.hanging(Tone::Warning, &format!("  {}", plugin.name), key + 2, &clean(&text));
        }
    }
    if !in_force.accepted.is_empty() {
        page.blank();
        page.paragraph(Tone::Strong, &plural(in_force.accepted.len(), "accepted finding"));
        for accept in &in_force.accepted {
            let within =
                [&accept.module, &accept.file].into_iter().flatten().map(|place| format!(" in {place}")).collect::<Vec<_>>().concat();
            let text = format!("{} ({}{within}, {})", accept.reason, accept.date, accept.place);
            page.hanging(Tone::Plain, &format!("  {}", accept.check), key + 2, &clean(&text));
        }
    }
    if !all {
        page.blank();
        page.paragraph(Tone::Dim, "--all also lists what is not set and has no default");
    }
    page.finish()
}

/// A value as `nanprobe.toml` has it.
fn value(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(self::value).collect::<Vec<_>>().join(", "),
        Value::Object(entries) => entries.iter().map(|(key, one)| format!("{key} = {}", self::value(one))).collect::<Vec<_>>().join(", "),
        // 0.1 as 0.1, 120.0 as 120.
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string()),
        Value::Bool(value) => value.to_string(),
    }
}

/// Runs of spaces line columns up; wrapping must not eat them.
fn hard_spaces(text: &str) -> String {
    text.replace("  ", "\u{a0}\u{a0}")
}
