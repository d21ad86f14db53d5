//! A check that lives in a program of its own: it reads evidence on standard input and answers verdicts on standard output.
//!
//! The first line of its input is a [`Hello`]; every further line is a [`Record`](crate::evidence::Record). It answers with one JSON
//! object, [`Verdicts`]. [`serve`] makes such a program of a [`Check`].

use std::io::{self, BufRead, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::check::judge;
use crate::evidence::EvidenceError;
use crate::{Check, Evidence, Finding, Judgement, Outcome, evidence};

/// Version of the first line; changes when an old plug-in would misread it.
pub const HELLO: &str = "nanprobe.plugin/1";
/// Version of the answer; changes when an old nanprobe would misread it.
pub const VERDICTS: &str = "nanprobe.verdicts/1";
/// The family of every check that a plug-in brings.
pub const FAMILY: &str = "plugin";

/// The first line on a plug-in's standard input; evidence follows, a record a line.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Hello {
    /// Version of this line.
    #[schemars(extend("const" = HELLO))]
    pub schema: String,
    /// The plug-in's name in `nanprobe.toml`.
    pub plugin: String,
    /// Version of the evidence that follows.
    pub evidence: String,
    /// Version of the answer that is expected.
    pub verdicts: String,
    /// What stands under `[plugin.config]`; an empty object where nothing does.
    pub config: serde_json::Map<String, serde_json::Value>,
}

impl Hello {
    /// For a plug-in of that name with its own configuration.
    pub fn new(plugin: &str, config: serde_json::Map<String, serde_json::Value>) -> Self {
        let [schema, evidence, verdicts] = [HELLO, evidence::SCHEMA, VERDICTS].map(str::to_owned);
        Self { schema, plugin: plugin.to_owned(), evidence, verdicts, config }
    }
}

/// A plug-in's answer to the evidence: one JSON object on standard output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdicts {
    /// Version of this answer.
    #[schemars(extend("const" = VERDICTS))]
    pub schema: String,
    /// One entry a check.
    pub verdicts: Vec<Answer>,
}

impl Verdicts {
    /// Of this version.
    pub fn new(verdicts: Vec<Answer>) -> Self {
        Self { schema: VERDICTS.to_owned(), verdicts }
    }
}

/// What one check of a plug-in says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Answer {
    /// The measurement is within its limits.
    Clear {
        /// The check's name in kebab case; left out where the plug-in is one check of its own name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        check: Option<String>,
        /// The numbers that say so.
        measured: String,
    },
    /// The rule fires.
    Suspect {
        /// The check's name in kebab case; left out where the plug-in is one check of its own name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        check: Option<String>,
        /// What is wrong.
        #[serde(flatten)]
        finding: Finding,
    },
    /// A measurement was missing.
    NotMeasured {
        /// The check's name in kebab case; left out where the plug-in is one check of its own name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        check: Option<String>,
        /// Names of the missing measurements.
        missing: Vec<String>,
    },
}

impl Answer {
    /// A check's outcome under its name.
    pub fn of(check: &str, outcome: Outcome) -> Self {
        let check = Some(check.to_owned());
        match outcome {
            Outcome::Judged(Judgement::Clear { measured }) => Self::Clear { check, measured },
            Outcome::Judged(Judgement::Suspect(finding)) => Self::Suspect { check, finding: *finding },
            Outcome::NotMeasured { missing } => Self::NotMeasured { check, missing },
        }
    }

    /// The check's name as answered, and its outcome.
    pub fn into_outcome(self) -> (Option<String>, Outcome) {
        match self {
            Self::Clear { check, measured } => (check, Outcome::Judged(Judgement::Clear { measured })),
            Self::Suspect { check, finding } => (check, Outcome::Judged(finding.into())),
            Self::NotMeasured { check, missing } => (check, Outcome::NotMeasured { missing }),
        }
    }
}

