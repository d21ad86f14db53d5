//! What is in an exported model's file.

use nanprobe_checks::words::names;

use super::page::{Page, Tone, clean};
use crate::report::numbers::{count, plural};

/// An exported model, in the words of its report.
#[derive(Clone, Debug, Default)]
pub struct ModelContents {
    /// The file's name.
    pub name: String,
    /// The torch that wrote it.
    pub torch: String,
    /// Sizes of the input and of the output, such as `[N, 3, 224, 224]`.
    pub shapes: [String; 2],
    /// The criterion inside the model, where it has one.
    pub criterion: Option<String>,
    /// Scalar parameters, and of them those that are frozen.
    pub parameters: [u64; 2],
    /// Other outputs that may be the class scores: key and sizes.
    pub others: Vec<(Option<String>, String)>,
    /// The activations behind the last layer.
    pub trailing: Vec<String>,
    /// Names of the inputs on whose values no output depends.
    pub unread: Vec<String>,
    /// Names of the parameters that neither the output nor the loss depends on.
    pub unused: Vec<String>,
    /// Modules with parameters of their own: path, class, scalar parameters, source line.
    pub layers: Vec<(String, String, u64, String)>,
    /// Operators and how often each is called.
    pub operators: Vec<(String, usize)>,
    /// Why it cannot be run, where it cannot.
    pub problem: Option<String>,
}

/// The report for a terminal.
pub fn model(contents: &ModelContents, width: usize, color: bool) -> String {
    let mut page = Page::new(width, color);
    let [parameters, frozen] = contents.parameters;
    page.paragraph(Tone::Strong, &clean(&format!("{}, exported by torch {}", contents.name, contents.torch)));
    page.blank();
    page.fact("input", Tone::Plain, &contents.shapes[0]);
    page.fact("output", Tone::Plain, &format!("{}{}", contents.shapes[1], behind(&contents.trailing)));
    if !contents.others.is_empty() {
        let other = |(key, sizes): &(Option<String>, String)| key.as_ref().map_or_else(|| sizes.clone(), |key| format!("`{key}` {sizes}"));
        let others: Vec<String> = contents.others.iter().map(other).collect();
        page.fact(
            "also",
            Tone::Plain,
            &clean(&format!("{}; the one with as many columns as there are classes is taken", others.join(", "))),
        );
    }
    if let Some(criterion) = &contents.criterion {
        page.fact("loss", Tone::Plain, &if criterion == "exported" { "its own".to_owned() } else { format!("its own {criterion}") });
    }
    let kept = if frozen > 0 { format!(", {} of them frozen", count(frozen)) } else { String::new() };
    page.fact("values", Tone::Plain, &format!("{} parameters{kept}", count(parameters)));
    if !contents.unread.is_empty() {
        let unread: Vec<&str> = contents.unread.iter().map(String::as_str).collect();
        page.fact("unread", Tone::Warning, &clean(&format!("input {}: the output does not depend on its values", names(&unread))));
    }
    if !contents.unused.is_empty() {
        let unused: Vec<&str> = contents.unused.iter().map(String::as_str).collect();
        page.fact("unused", Tone::Warning, &clean(&format!("{}: the output does not depend on them", names(&unused))));
    }
    page.blank();
    let widest = contents.layers.iter().map(|(path, ..)| path.len()).max().unwrap_or(0).min(width / 3);
    for (path, class, parameters, source) in &contents.layers {
        let class = class.rsplit('.').next().unwrap_or_default();
        page.hanging(Tone::Plain, "", 2, &clean(&format!("{path:<widest$}  {class:<14} {:>11}  {source}", count(*parameters))));
    }
    page.blank();
    let calls: usize = contents.operators.iter().map(|(_, calls)| calls).sum();
    let list: Vec<String> = contents.operators.iter().map(|(name, calls)| format!("{name} x{calls}")).collect();
    page.paragraph(Tone::Strong, &format!("{} in {}", plural(contents.operators.len(), "operator"), plural(calls, "call")));
    page.hanging(Tone::Dim, "", 2, &clean(&list.join(", ")));
    page.blank();
    match &contents.problem {
        None => page.paragraph(Tone::Good, "nanprobe can train it"),
        Some(problem) => page.paragraph(Tone::Error, &clean(&format!("nanprobe cannot train it: {problem}"))),
    }
    page.finish()
}

fn behind(trailing: &[String]) -> String {
    if trailing.is_empty() { String::new() } else { format!(", behind {}", trailing.join(" and ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_names_layers_operators_and_what_cannot_be_run() {
        let mut contents = ModelContents {
            name: "net.pt2".to_owned(),
            torch: "2.13.0".to_owned(),
            shapes: ["[N, 3, 32, 32]".to_owned(), "[N, 2]".to_owned()],
            criterion: Some("cross-entropy".to_owned()),
            parameters: [1234, 200],
            others: vec![(Some("features".to_owned()), "[N, 64]".to_owned())],
            trailing: vec!["softmax".to_owned()],
            unread: vec!["mask".to_owned()],
            unused: vec!["old_head.weight".to_owned()],
            layers: vec![("conv1".to_owned(), "torch.nn.modules.conv.Conv2d".to_owned(), 224, "train.py:9".to_owned())],
            operators: vec![("aten.conv2d.default".to_owned(), 1)],
            problem: None,
        };
        let text = model(&contents, 80, false);
        for part in [
            "net.pt2",
            "1,234 parameters, 200 of them frozen",
            "[N, 2], behind softmax",
            "`features` [N, 64]; the one with",
            "its own cross-entropy",
            "Conv2d",
            "train.py:9",
            "input `mask`: the output does not depend on its values",
            "`old_head.weight`: the output does not depend on them",
            "aten.conv2d.default x1",
            "can train it",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        contents.problem = Some("operator `aten.nms` is not known".to_owned());
        assert!(model(&contents, 80, false).contains("cannot train it: operator `aten.nms`"));
    }
}
