//! Who judges a job: the checks that the gate includes, with their limits, and the plug-ins.

use std::collections::BTreeMap;

use nanprobe_checks::{AnyCheck, Evidence};

use crate::config::Gate;
use crate::plugin::{self, Plugin};
use crate::rank::Judged;

/// The checks of one job.
pub struct Panel<'a> {
    gate: &'a Gate,
    limits: &'a BTreeMap<String, serde_json::Value>,
    /// Those that have not failed.
    plugins: Vec<&'a Plugin>,
}

impl<'a> Panel<'a> {
    /// What the gate includes of the checks and plug-ins. `limits` are those that differ from a check's defaults, by check.
    pub fn new(gate: &'a Gate, limits: &'a BTreeMap<String, serde_json::Value>, plugins: &'a [Plugin]) -> Self {
        Self { gate, limits, plugins: plugins.iter().filter(|plugin| gate.asks(&plugin.name)).collect() }
    }

    /// Every check, judged.
    pub fn judge(&mut self, evidence: &Evidence, problems: &mut Vec<String>) -> Vec<Judged> {
        let mut judged = Vec::new();
        for check in nanprobe_checks::checks().filter(|check| self.gate.includes(check.name(), check.family())) {
            match check.judge(evidence, self.limits.get(check.name())) {
                Ok(outcome) => judged.push(Judged { check: check.name().into(), family: check.family(), outcome }),
                Err(error) => problems.push(format!("limits of {}: {error}", check.name())),
            }
        }
        let of_plugins = plugin::judge(&mut self.plugins, evidence, problems);
        judged.extend(of_plugins.into_iter().filter(|one| self.gate.includes(&one.check, one.family)));
        judged
    }
}

/// Whether that check only guesses; a plug-in's does not.
pub fn guesses(check: &str) -> bool {
    nanprobe_checks::find(check).is_some_and(AnyCheck::guesses)
}
