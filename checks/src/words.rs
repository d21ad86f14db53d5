//! Wording that checks share: numbers short enough for a table cell, and lists of names.

/// Three significant digits, without trailing zeros: `0.693`, `1240`, `3.2e-7`.
pub(crate) fn number(x: f64) -> String {
    if x == 0.0 {
        return "0".to_owned();
    }
    if !x.is_finite() {
        return if x.is_nan() { "nan" } else { ["-inf", "inf"][usize::from(x > 0.0)] }.to_owned();
    }
    if !(1e-3..1e5).contains(&x.abs()) {
        return format!("{x:.1e}").replace(".0e", "e");
    }
    let decimals = (2 - x.abs().log10().floor() as i32).max(0) as usize;
    let text = format!("{x:.decimals$}");
    if decimals == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

/// A share as a percentage: `97%`, `0.4%`.
pub(crate) fn percent(share: f64) -> String {
    match 100.0 * share {
        hundredths if hundredths != 0.0 && hundredths.abs() < 9.95 => format!("{hundredths:.1}%"),
        hundredths if (0.0..=999.0).contains(&hundredths) => format!("{:.0}%", hundredths.abs()), // an empty sum is -0
        hundredths => format!("{}%", number(hundredths)),
    }
}

/// The first three names, and how many more there are; a name repeated in a row counts once.
pub fn names(names: &[&str]) -> String {
    let mut names = names.to_vec();
    names.dedup();
    let shown: Vec<String> = names.iter().take(3).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(3) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `1 sample`, `2 samples`.
pub(crate) fn count(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_keep_three_digits() {
        for (x, text) in
            [(0.512_345, "0.512"), (1240.0, "1240"), (3.21e-7, "3.2e-7"), (1e-7, "1e-7"), (5.0, "5"), (-2.0, "-2"), (f64::NAN, "nan")]
        {
            assert_eq!(number(x), text);
        }
        assert_eq!((percent(0.966), percent(0.004), percent(0.0)), ("97%".to_owned(), "0.4%".to_owned(), "0%".to_owned()));
    }

    #[test]
    fn long_lists_are_cut_and_counted() {
        assert_eq!(names(&["a", "b", "b"]), "`a`, `b`");
        assert_eq!(names(&["a", "b", "c", "d", "e"]), "`a`, `b`, `c` and 2 more");
        assert_eq!((count(1, "layer"), count(2, "layer")), ("1 layer".to_owned(), "2 layers".to_owned()));
    }
}
