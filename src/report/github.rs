//! Annotations for a GitHub Actions log: workflow commands, one a line.

use nanprobe_checks::Severity;

use super::place::Repository;
use super::ranked;
use crate::diagnosis::Diagnosis;
use crate::exit;

/// The headline, every finding that stands on its own, and what went wrong while measuring.
///
/// A finding without a line of its own is shown at the key of `nanprobe.toml` that describes it; one without either at the workflow.
pub fn github(diagnosis: &Diagnosis, repository: &Repository) -> String {
    let mut text = String::new();
    let level = if exit::is_too_little(diagnosis) { "error" } else { "notice" };
    command(&mut text, level, &[("title", "nanprobe")], &diagnosis.headline);
    let own = ranked::ranked(diagnosis)
        .into_iter()
        .map(|(_, v)| v)
        .filter(|v| v.status.is_finding() && v.explained_by.is_none() && v.accepted.is_none());
    for verdict in own {
        let level = match verdict.severity {
            Some(Severity::Error) => "error",
            Some(Severity::Warning) => "warning",
            Some(Severity::Note) | None => "notice",
        };
        let title = format!("{} ({})", verdict.check, verdict.status.name());
        let place = repository.line(diagnosis, verdict);
        let line = place.as_ref().and_then(|place| place.line).map(|line| line.to_string());
        let mut properties: Vec<(&str, &str)> = Vec::new();
        properties.extend(place.as_ref().map(|place| ("file", place.file.as_str())));
        properties.extend(line.as_deref().map(|line| ("line", line)));
        properties.push(("title", &title));
        let message = format!(
            "{}\nmeasured: {}\neffect of the fix: {}\nwhat to do: {}",
            verdict.message,
            verdict.measured,
            ranked::effect(diagnosis, verdict),
            ranked::advice(diagnosis, verdict)
        );
        command(&mut text, level, &properties, &message);
    }
    for problem in &diagnosis.run.problems {
        command(&mut text, "warning", &[("title", "nanprobe could not measure all")], problem);
    }
    text
}

/// One workflow command.
fn command(text: &mut String, name: &str, properties: &[(&str, &str)], message: &str) {
    let properties: Vec<String> = properties.iter().map(|(key, value)| format!("{key}={}", property(value))).collect();
    text.extend(["::", name, " ", &properties.join(","), "::", &data(message), "\n"]);
}

/// A message: one line, whatever is in it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property, which a colon or a comma would end.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use nanprobe_checks::Location;

    use super::*;
    use crate::report::samples;

    fn repository() -> Repository {
        Repository { root: "/repo".into(), folder: "/repo".into(), config: None }
    }

    #[test]
    fn two_fixes_as_annotations() {
        let mut diagnosis = samples::two_fixes();
        diagnosis.run.config = Some("nanprobe.toml".to_owned());
        insta::assert_snapshot!(github(&diagnosis, &repository()));
    }

    #[test]
    fn each_annotation_is_one_line_that_text_from_files_cannot_leave() {
        let mut diagnosis = samples::two_fixes();
        diagnosis.verdicts[0].message = "100% of\r\n::set-output name=x::y".to_owned();
        let file = Some("a,b:c\n::stop-commands::x.py".to_owned());
        diagnosis.verdicts[0].location = Some(Location { module: String::new(), file, line: Some(1) });
        let text = github(&diagnosis, &repository());
        let line = text.lines().nth(1).unwrap();
        assert!(line.starts_with("::error file=a%2Cb%3Ac%0A%3A%3Astop-commands%3A%3Ax.py,line=1,title="), "{line}");
        assert!(line.contains("::100%25 of%0D%0A::set-output name=x::y"), "{line}");
        assert_eq!(text.lines().count(), 4);
        assert!(text.lines().all(|line| ["::error ", "::warning ", "::notice "].iter().any(|level| line.starts_with(level))), "{text}");
    }

    #[test]
    fn a_training_without_a_fault_is_one_notice_and_a_run_without_measurements_an_error() {
        assert!(github(&samples::healthy(), &repository()).starts_with("::notice title=nanprobe::Nothing is wrong"));
        let died = github(&samples::died_early(), &repository());
        assert!(died.starts_with("::error title=nanprobe::Too little") && died.lines().count() == 2, "{died}");
    }
}
