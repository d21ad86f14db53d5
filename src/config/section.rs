//! A table of `nanprobe.toml`, read key by key, so that every complaint names its file, line and key.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::Date;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::value::{duration, duration_text, suggest};

/// The text of a configuration file, for line numbers.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub path: &'a Path,
    pub text: &'a str,
}

impl<'a> Source<'a> {
    pub fn parse(self) -> Result<DeTable<'a>, ConfigError> {
        DeTable::parse(self.text).map(Spanned::into_inner).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start).min(self.text.len());
            let start = self.text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
            let text = self.text[start..].lines().next().unwrap_or_default();
            let near = text.split_once('=').map_or(text, |(key, _)| key).trim();
            let problem = error.message().replace('\n', " ");
            ConfigError::Syntax { path: self.path.to_owned(), line: self.line(offset), near: near.to_owned(), problem }
        })
    }

    pub fn line(self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }

    pub fn unknown(self, kind: &'static str, key: &Spanned<impl AsRef<str>>, table: &str, hint: String) -> ConfigError {
        let (path, line) = (self.path.to_owned(), self.line(key.span().start));
        let within = if table.is_empty() { String::new() } else { format!(" in [{table}]") };
        ConfigError::Unknown { path, line, kind, key: key.get_ref().as_ref().to_owned(), within, hint }
    }

    pub fn wrong(self, key: String, offset: usize, problem: String) -> ConfigError {
        ConfigError::Value { path: self.path.to_owned(), line: self.line(offset), key, problem }
    }
}

