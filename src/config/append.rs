//! Adding to a `nanprobe.toml`: the new entry goes to the end, and everything that the user wrote stays byte for byte.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::entries::{known, said, today};
use super::error::ConfigError;
use super::file::ConfigFile;
use super::{FILE_NAME, file};

/// A finding to accept, as the user names it.
#[derive(Clone, Copy, Debug)]
pub struct NewAccept<'a> {
    /// The check.
    pub check: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Only at these modules.
    pub module: Option<&'a str>,
    /// Only in this file.
    pub file: Option<&'a str>,
}

/// Adds an entry with today's date to the file given, else to the nearest one, else to a new one in `cwd`. The path, and what was added.
pub fn accept(new: NewAccept, given: Option<&Path>, cwd: &Path) -> Result<(PathBuf, String), ConfigError> {
    let path = given.map(|path| cwd.join(path)).or_else(|| file::nearest(cwd)).unwrap_or_else(|| cwd.join(FILE_NAME));
    let shown = path.strip_prefix(cwd).map_or_else(|_| path.clone(), Path::to_owned);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && given.is_none() => String::new(),
        read => read.map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?,
    };
    let plugins = ConfigFile::read(&text, &shown)?.plugins;
    known(new.check, &plugins).map_err(|problem| ConfigError::Argument { problem })?;
    said(new.reason).map_err(|problem| ConfigError::Flag { flag: "reason", problem })?;

    let entry = entry(new);
    let gap = if text.is_empty() || text.ends_with("\n\n") {
        ""
    } else if text.ends_with('\n') {
        "\n"
    } else {
        "\n\n"
    };
    // Read before it is written: a file with `accept = [...]` takes no more tables at its end.
    ConfigFile::read(&format!("{text}{gap}{entry}"), &shown)?;
    let append = || OpenOptions::new().append(true).create(true).open(&path)?.write_all(format!("{gap}{entry}").as_bytes());
    append().map_err(|source| ConfigError::Unwritable { path: path.clone(), source })?;
    Ok((shown, entry))
}

fn entry(new: NewAccept) -> String {
    let text = |value: &str| toml::Value::String(value.to_owned()).to_string();
    let narrowed = [("module", new.module), ("file", new.file)];
    let narrowed = narrowed.iter().filter_map(|(key, value)| Some(format!("{key} = {}\n", text((*value)?)))).collect::<String>();
    let (check, reason) = (text(new.check), text(new.reason));
    format!("[[accept]]\ncheck = {check}\n{narrowed}reason = {reason}\ndate = {}\n", today())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new<'a>(check: &'a str, reason: &'a str) -> NewAccept<'a> {
        NewAccept { check, reason, module: None, file: None }
    }

    #[test]
    fn an_entry_is_added_and_the_rest_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        fs::write(&path, "# mine\n[train]   # odd   spacing\nlr=1e-3").unwrap();
        let new = NewAccept { module: Some("fc"), ..new("class-imbalance", "as \"in use\"\nand \\ beyond") };
        let (shown, entry) = accept(new, None, folder.path()).unwrap();
        assert_eq!(shown, Path::new(FILE_NAME));
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("# mine\n[train]   # odd   spacing\nlr=1e-3\n\n{entry}"));
        let accepts = ConfigFile::read(&text, &path).unwrap().accepts;
        assert_eq!((accepts[0].reason.as_str(), accepts[0].module.as_deref()), ("as \"in use\"\nand \\ beyond", Some("fc")));
        assert_eq!(accepts[0].date, today().to_string());
    }

    #[test]
    fn without_a_file_one_is_made_and_a_second_entry_joins_the_first() {
        let folder = tempfile::tempdir().unwrap();
        accept(new("class-imbalance", "r"), None, folder.path()).unwrap();
        accept(new("dead-relu", "r"), None, folder.path()).unwrap();
        let path = folder.path().join(FILE_NAME);
        assert_eq!(ConfigFile::read(&fs::read_to_string(&path).unwrap(), &path).unwrap().accepts.len(), 2);
    }

    #[test]
    fn what_cannot_be_added_leaves_the_file_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let inline = "accept = [{ check = \"dead-relu\", reason = \"r\", date = 2026-01-31 }]\n";
        fs::write(&path, inline).unwrap();
        for (new, says) in [
            (new("dead-rely", "r"), "did you mean `dead-relu`?"),
            (new("dead-relu", "  "), "--reason: it is empty"),
            (new("dead-relu", "r"), "nanprobe.toml:3:"),
        ] {
            let error = accept(new, None, folder.path()).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), inline);
    }
}
