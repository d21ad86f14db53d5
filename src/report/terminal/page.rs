//! Text for a terminal: colour that can be left out, lines that never exceed the width.

use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, Table, Width};
use owo_colors::{OwoColorize, Style};

/// What a piece of text is, from which its colour follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Of no colour.
    Plain,
    /// A headline.
    Strong,
    /// Worth less attention.
    Dim,
    /// Well.
    Good,
    /// Keeps the model from learning.
    Error,
    /// Costs something.
    Warning,
    /// Worth knowing.
    Note,
}

impl Tone {
    fn style(self) -> Style {
        let style = Style::new();
        match self {
            Self::Plain => style,
            Self::Strong => style.bold(),
            Self::Dim => style.dimmed(),
            Self::Good => style.green(),
            Self::Error => style.red().bold(),
            Self::Warning => style.yellow(),
            Self::Note => style.cyan(),
        }
    }

    /// A table cell in this tone.
    pub fn cell(self, text: impl ToString) -> Cell {
        use comfy_table::Attribute::{Bold, Dim};
        let cell = Cell::new(text);
        match self {
            Self::Plain => cell,
            Self::Strong => cell.add_attribute(Bold),
            Self::Dim => cell.add_attribute(Dim),
            Self::Good => cell.fg(Color::DarkGreen),
            Self::Error => cell.fg(Color::DarkRed).add_attribute(Bold),
            Self::Warning => cell.fg(Color::DarkYellow),
            Self::Note => cell.fg(Color::DarkCyan),
        }
    }
}

/// Width of the labels of facts, with the space behind them.
const LABEL: usize = 10;
/// Indentation of facts.
const INDENT: usize = 2;

/// A page under construction.
pub(super) struct Page {
    pub width: usize,
    pub color: bool,
    text: String,
}

impl Page {
    /// An empty page. Below 40 columns nothing could be laid out.
    pub fn new(width: usize, color: bool) -> Self {
        Self { width: width.clamp(40, usize::from(u16::MAX)), color, text: String::new() }
    }

    /// The page as text that ends with a newline.
    pub fn finish(self) -> String {
        self.text
    }

    fn put(&mut self, tone: Tone, line: &str) {
        if self.color && tone != Tone::Plain && !line.is_empty() {
            self.text += &line.style(tone.style()).to_string();
        } else {
            self.text += line;
        }
    }

    /// An empty line, unless there is one already.
    pub fn blank(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// A paragraph, indented by `indent` columns, its first line starting with `bullet`.
    pub fn hanging(&mut self, tone: Tone, bullet: &str, indent: usize, text: &str) {
        for (i, line) in wrap(text, self.width - indent).iter().enumerate() {
            let lead = if i == 0 { bullet } else { "" };
            self.text += lead;
            self.text += &" ".repeat(indent.saturating_sub(text_width(lead)));
            self.put(tone, line);
            self.text.push('\n');
        }
    }

    /// A paragraph.
    pub fn paragraph(&mut self, tone: Tone, text: &str) {
        self.hanging(tone, "", 0, text);
    }

    /// A labelled fact.
    pub fn fact(&mut self, label: &str, tone: Tone, text: &str) {
        for (i, line) in wrap(text, self.width - INDENT - LABEL).iter().enumerate() {
            let label = format!("{:INDENT$}{:LABEL$}", "", if i == 0 { label } else { "" });
            self.put(Tone::Dim, &label);
            self.put(tone, line);
            self.text.push('\n');
        }
    }

    /// One of several steps that belong to the fact above.
    pub fn step(&mut self, number: usize, text: &str) {
        let lead = format!("{:width$}{number}. ", "", width = INDENT + LABEL);
        self.hanging(Tone::Plain, &lead, lead.len(), text);
    }

    /// A text that is laid out already.
    pub fn raw(&mut self, text: &str) {
        self.text += text;
        self.text.push('\n');
    }

    /// A table whose columns have these widths and lie `gap` columns apart; its lines carry no trailing space.
    pub fn table(&mut self, mut table: Table, widths: &[usize], gap: usize) {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(self.width as u16);
        let last = widths.len().saturating_sub(1);
        for (i, (column, width)) in table.column_iter_mut().zip(widths).enumerate() {
            let gap = if i == last { 0 } else { gap };
            column.set_padding((0, gap as u16));
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed((width + gap) as u16)));
        }
        if self.color {
            table.enforce_styling().style_text_only();
        } else {
            table.force_no_tty();
        }
        let text = table.trim_fmt();
        self.raw(&text);
    }
}

/// Words in lines of at most `width` columns. Wide characters count as two.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).force_no_tty().add_row([clean(text)]);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width as u16);
    if let Some(column) = table.column_mut(0) {
        column.set_padding((0, 0)).set_constraint(ColumnConstraint::Absolute(Width::Fixed(width as u16)));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// Columns that a text takes on a terminal.
pub(super) fn text_width(text: &str) -> usize {
    if text.is_empty() {
        return 0; // a table's column is never narrower than one
    }
    let mut table = Table::new();
    table.add_row([text]);
    table.column_max_content_widths().first().map_or(0, |width| usize::from(*width))
}

/// A text in at most `width` columns, cut with an ellipsis where it is longer.
pub(super) fn cut(text: &str, width: usize) -> String {
    let text = clean(text).replace('\n', " ");
    if text_width(&text) <= width {
        return text;
    }
    let first = wrap(&text.replace(' ', "\u{a0}"), width.saturating_sub(1).max(1)).into_iter().next().unwrap_or_default();
    format!("{}…", first.replace('\u{a0}', " ").trim_end())
}

/// A name, path or piece of code in lines of at most `width` columns, broken after its hyphens, dots, brackets
/// and the like. What cannot be broken so stays whole.
pub(super) fn break_word(word: &str, width: usize) -> String {
    if text_width(word) <= width {
        return word.to_owned();
    }
    let mut lines = vec![String::new()];
    for piece in word.split_inclusive(['-', '_', '.', '/', '(', ',', '=']) {
        if let Some(line) = lines.last_mut().filter(|line| line.is_empty() || text_width(line) + text_width(piece) <= width) {
            line.push_str(piece);
        } else {
            lines.push(piece.to_owned());
        }
    }
    lines.join("\n")
}

/// Without control characters: names and messages come from files, and must not steer the terminal.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapped_lines_stay_within_the_width_whatever_the_script() {
        for text in ["a plain sentence of some words", "品种号猫品种号猫品种号猫", "an_unbroken_word_that_is_far_too_long_for_a_line", ""]
        {
            for width in [8, 13, 20] {
                assert!(wrap(text, width).iter().all(|line| text_width(line) <= width), "{text} at {width}: {:?}", wrap(text, width));
            }
        }
    }

    #[test]
    fn names_break_where_they_are_joined() {
        assert_eq!(break_word("labels-disagree-with-names", 16), "labels-disagree-\nwith-names");
        assert_eq!(break_word("dead-relu", 16), "dead-relu");
    }

    #[test]
    fn long_texts_are_cut_by_what_they_take_on_the_screen() {
        assert_eq!(cut("a short one", 11), "a short one");
        assert_eq!(cut("a short one", 8), "a short…");
        assert!(text_width(&cut("品种号猫", 5)) <= 5);
    }

    #[test]
    fn escapes_in_names_do_not_reach_the_terminal() {
        assert_eq!(clean("a\u{1b}[31mb\tc"), "a [31mb c");
        let mut page = Page::new(80, false);
        page.fact("class", Tone::Plain, "\u{1b}]0;title\u{7}");
        assert!(!page.finish().contains('\u{1b}'));
    }
}
