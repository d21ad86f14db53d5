//! Where experiments are made: the measuring process, asked within the time that is left.

use std::ops::Range;
use std::time::{Duration, Instant};

use nanprobe_checks::evidence::TrainingRun;
use nanprobe_checks::{Evidence, Remedy};

use crate::worker::{Cost, Exam, Message, Request, Worker};

/// Time for experiments.
struct Deadline {
    end: Instant,
    /// The longest that one training took.
    longest: Duration,
}

impl Deadline {
    /// Ends after `left`; `guess` is what one training takes until one has been timed.
    fn new(left: Duration, guess: Duration) -> Self {
        Self { end: Instant::now() + left, longest: guess }
    }

    /// Runs `work` of so many trainings if, by the longest so far, it would fit.
    fn run<T>(&mut self, trainings: usize, work: impl FnOnce() -> Option<T>) -> Option<T> {
        let start = Instant::now();
        if start + self.longest * trainings as u32 > self.end {
            return None;
        }
        let done = work();
        self.longest = self.longest.max(start.elapsed() / trainings.max(1) as u32);
        done
    }
}

/// The measuring process, and the time for asking it.
pub struct Bench<'a> {
    worker: Worker,
    deadline: Deadline,
    progress: &'a mut dyn FnMut(&str),
    /// What went wrong, in words.
    pub problems: &'a mut Vec<String>,
    trials: usize,
    /// Whether the process is gone: it is not asked again.
    gone: bool,
}

impl<'a> Bench<'a> {
    /// For so much time; `guess` is what one training takes.
    pub fn new(worker: Worker, left: Duration, guess: Duration, progress: &'a mut dyn FnMut(&str), problems: &'a mut Vec<String>) -> Self {
        Self { worker, deadline: Deadline::new(left, guess), progress, problems, trials: 0, gone: false }
    }

    /// What the process has trained so far.
    pub fn cost(&self) -> Cost {
        self.worker.cost()
    }

    /// Trains with remedies on some seeds; none where no time is left, no runs where the remedies fail.
    pub fn trial(&mut self, exam: Exam, remedies: &[Remedy], seeds: Range<usize>) -> Option<Vec<TrainingRun>> {
        self.trials += 1;
        let edits = if remedies.is_empty() { "as it is".to_owned() } else { remedies.iter().map(name).collect::<Vec<_>>().join(" + ") };
        let (how, trainings) = match exam {
            Exam::HeldOut => (String::new(), seeds.len()),
            Exam::ByHeart => ("by heart, ".to_owned(), seeds.len()),
            Exam::Longer(times) => (format!("{times} times the steps, "), seeds.len() * times as usize),
        };
        (self.progress)(&format!("experiment {}: {how}{edits}", self.trials));
        let request = Request::Trial { exam, remedies: remedies.to_vec(), seeds };
        match self.ask(trainings, &request)? {
            Message::Trial(trial) => Some(trial.runs),
            other => {
                self.problems.push(format!("an experiment was answered with {other:?}"));
                None
            }
        }
    }

    /// Asks for something that takes so many trainings, if there is time for it.
    fn ask(&mut self, trainings: usize, request: &Request) -> Option<Message> {
        if self.gone {
            return None;
        }
        let answer = self.deadline.run(trainings, || Some(self.worker.ask(request, self.progress)))?;
        self.gone = answer.is_err();
        answer.map_err(|error| self.problems.push(error.to_string())).ok()
    }

    /// The evidence of the mended job: the user's, with what changes measured anew.
    pub fn observe(&mut self, remedies: Vec<Remedy>, evidence: &Evidence) -> Option<Evidence> {
        (self.progress)("looking at the mended training");
        // A rate that was just tried needs no sweep; one that was chosen for the broken job does.
        let sweep = !remedies.iter().any(|remedy| matches!(remedy, Remedy::Optimizer { .. }));
        let Message::Observed(records) = self.ask(2, &Request::Observe { remedies, sweep })? else { return None };
        let mut mended = evidence.clone();
        records.into_iter().try_for_each(|record| mended.insert(record)).ok()?;
        Some(mended)
    }

    /// The controls that say what is left where nothing helped.
    pub fn controls(&mut self, evidence: &mut Evidence) {
        (self.progress)("looking for what is left");
        if let Some(Message::Observed(records)) = self.ask(2, &Request::Controls) {
            for record in records {
                if let Err(error) = evidence.insert(record) {
                    self.problems.push(error.to_string());
                }
            }
        }
    }
}

/// An edit's name, as its JSON tag has it.
fn name(remedy: &Remedy) -> String {
    let value = serde_json::to_value(remedy).unwrap_or_default();
    value.get("edit").and_then(|edit| edit.as_str()).unwrap_or("remedy").to_owned()
}
