use nanprobe_checks::evidence::{Picture, Pictures};

use super::*;
use crate::diagnose::{judge_stored, stored};
use crate::diagnosis::{CurveOf, LossCurve};
use crate::report::samples;

/// A report with everything that can be drawn.
fn drawn() -> Diagnosis {
    let evidence = stored(include_str!("../../../checks/tests/healthy.jsonl")).unwrap();
    let measured = judge_stored(&evidence, &crate::config::GateSettings::default());
    let mut diagnosis = Diagnosis { figures: measured.figures, ..samples::two_fixes() };
    let dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==";
    let picture = |label| Picture { png: dot.to_owned(), label, file: None, note: String::new() };
    let suspect = Picture { file: Some("shirt/t-shirt_7.png".to_owned()), note: "the file's name says T-shirt".to_owned(), ..picture(1) };
    diagnosis.figures.pictures = Some(Pictures {
        shape: vec![1, 28, 28],
        black: (-1.0).into(),
        white: 1.0.into(),
        batch_size: 32,
        batches: vec![vec![picture(0); 16], vec![picture(0); 16]],
        suspects: vec![suspect],
    });
    let remedy = LossCurve { of: CurveOf::Remedy, check: Some("unshuffled-batches".to_owned()), loss: vec![0.7.into(), 0.3.into()] };
    diagnosis.figures.losses.push(remedy);
    diagnosis
}

fn everything() -> Vec<Diagnosis> {
    vec![drawn(), samples::two_fixes(), samples::healthy(), samples::ten_classes(), samples::many_classes(), samples::died_early()]
}

/// The page without its style, and with every plot as its sentence alone.
fn skeleton(page: &str) -> String {
    let text = regex::Regex::new("(?s)<style>.*?</style>\n").unwrap().replace_all(page, "");
    let text = regex::Regex::new(r#"(?s)<svg [^>]*?aria-label="([^"]*)"[^>]*>.*?</svg>"#).unwrap().replace_all(&text, "[plot: $1]");
    regex::Regex::new("(?s)<svg .*?</svg>").unwrap().replace_all(&text, "").into_owned()
}

#[test]
fn two_fixes() {
    insta::assert_snapshot!(skeleton(&html(&samples::two_fixes()).unwrap()));
}

#[test]
fn every_element_is_closed_and_every_link_has_its_end() {
    for diagnosis in everything() {
        let page = html(&diagnosis).unwrap();
        for tag in
            ["section", "article", "figure", "table", "tr", "td", "th", "ul", "ol", "li", "div", "p", "span", "details", "svg", "dl", "h3"]
        {
            let open = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
            assert_eq!(open, page.matches(&format!("</{tag}>")).count(), "<{tag}> in {}", diagnosis.headline);
        }
        for target in page.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(page.contains(&format!("id=\"{target}\"")), "nothing is called {target}");
        }
    }
}

#[test]
fn nothing_is_fetched_and_nothing_runs() {
    for diagnosis in everything() {
        let page = html(&diagnosis).unwrap();
        for forbidden in ["<script", "http:", "https:", "url(", "@import", "<link", "<iframe", "javascript:", " onload", " onclick"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(page.split("src=\"").skip(1).all(|rest| rest.starts_with("data:image/png;base64,")));
    }
}

#[test]
fn names_from_files_cannot_become_markup() {
    let hostile = r#""><script>alert(1)</script><b class='"#.to_owned();
    let mut diagnosis = drawn();
    diagnosis.headline.clone_from(&hostile);
    diagnosis.run.problems.push(hostile.clone());
    diagnosis.run.command.clone_from(&hostile);
    let job = diagnosis.job.as_mut().unwrap();
    (job.data, job.rule, job.model) = (hostile.clone(), hostile.clone(), hostile.clone());
    job.classes = vec![hostile.clone(), hostile.clone()];
    for verdict in &mut diagnosis.verdicts {
        for text in [&mut verdict.check, &mut verdict.message, &mut verdict.measured, &mut verdict.remedy] {
            text.clone_from(&hostile);
        }
        verdict.source = Some(hostile.clone());
        verdict.explained_by = verdict.explained_by.take().map(|_| hostile.clone());
    }
    let figures = &mut diagnosis.figures;
    figures.classes[0].name.clone_from(&hostile);
    figures.weights[0].name.clone_from(&hostile);
    figures.activations[0].node.clone_from(&hostile);
    figures.controls[0].name.clone_from(&hostile);
    figures.losses[0].check = Some(hostile.clone());
    let pictures = figures.pictures.as_mut().unwrap();
    pictures.suspects[0].note.clone_from(&hostile);
    pictures.batches[0][0].png.clone_from(&hostile);
    let page = html(&diagnosis).unwrap();
    assert!(!page.contains("<script>") && !page.contains("<b class='"), "{}", skeleton(&page));
}

#[test]
fn what_was_not_measured_leaves_no_empty_section() {
    let page = html(&samples::died_early()).unwrap();
    for absent in ["How it trains", "The data, as it arrives", "What to change, in this order"] {
        assert!(!page.contains(absent), "{absent}");
    }
    assert!(page.contains("killed") && page.contains("checks not measured, and why"));
    let page = html(&drawn()).unwrap();
    for present in [
        "Training loss",
        "Learning rate",
        "Gradient by depth",
        "Activations by depth",
        "Weights by depth",
        "Suspicious samples",
        "Batch 2, 16 of 32",
    ] {
        assert!(page.contains(present), "{present}");
    }
}

#[test]
fn numbers_that_are_not_finite_do_not_reach_a_plot() {
    let mut diagnosis = drawn();
    for curve in &mut diagnosis.figures.losses {
        curve.loss[1] = f64::NAN.into();
    }
    diagnosis.figures.weights[0].gradient = Some(f64::INFINITY.into());
    diagnosis.figures.sweep.as_mut().unwrap().current = 0.0.into();
    let page = html(&diagnosis).unwrap();
    for plot in page.split("<svg ").skip(1).map(|rest| rest.split("</svg>").next().unwrap()) {
        let numbers: Vec<&str> = plot.split('"').filter(|part| part.contains("NaN") || part.contains("inf,") || part == &"inf").collect();
        assert!(numbers.is_empty(), "{numbers:?}");
    }
}

#[test]
fn a_page_of_many_large_pictures_stays_below_a_megabyte_and_a_half() {
    let mut diagnosis = drawn();
    let pictures = diagnosis.figures.pictures.as_mut().unwrap();
    // 48 x 48 pixels of noise in three colours, as base64.
    let large = "A".repeat(48 * 48 * 3 * 4 / 3 + 100);
    pictures.batches.iter_mut().flatten().chain(&mut pictures.suspects).for_each(|picture| picture.png.clone_from(&large));
    let suspects = pictures.suspects[0].clone();
    pictures.suspects = vec![suspects; 24];
    assert!(html(&diagnosis).unwrap().len() < 1_500_000);
}
