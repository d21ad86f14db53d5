//! The measuring child process and its JSON-lines protocol.
//!
//! libtorch can abort, run out of memory or hang; in a process of its own it takes nothing else down.
//! The child is this same program. Its first line of input is the settings; it answers with
//! [`Message`]s, evidence first, and then takes [`Request`]s until its input ends.

use std::io::{BufRead, BufReader, Write};
use std::ops::Range;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nanprobe_checks::Remedy;
use nanprobe_checks::evidence::{Record, TrainingRun};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::config::Settings;

/// From the measuring process.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// What is being done.
    Stage(String),
    /// A measurement.
    Record(Record),
    /// All measurements are taken.
    Measured,
    /// Nothing more can be measured, and why.
    Failed(String),
    /// An experiment's result.
    Trial(Trial),
    /// The evidence that was asked for.
    Observed(Vec<Record>),
    /// What it has cost so far.
    Cost(Cost),
}

/// To the measuring process.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// The baseline's training with remedies applied.
    Trial {
        /// What is trained on.
        exam: Exam,
        /// The remedies, applied in order.
        remedies: Vec<Remedy>,
        /// Which seeds, counted from the baseline's first.
        seeds: Range<usize>,
    },
    /// The evidence of one training with remedies applied.
    Observe {
        /// The remedies, applied in order.
        remedies: Vec<Remedy>,
        /// Whether to sweep the learning rate as well.
        sweep: bool,
    },
    /// The controls that no check reads.
    Controls,
}

/// What the measuring process has trained so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// Training steps, of every training and sweep.
    pub steps: u64,
    /// Seconds during which at least one training was making steps.
    pub seconds: f64,
}

/// What an experiment trains on and is scored on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exam {
    /// The baseline's training samples; scored on the held-out ones.
    HeldOut,
    /// A few samples again and again; scored on the same.
    ByHeart,
    /// The baseline's training samples for this many times the steps; scored on the held-out ones.
    Longer(u32),
}

/// The baseline's training with remedies applied, same seeds, samples and steps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Trial {
    /// One entry a seed; none where the remedy failed.
    pub runs: Vec<TrainingRun>,
}

/// Why the measuring process gives no more.
#[derive(Debug, Error)]
pub enum WorkerError {
    /// It cannot be started.
    #[error("cannot start the measuring process: {0}")]
    Start(#[source] std::io::Error),
    /// It ended.
    #[error("the measuring process {how} while {stage}{hint}")]
    Died {
        /// How it ended.
        how: String,
        /// What it was doing.
        stage: String,
        /// What to try, where that is known.
        hint: &'static str,
    },
    /// It says why itself.
    #[error("{0}")]
    Failed(String),
    /// It wrote something else.
    #[error("the measuring process wrote something unexpected while {stage}: {line}")]
    Garbage {
        /// What it was doing.
        stage: String,
        /// The line's beginning.
        line: String,
    },
}

/// The process to end on Ctrl-C; 0 where there is none.
static RUNNING: AtomicU32 = AtomicU32::new(0);

/// Whether a measuring process is running that [`stop`] would end.
pub fn running() -> bool {
    RUNNING.load(Ordering::SeqCst) != 0
}

/// Ends the measuring process, so that what arrived so far is reported. Safe to call from a signal handler's thread.
pub fn stop() {
    let pid = RUNNING.load(Ordering::SeqCst);
    if pid != 0 {
        // The standard library cannot signal a process that another thread waits for.
        let _ = Command::new("kill").arg(pid.to_string()).status();
    }
}

/// The measuring process as its parent sees it.
pub struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    stage: String,
    cost: Cost,
}

impl Worker {
    /// Starts it on a job.
    pub fn start(settings: &Settings) -> Result<Self, WorkerError> {
        let program = std::env::current_exe().map_err(WorkerError::Start)?;
        let mut child = Command::new(program)
            .args(["measure", "--worker"])
            // OpenMP's threads spin while they wait; on a machine that is shared with anything else
            // that made training ten times slower. A user's own setting wins.
            .env("OMP_WAIT_POLICY", std::env::var_os("OMP_WAIT_POLICY").unwrap_or_else(|| "PASSIVE".into()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(WorkerError::Start)?;
        RUNNING.store(child.id(), Ordering::SeqCst);
        let missing = || WorkerError::Start(std::io::Error::other("no pipe"));
        let input = child.stdin.take().ok_or_else(missing)?;
        let output = child.stdout.take().ok_or_else(missing)?;
        let mut worker =
            Self { child, input: Some(input), output: BufReader::new(output), stage: "starting".to_owned(), cost: Cost::default() };
        worker.send(settings)?;
        Ok(worker)
    }

    fn send(&mut self, value: &impl Serialize) -> Result<(), WorkerError> {
        let line = serde_json::to_string(value).map_err(|error| WorkerError::Failed(error.to_string()))?;
        let sent = self.input.as_mut().map(|input| writeln!(input, "{line}").and_then(|()| input.flush()));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(self.died()),
        }
    }

    /// The next message; a stage is shown to `progress` and passed over.
    pub fn receive(&mut self, progress: &mut dyn FnMut(&str)) -> Result<Message, WorkerError> {
        loop {
            let mut line = String::new();
            if !matches!(self.output.read_line(&mut line), Ok(n) if n > 0) {
                return Err(self.died());
            }
            match serde_json::from_str(&line) {
                Ok(Message::Stage(stage)) => {
                    progress(&stage);
                    self.stage = stage;
                }
                Ok(Message::Cost(cost)) => self.cost = cost,
                Ok(Message::Failed(why)) => return Err(WorkerError::Failed(why)),
                Ok(message) => return Ok(message),
                Err(_) => {
                    let line = line.trim().chars().take(120).collect();
                    return Err(WorkerError::Garbage { stage: self.stage.clone(), line });
                }
            }
        }
    }

    /// What it has trained so far.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// Asks for something and waits for the answer.
    pub fn ask(&mut self, request: &Request, progress: &mut dyn FnMut(&str)) -> Result<Message, WorkerError> {
        self.send(request)?;
        self.receive(progress)
    }

    fn died(&mut self) -> WorkerError {
        self.input = None;
        let (how, hint) = match self.child.wait() {
            Ok(status) => describe(status),
            Err(error) => (format!("cannot be waited for ({error})"), ""),
        };
        WorkerError::Died { how, stage: self.stage.clone(), hint }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.input = None;
        RUNNING.store(0, Ordering::SeqCst);
        // It is idle or no longer wanted; it holds nothing that needs saving.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(unix)]
fn describe(status: ExitStatus) -> (String, &'static str) {
    use std::os::unix::process::ExitStatusExt;
    match status.signal() {
        Some(2 | 15) => ("was interrupted".to_owned(), ""),
        Some(9) => ("was killed (signal 9)".to_owned(), ": memory may have run out; try a smaller --image-size or --batch-size"),
        Some(signal) => (format!("died of signal {signal}"), ""),
        None => (format!("ended with exit code {}", status.code().unwrap_or_default()), ""),
    }
}

#[cfg(not(unix))]
fn describe(status: ExitStatus) -> (String, &'static str) {
    (format!("ended with {status}"), "")
}