/// One table. Each getter answers `None` where the key is not there; what no getter asked for is unknown.
pub(super) struct Section<'a> {
    source: Source<'a>,
    name: String,
    table: Option<&'a DeTable<'a>>,
    /// Where it begins in the file.
    start: usize,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    /// The table of that name within `parent`; empty where it is not there.
    pub fn of(source: Source<'a>, parent: &'a DeTable<'a>, name: &str) -> Result<Self, ConfigError> {
        let table = parent.get(name).map(|value| {
            let found = value.get_ref();
            let wrong =
                || source.wrong(name.to_owned(), value.span().start, format!("expected a table ([{name}]), found {}", article(found)));
            found.as_table().ok_or_else(wrong)
        });
        let start = parent.get(name).map_or(0, |value| value.span().start);
        Ok(Self { source, name: name.to_owned(), table: table.transpose()?, start, asked: RefCell::default() })
    }

    /// The tables of the array of that name within `parent`; none where it is not there.
    pub fn each(source: Source<'a>, parent: &'a DeTable<'a>, name: &str) -> Result<Vec<Self>, ConfigError> {
        let Some(value) = parent.get(name) else { return Ok(Vec::new()) };
        let wrong = |value: &Spanned<DeValue>| {
            let problem = expected(&format!("an array of tables ([[{name}]])"), value.get_ref());
            source.wrong(name.to_owned(), value.span().start, problem)
        };
        let DeValue::Array(items) = value.get_ref() else { return Err(wrong(value)) };
        let section = |item: &'a Spanned<DeValue<'a>>| {
            let table = item.get_ref().as_table().ok_or_else(|| wrong(item))?;
            Ok(Self { source, name: name.to_owned(), table: Some(table), start: item.span().start, asked: RefCell::default() })
        };
        items.iter().map(section).collect()
    }

    /// The table of that name within this one; empty where it is not there.
    pub fn within(&self, key: &'static str) -> Result<Self, ConfigError> {
        let name = format!("{}.{key}", self.name);
        let table = self.value(key, |value| value.as_table().ok_or_else(|| expected(&format!("a table ([{name}])"), value)))?;
        Ok(Self { source: self.source, name, table, start: self.start, asked: RefCell::default() })
    }

    /// Where it begins, as `FILE:LINE`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.source.path.display(), self.source.line(self.start))
    }

    /// Its keys and values, in the order of the file.
    pub fn entries(&self) -> Vec<(&'a Spanned<std::borrow::Cow<'a, str>>, &'a Spanned<DeValue<'a>>)> {
        let mut entries: Vec<_> = self.table.into_iter().flat_map(DeTable::iter).collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries
    }

    fn get(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
        self.table?.get(key)
    }

    fn wrong(&self, key: &str, value: &Spanned<DeValue>, problem: String) -> ConfigError {
        self.source.wrong(format!("{}.{key}", self.name), value.span().start, problem)
    }

    /// A complaint of a value at a key within.
    pub fn wrong_at(&self, key: &str, value: &Spanned<DeValue>, problem: String) -> ConfigError {
        self.wrong(key, value, problem)
    }

    /// A value that must be there.
    pub fn needed<T>(&self, value: Option<T>, key: &str, example: &str) -> Result<T, ConfigError> {
        let missing = || self.source.wrong(format!("{}.{key}", self.name), self.start, format!("is missing; write `{key} = {example}`"));
        value.ok_or_else(missing)
    }

    /// A value that `read` understands; `read` answers with what it expects.
    fn value<T>(&self, key: &'static str, read: impl Fn(&'a DeValue<'a>) -> Result<T, String>) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        read(value.get_ref()).map(Some).map_err(|problem| self.wrong(key, value, problem))
    }

    /// A string that `read` accepts.
    pub fn text<T>(&self, key: &'static str, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, ConfigError> {
        self.value(key, |value| read(value.as_str().ok_or_else(|| expected("a string", value))?))
    }

    /// A string that parses.
    pub fn parsed<T: FromStr<Err: ToString>>(&self, key: &'static str) -> Result<Option<T>, ConfigError> {
        self.text(key, |text| text.parse().map_err(|error: T::Err| error.to_string()))
    }

    /// A number that `check` accepts.
    pub fn number(&self, key: &'static str, check: impl Fn(f64) -> Result<f64, String>) -> Result<Option<f64>, ConfigError> {
        self.value(key, |value| check(as_number(value).ok_or_else(|| expected("a number", value))?))
    }

    /// A whole number that is not negative.
    pub fn whole(&self, key: &'static str) -> Result<Option<u64>, ConfigError> {
        self.value(key, |value| as_whole(value).ok_or_else(|| expected("a whole number of 0 or more", value)))
    }

    /// A whole number from 1 that `check` accepts.
    pub fn count<T>(&self, key: &'static str, check: impl Fn(NonZeroUsize) -> Result<T, String>) -> Result<Option<T>, ConfigError> {
        self.value(key, |value| {
            let count = as_whole(value).and_then(|n| usize::try_from(n).ok()).and_then(NonZeroUsize::new);
            check(count.ok_or_else(|| expected("a whole number of 1 or more", value))?)
        })
    }

    /// A time: a string such as `90s`, or seconds.
    pub fn duration(&self, key: &'static str) -> Result<Option<Duration>, ConfigError> {
        self.value(key, |value| match (value.as_str(), as_number(value)) {
            (Some(text), _) => duration_text(text),
            (None, Some(seconds)) => duration(seconds),
            (None, None) => Err(expected("a time such as \"90s\"", value)),
        })
    }

    /// `true` or `false`.
    pub fn boolean(&self, key: &'static str) -> Result<Option<bool>, ConfigError> {
        self.value(key, |value| value.as_bool().ok_or_else(|| expected("`true` or `false`", value)))
    }

    /// Texts: an array of strings or numbers, or a single one; as a flag takes them.
    pub fn texts(&self, key: &'static str) -> Result<Vec<String>, ConfigError> {
        Ok(self.given_texts(key)?.unwrap_or_default())
    }

    /// Strings, at least one.
    pub fn strings(&self, key: &'static str) -> Result<Option<Vec<String>>, ConfigError> {
        self.value(key, |value| {
            let items = value.as_array().ok_or_else(|| expected("an array of strings", value))?;
            let one = |item: &Spanned<DeValue>| {
                item.get_ref().as_str().map(str::to_owned).ok_or_else(|| expected("strings only", item.get_ref()))
            };
            let texts = items.iter().map(one).collect::<Result<Vec<_>, _>>()?;
            if texts.is_empty() { Err("it is empty; name a program and its arguments".to_owned()) } else { Ok(texts) }
        })
    }

    /// A day that `check` accepts.
    pub fn date(&self, key: &'static str, check: impl Fn(Date) -> Result<Date, String>) -> Result<Option<Date>, ConfigError> {
        self.value(key, |value| {
            let day = match value {
                DeValue::Datetime(toml::value::Datetime { date: Some(day), time: None, offset: None }) => Some(day),
                _ => None,
            };
            let date = day.and_then(|day| Date::new(i16::try_from(day.year).ok()?, day.month as i8, day.day as i8).ok());
            check(date.ok_or_else(|| expected("a date such as 2026-01-31, without quotes", value))?)
        })
    }

    /// [`Self::texts`] where an empty list says something else than none.
    pub fn given_texts(&self, key: &'static str) -> Result<Option<Vec<String>>, ConfigError> {
        let one = |value: &DeValue| value.as_str().map(str::to_owned).or_else(|| as_whole(value).map(|n| n.to_string()));
        let read = |value: &DeValue| match value {
            DeValue::Array(items) => items.iter().map(|item| one(item.get_ref())).collect(),
            other => one(other).map(|text| vec![text]),
        };
        self.value(key, |value| read(value).ok_or_else(|| expected("an array of strings", value)))
    }

    /// [`Self::texts`] that `check` all accepts.
    pub fn names(&self, key: &'static str, check: impl Fn(&str) -> Result<(), String>) -> Result<Vec<String>, ConfigError> {
        let names = self.texts(key)?;
        match (names.iter().find_map(|name| check(name).err()), self.get(key)) {
            (Some(problem), Some(value)) => Err(self.wrong(key, value, problem)),
            _ => Ok(names),
        }
    }

    /// Pairs of a pattern and a number: a table, in the order of the file, or an array of `PATTERN=NUMBER`.
    pub fn pairs<T: FromStr<Err: ToString>>(&self, key: &'static str) -> Result<Vec<T>, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let texts = match value.get_ref().as_table() {
            None => self.texts(key)?,
            Some(table) => {
                let mut entries: Vec<_> = table.iter().collect();
                entries.sort_by_key(|(pattern, _)| pattern.span().start);
                let text = |(pattern, value): (&Spanned<_>, &Spanned<DeValue>)| {
                    let number = as_number(value.get_ref()).ok_or_else(|| self.wrong(key, value, expected("a number", value.get_ref())))?;
                    Ok(format!("{}={number}", pattern.get_ref()))
                };
                entries.into_iter().map(text).collect::<Result<_, ConfigError>>()?
            }
        };
        texts.iter().map(|text| text.parse().map_err(|error: T::Err| self.wrong(key, value, error.to_string()))).collect()
    }

    /// Complains of the first key that no getter asked for. `elsewhere` knows the tables of other keys.
    pub fn finish(self, elsewhere: impl Fn(&str) -> Option<&'static str>) -> Result<(), ConfigError> {
        let asked = self.asked.borrow();
        match self.entries().into_iter().find(|(key, _)| !asked.iter().any(|asked| asked == key.get_ref())) {
            None => Ok(()),
            Some((key, _)) => {
                let belongs = elsewhere(key.get_ref()).map(|table| format!("it belongs under [{table}]"));
                let hint = belongs.unwrap_or_else(|| suggest(key.get_ref(), asked.iter().copied()));
                Err(self.source.unknown("key", key, &self.name, hint))
            }
        }
    }
}

/// The value as JSON, for a check's limits.
pub(super) fn as_json(value: &Spanned<DeValue>) -> Result<serde_json::Value, String> {
    serde_json::Value::deserialize(toml::de::ValueDeserializer::from(value.clone())).map_err(|error| error.message().to_owned())
}

fn as_number(value: &DeValue) -> Option<f64> {
    match value {
        DeValue::Float(float) => float.as_str().parse().ok(),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|n| n as f64),
        _ => None,
    }
}

fn as_whole(value: &DeValue) -> Option<u64> {
    value.as_integer().and_then(|integer| u64::from_str_radix(integer.as_str(), integer.radix()).ok())
}

fn expected(what: &str, found: &DeValue) -> String {
    format!("expected {what}, found {}", article(found))
}

/// The value in words: short ones as they are, others by their type.
fn article(value: &DeValue) -> String {
    match value {
        DeValue::String(text) if text.len() <= 40 => format!("the string \"{text}\""),
        DeValue::Boolean(value) => format!("`{value}`"),
        DeValue::Integer(value) => format!("`{value}`"),
        DeValue::Float(value) => format!("`{value}`"),
        DeValue::Array(_) => "an array".to_owned(),
        other => format!("a {}", other.type_str()),
    }
}
