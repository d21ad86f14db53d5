//! Text from files within Markdown and HTML: a class name or a path can neither break a table nor become markup, a mention or a link.

use super::svg::escape;

/// What has a meaning in GitHub's Markdown wherever it stands.
const MARKUP: &[char] = &['\\', '`', '*', '_', '[', ']', '<', '>', '&', '|', '~', '$', '!'];

/// A text on one line: names and messages come from files.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The pieces of a text, and whether each is code: what stands between two backticks. A backtick without a second one is text.
fn pieces(text: &str) -> impl Iterator<Item = (bool, &str)> {
    let paired = if text.matches('`').count().is_multiple_of(2) { text.len() } else { text.rfind('`').unwrap_or(text.len()) };
    let (paired, rest) = text.split_at(paired);
    paired.split('`').enumerate().map(|(place, piece)| (place % 2 == 1, piece)).chain([(false, rest)])
}

/// A text on one line, with what stands between backticks as code.
pub(super) fn markdown(text: &str) -> String {
    pieces(&one_line(text)).map(|(is_code, piece)| if is_code { code(piece) } else { plain(piece) }).collect()
}

/// The same as HTML.
pub(super) fn html(text: &str) -> String {
    let piece = |(is_code, piece)| if is_code { ["<code>", &escape(piece), "</code>"].concat() } else { escape(piece) };
    pieces(text).map(piece).collect()
}

/// A span of code. A pipe would end a cell even there, and blank code is none.
pub(super) fn code(text: &str) -> String {
    let text = one_line(text);
    if text.trim().is_empty() || text.contains(['|', '`']) { plain(&format!("`{text}`")) } else { format!("`{text}`") }
}

fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.replace("->", "→").chars() {
        match c {
            // A comment behind the sign keeps it from naming a person or an issue.
            '@' | '#' => escaped.extend([c.to_string().as_str(), "<!-- -->"]),
            c if MARKUP.contains(&c) => escaped.extend(["&#", &u32::from(c).to_string(), ";"]),
            c => escaped.push(c),
        }
    }
    escaped.replace("://", ":<!-- -->//").replace("www.", "www<!-- -->.")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn code_stays_code_and_everything_else_is_text() {
        assert_eq!(markdown("use `DataLoader(..., shuffle=True)` on a_b"), "use `DataLoader(..., shuffle=True)` on a&#95;b");
        assert_eq!(markdown("<img src=x>"), "&#60;img src=x&#62;");
        assert_eq!(markdown("a | b\nc"), "a &#124; b c");
        assert_eq!(markdown("@someone in #1"), "@<!-- -->someone in #<!-- -->1");
    }

    #[test]
    fn what_is_between_backticks_is_code_and_a_lone_backtick_stays() {
        assert_eq!(html("call `loss.backward()` <once>"), "call <code>loss.backward()</code> &lt;once&gt;");
        assert_eq!(html("a ` b"), "a ` b");
        assert_eq!(html("`a` and `b"), "<code>a</code> and `b");
    }

    #[test]
    fn backticks_in_a_name_cannot_let_markup_out() {
        for name in ["a`b", "`<img>`", "``", "`|`", "\\`<b>`|"] {
            let text = markdown(&format!("98% of the answers are `{name}`"));
            let outside: String = text.split('`').step_by(2).collect();
            assert!(!outside.replace("<!-- -->", "").contains(['<', '|', '>']), "{name}: {text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_cell(text in "\\PC*[`|<@#\n\\\\]{0,4}\\PC*") {
            for escaped in [markdown(&text), code(&text)] {
                prop_assert!(!escaped.contains(['|', '\n', '\r']), "{escaped}");
                prop_assert_eq!(escaped.matches('`').count() % 2, 0);
                let outside: String = escaped.split('`').step_by(2).collect();
                prop_assert!(!outside.replace("<!-- -->", "").contains(['<', '>', '*', '[', '\\']), "{}", outside);
            }
        }
    }
}
