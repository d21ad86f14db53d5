//! The lists of `nanprobe.toml`: accepted findings and plug-ins.

use std::path::Path;

use jiff::civil::Date;
use toml::de::DeTable;

use super::error::ConfigError;
use super::file::home;
use super::section::{Section, Source, as_json};
use super::value::suggest;
use crate::accept::Accept;
use crate::plugin::{self, Plugin};

/// The `[[plugin]]` entries; `folder` is that of the file.
pub(super) fn plugins(source: Source, root: &DeTable, folder: &Path) -> Result<Vec<Plugin>, ConfigError> {
    let mut plugins: Vec<Plugin> = Vec::new();
    for section in Section::each(source, root, "plugin")? {
        let of_others: Vec<&str> = plugins.iter().map(|plugin| plugin.name.as_str()).collect();
        let name = section.needed(section.text("name", |name| free(name, &of_others))?, "name", "\"house-rules\"")?;
        let command = section.needed(section.strings("command")?, "command", "[\"python3\", \"house_rules.py\"]")?;
        let timeout = section.duration("timeout")?.unwrap_or(plugin::TIMEOUT);
        let mut config = serde_json::Map::new();
        for (key, value) in section.within("config")?.entries() {
            let json = as_json(value).map_err(|problem| section.wrong_at(&format!("config.{}", key.get_ref()), value, problem))?;
            config.insert(key.get_ref().to_string(), json);
        }
        let place = section.place();
        section.finish(home)?;
        plugins.push(Plugin { name, command, folder: folder.to_owned(), timeout, config, place });
    }
    Ok(plugins)
}

/// A name that nothing else has.
fn free(name: &str, of_others: &[&str]) -> Result<String, String> {
    plugin::well_formed(name)?;
    if super::names().contains(&name) {
        return Err(format!("`{name}` is a check or family of checks already; give the plug-in a name of its own"));
    }
    if of_others.contains(&name) {
        return Err(format!("another plug-in is named `{name}`; give each a name of its own"));
    }
    Ok(name.to_owned())
}

/// The `[[accept]]` entries.
pub(super) fn accepts(source: Source, root: &DeTable, plugins: &[Plugin]) -> Result<Vec<Accept>, ConfigError> {
    let mut accepts = Vec::new();
    for section in Section::each(source, root, "accept")? {
        let check = section.needed(section.text("check", |name| known(name, plugins))?, "check", "\"class-imbalance\"")?;
        let reason = section.needed(section.text("reason", said)?, "reason", "\"the classes are as rare in use\"")?;
        let date = section.needed(section.date("date", past)?, "date", &today().to_string())?;
        let module = section.text("module", said)?;
        let file = section.text("file", said)?;
        let place = section.place();
        section.finish(home)?;
        accepts.push(Accept { check, reason, date: date.to_string(), module, file, place });
    }
    Ok(accepts)
}

/// A check's name, a built-in one's or one of a plug-in.
pub(super) fn known(name: &str, plugins: &[Plugin]) -> Result<String, String> {
    let of_plugin = plugins.iter().any(|plugin| name == plugin.name || name.split_once('/').is_some_and(|(of, _)| of == plugin.name));
    if of_plugin || nanprobe_checks::find(name).is_some() {
        return Ok(name.to_owned());
    }
    let checks: Vec<&str> = nanprobe_checks::checks().map(nanprobe_checks::AnyCheck::name).collect();
    let names = checks.into_iter().chain(plugins.iter().map(|plugin| plugin.name.as_str()));
    Err(format!("unknown check `{name}`; {}", suggest(name, names)))
}

/// A text that says something.
pub(super) fn said(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("it is empty; say something that a colleague understands".to_owned()) } else { Ok(text.to_owned()) }
}

/// The day it is, where the user is.
pub(super) fn today() -> Date {
    jiff::ZonedDateTime::now().date()
}