/// Why a plug-in cannot answer.
#[derive(Debug, Error)]
pub enum PluginError {
    /// The input cannot be read, or nobody reads the answer.
    #[error("cannot talk to nanprobe: {0}")]
    Pipe(#[from] io::Error),
    /// Somebody else started it.
    #[error("the first line is no `{HELLO}` object ({0}): this program is a plug-in, name it under [[plugin]] in nanprobe.toml")]
    Hello(#[source] serde_json::Error),
    /// A line that is no evidence.
    #[error("line {line}: {source}")]
    Evidence {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        source: EvidenceError,
    },
    /// The configuration holds no limits of the check.
    #[error("[plugin.config]: {0}")]
    Limits(#[source] serde_json::Error),
    /// The answer cannot be written as JSON.
    #[error("cannot write the answer: {0}")]
    Answer(#[source] serde_json::Error),
}

/// Answers for a check on standard input and output, so that a `main` of one line is a plug-in. `[plugin.config]` holds the limits to
/// change.
pub fn serve<C: Check>() -> Result<(), PluginError> {
    answer::<C>(io::stdin().lock(), io::stdout().lock())
}

/// [`serve`] on any input and output.
pub fn answer<C: Check>(input: impl BufRead, mut output: impl Write) -> Result<(), PluginError> {
    let mut lines = input.lines();
    let hello: Hello = serde_json::from_str(&lines.next().transpose()?.unwrap_or_default()).map_err(PluginError::Hello)?;
    let mut evidence = Evidence::default();
    for (number, line) in (2..).zip(lines) {
        evidence.insert_line(&line?).map_err(|source| PluginError::Evidence { line: number, source })?;
    }
    let limits = (!hello.config.is_empty()).then_some(serde_json::Value::Object(hello.config));
    let outcome = judge::<C>(&evidence, limits.as_ref()).map_err(PluginError::Limits)?;
    let text = serde_json::to_string(&Verdicts::new(vec![Answer::of(C::NAME, outcome)])).map_err(PluginError::Answer)?;
    writeln!(output, "{text}")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::CHECKS;
    use crate::evidence::BatchLabels;
    use crate::{Judgement, describe};

    describe! {
        /// Batches are too small.
        TinyBatches, "plugin" / "tiny-batches"
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    pub struct Limits {
        least: u64,
    }

    impl Default for Limits {
        fn default() -> Self {
            Self { least: 4 }
        }
    }

    impl Check for TinyBatches {
        type Needs = BatchLabels;
        type Limits = Limits;

        fn judge(batches: &BatchLabels, limits: &Limits) -> Judgement {
            Judgement::clear(format!("batches of {}, at least {}", batches.batch_size, limits.least))
        }
    }

    const EVIDENCE: &str = include_str!("../tests/healthy.jsonl");

    fn answered(hello: &Hello, evidence: &str) -> Result<Verdicts, PluginError> {
        let mut output = Vec::new();
        let input = format!("{}\n{evidence}", serde_json::to_string(hello).unwrap());
        answer::<TinyBatches>(input.as_bytes(), &mut output)?;
        Ok(serde_json::from_slice(&output).unwrap())
    }

    fn hello(config: &serde_json::Value) -> Hello {
        Hello::new("house-rules", config.as_object().unwrap().clone())
    }

    #[test]
    fn a_check_answers_with_its_limits_from_the_configuration() {
        let says = |config| answered(&hello(&config), EVIDENCE).unwrap().verdicts;
        let clear = |measured: &str| vec![Answer::Clear { check: Some("tiny-batches".to_owned()), measured: measured.to_owned() }];
        assert_eq!(says(serde_json::json!({})), clear("batches of 32, at least 4"));
        assert_eq!(says(serde_json::json!({ "least": 64 })), clear("batches of 32, at least 64"));
    }

    #[test]
    fn without_its_measurement_it_says_what_is_missing() {
        let missing = vec!["batch-labels".to_owned()];
        let answers = answered(&hello(&serde_json::json!({})), "").unwrap().verdicts;
        assert_eq!(answers, [Answer::NotMeasured { check: Some("tiny-batches".to_owned()), missing }]);
    }

    #[test]
    fn a_wrong_limit_a_broken_line_and_a_foreign_caller_are_told_apart() {
        let limit = answered(&hello(&serde_json::json!({ "most": 1 })), "").unwrap_err().to_string();
        assert!(limit.contains("[plugin.config]") && limit.contains("most"), "{limit}");
        assert!(
            answered(&hello(&serde_json::json!({})), "\nwhat\n").unwrap_err().to_string().starts_with("line 3: not an evidence record")
        );
        let by_hand = answer::<TinyBatches>(EVIDENCE.as_bytes(), Vec::new()).unwrap_err().to_string();
        assert!(by_hand.contains("[[plugin]]"), "{by_hand}");
    }

    #[test]
    fn every_outcome_survives_the_way_through_an_answer() {
        let mut evidence = Evidence::default();
        for line in EVIDENCE.lines().map(|line| line.replace("\"dominance\":", "\"dominance\":1.0,\"was\":")) {
            evidence.insert_line(&line).unwrap();
        }
        let mut suspected = 0;
        for evidence in [evidence, Evidence::default()] {
            for check in CHECKS {
                let outcome = check.judge(&evidence, None).unwrap();
                suspected += usize::from(matches!(outcome, Outcome::Judged(Judgement::Suspect(_))));
                let text = serde_json::to_string(&Answer::of(check.name(), outcome.clone())).unwrap();
                let back: Answer = serde_json::from_str(&text).unwrap();
                assert_eq!(back.into_outcome(), (Some(check.name().to_owned()), outcome), "{text}");
            }
        }
        assert!(suspected > 0, "a finding is among them");
    }
}
