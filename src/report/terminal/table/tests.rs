use super::*;
use crate::report::samples;
use crate::report::terminal::page::text_width;

fn options(width: usize) -> TableOptions {
    TableOptions { width, color: false, all: false, quiet: false }
}

fn everything() -> [Diagnosis; 5] {
    [samples::two_fixes(), samples::healthy(), samples::ten_classes(), samples::many_classes(), samples::died_early()]
}

#[test]
fn two_fixes_at_80_columns() {
    insta::assert_snapshot!(table(&samples::two_fixes(), &options(80)));
}

#[test]
fn two_fixes_at_120_columns() {
    insta::assert_snapshot!(table(&samples::two_fixes(), &options(120)));
}

#[test]
fn two_fixes_at_60_columns() {
    insta::assert_snapshot!(table(&samples::two_fixes(), &options(60)));
}

#[test]
fn healthy_with_all_that_was_cleared() {
    insta::assert_snapshot!(table(&samples::healthy(), &TableOptions { all: true, ..options(80) }));
}

#[test]
fn many_classes_with_wide_names() {
    insta::assert_snapshot!(table(&samples::many_classes(), &options(80)));
}

#[test]
fn ten_classes_at_60_columns() {
    insta::assert_snapshot!(table(&samples::ten_classes(), &options(60)));
}

#[test]
fn measuring_died_early() {
    insta::assert_snapshot!(table(&samples::died_early(), &options(80)));
}

#[test]
fn quiet_leaves_the_headline_the_fixes_and_the_findings() {
    insta::assert_snapshot!(table(&samples::two_fixes(), &TableOptions { quiet: true, ..options(80) }));
}

#[test]
fn no_line_is_longer_than_the_width() {
    for diagnosis in everything() {
        for width in [40, 60, 80, 100, 120, 200] {
            for all in [false, true] {
                let text = table(&diagnosis, &TableOptions { all, ..options(width) });
                for line in text.lines() {
                    assert!(text_width(line) <= width, "{} > {width}: {line}", text_width(line));
                    assert_eq!(line.trim_end(), line, "trailing space");
                }
            }
        }
    }
}

#[test]
fn colour_changes_nothing_but_colour() {
    for diagnosis in everything() {
        let plain = table(&diagnosis, &options(80));
        let coloured = table(&diagnosis, &TableOptions { color: true, ..options(80) });
        assert!(!plain.contains('\u{1b}'));
        assert!(coloured.contains('\u{1b}'));
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
    }
}

#[test]
fn the_first_ten_lines_say_what_to_change_and_what_it_buys() {
    let text = table(&samples::two_fixes(), &options(80));
    let head: String = text.lines().take(10).collect::<Vec<_>>().join("\n");
    for needed in ["50% -> 71% -> 94%", "1. shuffle the training data", "2. raise the learning rate"] {
        assert!(head.contains(needed), "{head}");
    }
}

#[test]
fn numbers_that_are_not_finite_are_shown_as_such() {
    let mut diagnosis = samples::healthy();
    let symptom = diagnosis.symptom.as_mut().unwrap();
    (symptom.loss, symptom.accuracy) = (f64::NAN.into(), f64::NAN.into());
    let text = table(&diagnosis, &options(80));
    assert!(text.contains("nan after"), "{text}");
}

#[test]
fn a_report_of_nothing_is_still_a_report() {
    let mut diagnosis = samples::died_early();
    diagnosis.verdicts.clear();
    diagnosis.run = crate::diagnosis::RunReport::default();
    assert!(table(&diagnosis, &options(80)).starts_with("Too little"));
}
