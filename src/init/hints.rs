//! What a training script says of its recipe, as far as a line of it says so by itself.
//!
//! The script is read as text and never run. A hint that is wrong costs a line to change; each comes with the line it is from.

use regex::Regex;

use crate::architecture::ARCHITECTURES;

/// A key of `nanprobe.toml`, its value as TOML, and where that is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The table.
    pub table: &'static str,
    /// The key.
    pub key: &'static str,
    /// The value as TOML.
    pub value: String,
    /// The line, from 1.
    pub line: usize,
}

/// A pattern whose first group is the value, and what that is in `nanprobe.toml`.
struct Rule {
    table: &'static str,
    key: &'static str,
    pattern: &'static str,
    value: fn(&str) -> Option<String>,
}

const RULES: [Rule; 6] = [
    Rule {
        table: "train",
        key: "loss",
        pattern: r"\b(?:nn\.|F\.)?(CrossEntropyLoss|cross_entropy|NLLLoss|nll_loss|BCEWithLogitsLoss|BCELoss|MSELoss)\(",
        value: |name| Some(quoted(loss(name))),
    },
    Rule {
        table: "train",
        key: "optimizer",
        pattern: r"\boptim\.(SGD|AdamW|Adam|RMSprop)\(",
        value: |name| Some(quoted(&name.to_lowercase())),
    },
    Rule {
        table: "train",
        key: "lr",
        pattern: r"\b(?:lr|learning_rate|LR|LEARNING_RATE)\s*=\s*([0-9][0-9.]*(?:e-?[0-9]+)?)",
        value: number,
    },
    Rule { table: "train", key: "batch-size", pattern: r"\b(?:batch_size|BATCH_SIZE)\s*=\s*([1-9][0-9]*)", value: number },
    // Of a loader only where the line says that it is the one to train with.
    Rule {
        table: "train",
        key: "shuffle",
        pattern: r"(?i:train).*DataLoader\(.*\bshuffle\s*=\s*(True|False)",
        value: |word| Some(word.to_lowercase()),
    },
    Rule { table: "model", key: "model", pattern: r"\bmodels\.([a-z][a-z0-9_]*)\(", value: architecture },
];

fn loss(name: &str) -> &'static str {
    match name {
        "CrossEntropyLoss" | "cross_entropy" => "cross-entropy",
        "NLLLoss" | "nll_loss" => "nll",
        "BCEWithLogitsLoss" => "bce-with-logits",
        "BCELoss" => "bce",
        _ => "mse",
    }
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

fn number(text: &str) -> Option<String> {
    let value: f64 = text.trim_end_matches('.').parse().ok()?;
    Some(value.to_string())
}

fn architecture(name: &str) -> Option<String> {
    ARCHITECTURES.iter().find(|known| known.name == name).map(|known| quoted(known.name))
}

/// The first line that gives each key.
pub fn hints(script: &str) -> Vec<Hint> {
    let hint = |rule: &Rule| {
        let pattern = Regex::new(rule.pattern).ok()?;
        let found = |(line, text): (usize, &str)| {
            let code = text.split('#').next().unwrap_or_default();
            let value = (rule.value)(pattern.captures(code)?.get(1)?.as_str())?;
            Some(Hint { table: rule.table, key: rule.key, value, line })
        };
        (1..).zip(script.lines()).find_map(found)
    };
    RULES.iter().filter_map(hint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "\
import torch.optim as optim
# lr = 5.0
model = torchvision.models.my_net() or models.resnet18(weights=None)
train_loader = DataLoader(train_set, batch_size=64, shuffle=False)
val_loader = DataLoader(val_set, batch_size=256, shuffle=True)
optimizer = optim.AdamW(model.parameters(), lr=3e-4)
loss = F.cross_entropy(model(x), y)
";

    #[test]
    fn a_script_gives_its_recipe_line_by_line() {
        let found: Vec<(&str, String, usize)> = hints(SCRIPT).into_iter().map(|hint| (hint.key, hint.value, hint.line)).collect();
        let expected = [
            ("loss", "\"cross-entropy\"", 7),
            ("optimizer", "\"adamw\"", 6),
            ("lr", "0.0003", 6),
            ("batch-size", "64", 4),
            ("shuffle", "false", 4),
        ];
        assert_eq!(found, expected.map(|(key, value, line)| (key, value.to_owned(), line)));
        assert_eq!(hints("net = models.resnet18()")[0].value, "\"resnet18\"");
    }

    #[test]
    fn what_is_no_hint_is_passed_over() {
        assert_eq!(hints("loader = DataLoader(s, shuffle=True)\nlr = args.lr\nmodel = models.vit_h_14()\nbatch_size = 0\n"), []);
    }
}
