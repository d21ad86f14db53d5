//! Text for logs: one fact a line as `key: value`, one finding a block, nothing wrapped, drawn or coloured.
//!
//! The keys are ASCII, always in this order, and made to be searched for: `grep '^finding: '` lists what was found.

use super::escape::one_line;
use super::numbers::{count, loss, percent, plural, share_interval};
use super::ranked;
use crate::diagnosis::{Diagnosis, Status, Verdict};

/// The report for a log.
pub fn plain(diagnosis: &Diagnosis) -> String {
    let mut log = Log(String::new());
    log.put("headline", &diagnosis.headline);
    symptom(&mut log, diagnosis);
    for fix in &diagnosis.fixes {
        log.put("fix", &format!("{} ({}), then {}", fix.remedy, fix.check, percent(fix.accuracy.0)));
    }
    for problem in &diagnosis.run.problems {
        log.put("problem", problem);
    }
    for (_, verdict) in ranked::ranked(diagnosis) {
        log.0.push('\n');
        block(&mut log, diagnosis, verdict);
    }
    log.0.push('\n');
    for verdict in ranked::with_status(diagnosis, Status::Clear) {
        log.put("clear", &format!("{} ({})", verdict.check, verdict.measured));
    }
    for verdict in ranked::with_status(diagnosis, Status::NotMeasured) {
        log.put("not-measured", &format!("{} ({})", verdict.check, verdict.message));
    }
    conditions(&mut log, diagnosis);
    log.0
}

struct Log(String);

impl Log {
    /// A line, whatever the text: names and messages come from files. What is empty is left out.
    fn put(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.0.extend([key, ": ", &one_line(text), "\n"]);
        }
    }
}

fn symptom(log: &mut Log, diagnosis: &Diagnosis) {
    let Some(symptom) = &diagnosis.symptom else { return };
    let of = format!("of {} held out", count(symptom.samples));
    log.put("accuracy", &format!("{} {of} ({})", percent(symptom.accuracy.0), share_interval(symptom.interval)));
    log.put("chance", &format!("{}, majority class {}", percent(symptom.chance.0), percent(symptom.majority_rate.0)));
    let first = symptom.losses.first().map(|first| format!("{} -> ", loss(first.0))).unwrap_or_default();
    let trained = format!("{} x {} steps", plural(symptom.seeds as usize, "seed"), symptom.steps);
    log.put("loss", &format!("{first}{} in {trained}, ln(classes) {}", loss(symptom.loss.0), loss(symptom.ln_classes.0)));
}

fn block(log: &mut Log, diagnosis: &Diagnosis, verdict: &Verdict) {
    log.put(if verdict.status.is_finding() { "finding" } else { "harmless" }, &verdict.check);
    log.put("rank", &verdict.rank.map(|rank| format!("#{rank}")).unwrap_or_default());
    log.put("status", verdict.status.name());
    log.put("severity", verdict.severity.filter(|_| verdict.status.is_finding()).map_or("", ranked::severity));
    log.put("message", &verdict.message);
    log.put("measured", &verdict.measured);
    log.put("effect", &ranked::effect(diagnosis, verdict));
    log.put("to-do", &ranked::to_do(diagnosis, verdict));
    log.put("place", &verdict.location.as_ref().and_then(ranked::place).unwrap_or_default());
}

fn conditions(log: &mut Log, diagnosis: &Diagnosis) {
    log.put("command", &diagnosis.run.command);
    if let Some(job) = &diagnosis.job {
        log.put("model", &job.model);
        log.put("data", &format!("{} ({})", job.data, job.rule));
    }
    log.put("configuration", diagnosis.run.config.as_deref().unwrap_or_default());
    let run = &diagnosis.run.conditions;
    for lowered in &run.lowered {
        log.put("lowered", lowered);
    }
    let versions = run.versions.iter().map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(", ");
    log.put("versions", &versions);
    log.put("run", &format!("seed {}, {}, {}, {:.0} s", run.seed, run.device, plural(run.threads as usize, "thread"), diagnosis.run.spent));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn two_fixes_for_a_log() {
        insta::assert_snapshot!(plain(&samples::two_fixes()));
    }

    #[test]
    fn every_line_is_a_key_and_a_value_whatever_files_say() {
        let mut diagnosis = samples::two_fixes();
        diagnosis.verdicts[0].message = "a\nfinding: invented\u{1b}[31m".to_owned();
        for diagnosis in [diagnosis, samples::many_classes(), samples::died_early(), samples::healthy()] {
            let text = plain(&diagnosis);
            let findings = diagnosis.verdicts.iter().filter(|verdict| verdict.status.is_finding()).count();
            assert_eq!(text.lines().filter(|line| line.starts_with("finding: ")).count(), findings, "{text}");
            for line in text.lines().filter(|line| !line.is_empty()) {
                let (key, value) = line.split_once(": ").unwrap();
                assert!(key.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !value.trim().is_empty(), "{line}");
            }
            assert!(!text.contains('\u{1b}') && !text.contains("─"));
        }
    }
}
