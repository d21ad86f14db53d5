//! Checks of other people: programs named under `[[plugin]]`, each asked for its verdicts on the evidence.
//!
//! A plug-in that fails in any way costs its own verdicts and nothing else; the report names it and says why. What it answers is
//! described in [`nanprobe_checks::plugin`].

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nanprobe_checks::plugin::{Answer, FAMILY, Hello, VERDICTS};
use nanprobe_checks::{Evidence, Judgement, Outcome};
use serde::Deserialize;

use crate::rank::Judged;

mod process;

use process::Bounds;

/// Time a plug-in has for its answer, unless `timeout` says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes that an answer may have. A thousand verdicts with long texts are one.
const MOST_BYTES: u64 = 8 << 20;
/// Names are at most this long, so that they fit into a table.
const LONGEST_NAME: usize = 60;

/// A program that judges.
#[derive(Clone, Debug, PartialEq)]
pub struct Plugin {
    /// Its name: of its only check, or what comes before the names of several.
    pub name: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Where it runs: the folder of the `nanprobe.toml` that names it.
    pub folder: PathBuf,
    /// Time for its answer.
    pub timeout: Duration,
    /// Its own configuration.
    pub config: serde_json::Map<String, serde_json::Value>,
    /// File and line that name it.
    pub place: String,
}

/// An answer as it arrives. Each verdict is read by itself, so that one that cannot be read costs no other.
#[derive(Deserialize)]
struct Answered {
    schema: String,
    verdicts: Vec<serde_json::Value>,
}

/// Verdicts and what could not be read of an answer, or why there is none.
type Asked = Result<(Vec<Judged>, Vec<String>), String>;

/// Asks every plug-in, all at once. What went wrong is added to the problems; a plug-in that failed once is not asked again.
pub fn judge(plugins: &mut Vec<&Plugin>, evidence: &Evidence, problems: &mut Vec<String>) -> Vec<Judged> {
    if plugins.is_empty() {
        return Vec::new();
    }
    let lines = match lines(evidence) {
        Ok(lines) => lines,
        Err(error) => {
            problems.push(format!("no plug-in was asked: the evidence cannot be written ({error})"));
            return Vec::new();
        }
    };
    let answers: Vec<Asked> = thread::scope(|scope| {
        let running: Vec<_> = plugins.iter().map(|plugin| scope.spawn(|| plugin.ask(&lines))).collect();
        running.into_iter().map(|one| one.join().unwrap_or_else(|_| Err("was not waited for to the end".to_owned()))).collect()
    });
    let mut judged: Vec<Judged> = Vec::new();
    let mut failed = Vec::new();
    for (plugin, answer) in plugins.iter().zip(answers) {
        let mut problem = |what: &str| problems.push(format!("plug-in `{}` ({}) {what}", plugin.name, plugin.place));
        match answer {
            Ok((answers, unread)) => {
                for what in &unread {
                    problem(what);
                }
                judged.extend(answers);
            }
            Err(what) => {
                problem(&format!("{what}; its checks were not judged"));
                failed.push(plugin.name.clone());
            }
        }
    }
    plugins.retain(|plugin| !failed.contains(&plugin.name));
    judged
}

fn lines(evidence: &Evidence) -> serde_json::Result<String> {
    let line = |record| serde_json::to_string(record).map(|line| line + "\n");
    evidence.records()?.iter().map(line).collect()
}

impl Plugin {
    /// Its verdicts, and what of its answer could not be read.
    fn ask(&self, evidence: &str) -> Asked {
        let hello = serde_json::to_string(&Hello::new(&self.name, self.config.clone())).map_err(|error| error.to_string())?;
        let input = Arc::from(format!("{hello}\n{evidence}").into_bytes());
        let (output, said) = process::run(&mut self.program(), input, Bounds { time: self.timeout, bytes: MOST_BYTES });
        let last_words = if said.is_empty() { String::new() } else { format!("; it wrote: {said}") };
        let output = output.map_err(|failure| format!("{failure}{last_words}"))?;
        self.read(&output).map_err(|problem| format!("{problem}{last_words}"))
    }

    fn program(&self) -> Command {
        let program = self.command.first().map_or("", String::as_str);
        // A path is relative to the file that names it; a bare name is looked for in PATH.
        let path = if Path::new(program).components().count() > 1 { self.folder.join(program) } else { program.into() };
        let path = if path.is_relative() && path.components().count() > 1 { std::path::absolute(&path).unwrap_or(path) } else { path };
        let mut command = Command::new(path);
        command.args(&self.command[1.min(self.command.len())..]);
        if !self.folder.as_os_str().is_empty() {
            command.current_dir(&self.folder);
        }
        command
    }

    fn read(&self, output: &[u8]) -> Asked {
        let start = || String::from_utf8_lossy(&output[..output.len().min(80)]).split_whitespace().collect::<Vec<_>>().join(" ");
        let answered: Answered = match serde_json::from_slice(output) {
            _ if output.trim_ascii().is_empty() => return Err(format!("answered nothing on standard output, not a `{VERDICTS}` object")),
            Ok(answered) => answered,
            Err(error) if error.is_eof() => return Err(format!("answered only a part of a JSON object: {error}")),
            Err(error) => return Err(format!("answered no `{VERDICTS}` object ({error}): `{}`", start())),
        };
        if answered.schema != VERDICTS {
            return Err(format!("answered in the version `{}`; this nanprobe reads `{VERDICTS}`", answered.schema));
        }
        let (mut judged, mut unread): (Vec<Judged>, Vec<String>) = (Vec::new(), Vec::new());
        for (number, value) in (1..).zip(answered.verdicts) {
            match serde_json::from_value::<Answer>(value).map_err(|error| error.to_string()).and_then(|answer| self.judged(answer)) {
                Ok(one) if judged.iter().any(|other| other.check == one.check) => {
                    unread.push(format!("answered for `{}` twice; the first answer counts", one.check));
                }
                Ok(one) => judged.push(one),
                Err(problem) => unread.push(format!("gave a verdict, number {number}, that cannot be read: {problem}")),
            }
        }
        Ok((judged, unread))
    }

    /// The verdict under its full name: the plug-in's own, or the check's behind it.
    fn judged(&self, answer: Answer) -> Result<Judged, String> {
        let (check, mut outcome) = answer.into_outcome();
        let check = match check {
            Some(check) if check != self.name => {
                well_formed(&check)?;
                format!("{}/{check}", self.name)
            }
            _ => self.name.clone(),
        };
        if let Outcome::Judged(Judgement::Suspect(finding)) = &mut outcome {
            finding.strength = finding.strength.clamp(0.0, 1.0);
        }
        Ok(Judged { check: check.into(), family: FAMILY, outcome })
    }
}

/// A name as checks have them: kebab case.
pub fn well_formed(name: &str) -> Result<(), String> {
    let letters = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if letters && name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.ends_with('-') && name.len() <= LONGEST_NAME {
        Ok(())
    } else {
        Err(format!(
            "`{name}` is no name of a check; use lower-case letters, digits and hyphens, at most {LONGEST_NAME}, such as `tiny-batches`"
        ))
    }
}

#[cfg(test)]
mod tests;
