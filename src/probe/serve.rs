//! The measuring process's side of the protocol: evidence out, then experiments on request.

use std::io::{BufRead, Write};

use nanprobe_checks::evidence::Record;

use super::{ProbeError, Sink, controls, measure, observe, training};
use crate::config::Settings;
use crate::train::cost;
use crate::worker::{Message, Request, Trial};

/// Writes each message as one line at once.
struct Lines<W>(W);

impl<W: Write> Lines<W> {
    fn send(&mut self, message: &Message) -> Result<(), ProbeError> {
        let write = |error: &dyn std::fmt::Display| ProbeError::Write(error.to_string());
        let line = serde_json::to_string(message).map_err(|error| write(&error))?;
        writeln!(self.0, "{line}").and_then(|()| self.0.flush()).map_err(|error| write(&error))
    }
}

impl<W: Write> Sink for Lines<W> {
    fn record(&mut self, record: Record) -> Result<(), ProbeError> {
        self.send(&Message::Record(record))
    }

    fn stage(&mut self, text: &str) {
        // A closed pipe is noticed at the next record.
        let _ = self.send(&Message::Stage(text.to_owned()));
    }
}

/// Keeps the records of an observed training instead of sending them.
struct Kept(Vec<Record>);

impl Sink for Kept {
    fn record(&mut self, record: Record) -> Result<(), ProbeError> {
        self.0.push(record);
        Ok(())
    }

    fn stage(&mut self, _: &str) {}
}

/// Reads the settings from the first line, measures what checks read, then answers requests until the input ends.
pub fn serve(mut input: impl BufRead, output: impl Write) -> Result<(), ProbeError> {
    let mut lines = Lines(output);
    let mut line = String::new();
    let read = |error: std::io::Error| ProbeError::Write(error.to_string());
    input.read_line(&mut line).map_err(read)?;
    let settings: Settings = serde_json::from_str(&line).map_err(|error| ProbeError::Write(error.to_string()))?;
    let lab = match measure(&settings, &mut lines) {
        Ok(lab) => lab,
        Err(error) => return lines.send(&Message::Failed(error.to_string())),
    };
    lines.send(&Message::Cost(cost()))?;
    lines.send(&Message::Measured)?;
    for line in input.lines() {
        let request = serde_json::from_str(&line.map_err(read)?).map_err(|error| ProbeError::Write(error.to_string()))?;
        let answer = match request {
            Request::Trial { exam, remedies, seeds } => match training::trial(&lab, exam, &remedies, seeds) {
                Ok(trial) => Message::Trial(trial),
                // A remedy that crashes is a result: no run came through.
                Err(error) => {
                    lines.send(&Message::Stage(format!("an experiment failed: {error}")))?;
                    Message::Trial(Trial { runs: vec![] })
                }
            },
            Request::Observe { remedies, sweep } => {
                let mut kept = Kept(vec![]);
                observe(&lab, &remedies, sweep, &mut kept)?;
                Message::Observed(kept.0)
            }
            Request::Controls => {
                let mut kept = Kept(vec![]);
                controls(&lab, &mut kept)?;
                Message::Observed(kept.0)
            }
        };
        lines.send(&Message::Cost(cost()))?;
        lines.send(&answer)?;
    }
    Ok(())
}
