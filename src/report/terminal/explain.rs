//! A check's page: its doc comment, and its limits as they are in force.

use nanprobe_checks::AnyCheck;
use serde_json::Value;

use super::page::{Page, Tone};

/// The page of a check for a terminal. `limits` are those that differ from the defaults.
pub fn explain(check: &dyn AnyCheck, limits: Option<&Value>, width: usize, color: bool) -> String {
    let mut page = Page::new(width, color);
    page.paragraph(Tone::Strong, &format!("{} ({})", check.name(), check.family()));
    markdown(&mut page, check.doc());
    page.blank();
    page.paragraph(Tone::Strong, "Limits");
    let defaults = check.default_limits();
    let defaults: Vec<(&String, &Value)> = defaults.as_object().into_iter().flatten().collect();
    if defaults.is_empty() {
        page.paragraph(Tone::Plain, "None to set.");
        return page.finish();
    }
    for (name, default) in defaults {
        match limits.and_then(|limits| limits.get(name)).filter(|value| !same(value, default)) {
            Some(value) => page.hanging(Tone::Warning, "", 2, &format!("{name} = {value} (default {default})")),
            None => page.hanging(Tone::Plain, "", 2, &format!("{name} = {default} (default)")),
        }
        page.hanging(Tone::Dim, "", 4, &check.about_limit(name));
    }
    page.paragraph(Tone::Dim, &format!("Set them under [checks.{}] in nanprobe.toml.", check.name()));
    page.finish()
}

/// `1` and `1.0` are the same limit.
fn same(a: &Value, b: &Value) -> bool {
    a == b || a.as_f64().is_some_and(|a| b.as_f64() == Some(a))
}

/// Enough of Markdown for doc comments: headings, paragraphs, lists, code blocks.
fn markdown(page: &mut Page, doc: &str) {
    let mut paragraph = Paragraph::default();
    let mut code = false;
    for line in doc.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)) {
        let item = line.strip_prefix("- ").or_else(|| line.strip_prefix("* "));
        if line.starts_with("```") {
            paragraph.put(page);
            code = !code;
        } else if code {
            page.raw(&format!("    {line}"));
        } else if let Some(heading) = line.strip_prefix('#') {
            paragraph.put(page);
            page.blank();
            page.paragraph(Tone::Strong, heading.trim_start_matches('#').trim());
        } else if line.trim().is_empty() {
            paragraph.put(page);
            page.blank();
        } else if let Some(item) = item {
            paragraph.put(page);
            paragraph = Paragraph { bullet: "- ", text: item.to_owned() };
        } else {
            if !paragraph.text.is_empty() {
                paragraph.text.push(' ');
            }
            paragraph.text.push_str(line.trim());
        }
    }
    paragraph.put(page);
}

/// Lines that flow together.
#[derive(Default)]
struct Paragraph {
    bullet: &'static str,
    text: String,
}

impl Paragraph {
    fn put(&mut self, page: &mut Page) {
        let Self { bullet, text } = std::mem::take(self);
        if !text.is_empty() {
            page.hanging(Tone::Plain, bullet, bullet.len(), &text);
        }
    }
}

#[cfg(test)]
mod tests {
    use nanprobe_checks::evidence::BatchLabels;
    use nanprobe_checks::{Check, Judgement};
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::report::terminal::page::text_width;

    nanprobe_checks::describe! {
        /// The sky falls on the training loop.
        ///
        /// ## What it looks for
        /// A sky that is nearer than it was in the first batch, by more than its own noise over the seeds of
        /// the run.
        ///
        /// ## What to do
        /// - Shuffle.
        /// - Hold it up with `sky.detach()`.
        FallingSky, "data" / "falling-sky"
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    pub struct Limits {
        /// How near the sky may come. Ours: the height
        /// of a desk.
        metres: f64,
        /// Batches that are looked at. CS231n.
        batches: u64,
    }

    impl Default for Limits {
        fn default() -> Self {
            Self { metres: 0.5, batches: 3 }
        }
    }

    impl Check for FallingSky {
        type Needs = BatchLabels;
        type Limits = Limits;

        fn judge(_: &BatchLabels, _: &Limits) -> Judgement {
            Judgement::clear("")
        }
    }

    #[test]
    fn a_page_shows_every_section_and_the_limits_in_force() {
        insta::assert_snapshot!(explain(&FallingSky, Some(&serde_json::json!({ "metres": 0.25 })), 80, false));
    }

    #[test]
    fn a_limit_set_to_its_default_is_the_default() {
        let plain = explain(&FallingSky, None, 80, false);
        assert!(plain.contains("metres = 0.5 (default)") && plain.contains("batches = 3 (default)"), "{plain}");
        assert_eq!(explain(&FallingSky, Some(&serde_json::json!({ "metres": 0.5, "batches": 3.0 })), 80, false), plain);
    }

    #[test]
    fn every_check_has_a_page_that_fits() {
        for check in nanprobe_checks::checks() {
            for line in explain(check, None, 80, false).lines() {
                assert!(text_width(line) <= 80, "{}: {line}", check.name());
            }
        }
    }

    #[test]
    fn lists_and_code_keep_their_form() {
        let mut page = Page::new(40, false);
        markdown(
            &mut page,
            " First\n line.\n\n - one item that goes on\n   over lines of its own\n - two\n ```\n let x  =  1;\n ```\n Last.\n",
        );
        assert_eq!(page.finish(), "First line.\n\n- one item that goes on over lines of\n  its own\n- two\n    let x  =  1;\nLast.\n");
    }
}