/// A day that has come. It may be tomorrow's: it already is, further east.
fn past(date: Date) -> Result<Date, String> {
    match today().tomorrow() {
        Ok(tomorrow) if date > tomorrow => Err(format!("{date} is still to come; give the day on which the finding was accepted")),
        _ => Ok(date),
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::ConfigFile;
    use super::*;

    fn read(text: &str) -> Result<ConfigFile, String> {
        ConfigFile::read(text, Path::new("project/nanprobe.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_plug_in_has_a_name_a_command_and_a_configuration_of_its_own() {
        let text = "[[plugin]]\nname = \"house-rules\"\ncommand = [\"python3\", \"rules.py\"]\n\n\
                    [[plugin]]\nname = \"other\"\ncommand = [\"./other\"]\ntimeout = \"90s\"\n[plugin.config]\nleast = 4\nnames = [\"a\"]\n";
        let [rules, other] = read(text).unwrap().plugins.try_into().unwrap();
        assert_eq!(
            (rules.command, rules.timeout, rules.config.len()),
            (vec!["python3".to_owned(), "rules.py".to_owned()], plugin::TIMEOUT, 0)
        );
        assert_eq!((rules.folder.as_path(), rules.place.as_str()), (Path::new("project"), "project/nanprobe.toml:1"));
        assert_eq!(
            (other.timeout.as_secs(), serde_json::Value::Object(other.config)),
            (90, serde_json::json!({"least": 4, "names": ["a"]}))
        );
    }

    #[test]
    fn a_plug_in_that_could_not_be_run_or_told_apart_is_refused() {
        let entry = |rest: &str| read(&format!("[[plugin]]\n{rest}\n")).unwrap_err();
        for (rest, says) in [
            ("command = [\"x\"]", &["nanprobe.toml:1:", "`plugin.name`", "is missing", "house-rules"][..]),
            ("name = \"rules\"", &["`plugin.command`", "is missing"]),
            ("name = \"rules\"\ncommand = []", &["nanprobe.toml:3:", "`plugin.command`", "empty"]),
            ("name = \"rules\"\ncommand = \"python3 rules.py\"", &["`plugin.command`", "an array of strings"]),
            ("name = \"dead-relu\"\ncommand = [\"x\"]", &["nanprobe.toml:2:", "`dead-relu` is a check"]),
            ("name = \"model\"\ncommand = [\"x\"]", &["`model` is a check or family"]),
            ("name = \"Rules\"\ncommand = [\"x\"]", &["`Rules` is no name"]),
            ("name = \"rules\"\ncommand = [\"x\"]\ntime-out = 3", &["nanprobe.toml:4:", "`time-out`", "did you mean `timeout`?"]),
            ("name = \"a\"\ncommand = [\"x\"]\n[[plugin]]\nname = \"a\"\ncommand = [\"x\"]", &["nanprobe.toml:5:", "another plug-in"]),
        ] {
            let error = entry(rest);
            assert!(says.iter().all(|text| error.contains(text)), "{rest}\n{error}");
        }
        let single = read("[plugin]\nname = \"a\"\n").unwrap_err();
        assert!(single.contains("nanprobe.toml:1:") && single.contains("[[plugin]]"), "{single}");
    }

    #[test]
    fn an_accepted_finding_has_a_check_a_reason_and_a_date() {
        let text = "[[plugin]]\nname = \"rules\"\ncommand = [\"x\"]\n\
                    [[accept]]\ncheck = \"class-imbalance\"\nreason = \"as in use\"\ndate = 2026-01-31\n\
                    [[accept]]\ncheck = \"rules/tiny\"\nreason = \"r\"\ndate = 2025-01-31\nmodule = \"fc\"\nfile = \"train.py\"\n";
        let [first, second] = read(text).unwrap().accepts.try_into().unwrap();
        let place = "project/nanprobe.toml:4".to_owned();
        let (reason, date) = ("as in use".to_owned(), "2026-01-31".to_owned());
        assert_eq!(first, Accept { check: "class-imbalance".to_owned(), reason, date, module: None, file: None, place });
        assert_eq!((second.check.as_str(), second.module.as_deref(), second.file.as_deref()), ("rules/tiny", Some("fc"), Some("train.py")));
    }

    #[test]
    fn what_is_accepted_without_a_check_a_reason_or_a_day_is_refused() {
        let whole = [("check", "\"class-imbalance\""), ("reason", "\"r\""), ("date", "2026-01-31")];
        let with = |key: &str, value: &str| {
            let lines = whole.iter().map(|(name, usual)| format!("{name} = {}\n", if *name == key { value } else { usual }));
            read(&format!("[[accept]]\n{}", lines.collect::<String>())).unwrap_err()
        };
        for (key, value, says) in [
            ("check", "\"class-imbalanse\"", &["nanprobe.toml:2:", "did you mean `class-imbalance`?"][..]),
            ("reason", "\" \"", &["nanprobe.toml:3:", "`accept.reason`", "empty"]),
            ("date", "\"2026-01-31\"", &["nanprobe.toml:4:", "a date such as 2", "the string"]),
            ("date", "2999-01-31", &["`accept.date`", "2999-01-31 is still to come"]),
            ("date", "2026-01-31T10:00:00", &["a date such as"]),
        ] {
            let error = with(key, value);
            assert!(says.iter().all(|text| error.contains(text)), "{key} = {value}\n{error}");
        }
        let no_reason = read("[[accept]]\ncheck = \"class-imbalance\"\ndate = 2026-01-31\n").unwrap_err();
        assert!(no_reason.contains("nanprobe.toml:1:") && no_reason.contains("`accept.reason`: is missing"), "{no_reason}");
    }
}
