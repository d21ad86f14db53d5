//! Numbers as people read them: shares in percent, differences in points, losses in nats.

use nanprobe_checks::Real;
use nanprobe_checks::stats::Interval;

use crate::diagnosis::{Criterion, Effect, Status, Verdict};
use crate::diff::{AccuracyChange, Direction};

/// A share, 0..1, in percent: one decimal where it is small or almost all.
pub(super) fn percent(share: f64) -> String {
    format!("{}%", whole_percent(share))
}

fn whole_percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent.is_nan() {
        return "nan".to_owned();
    }
    let decimal = format!("{percent:.1}");
    let extreme = percent < 10.0 || (99.0..100.0).contains(&percent);
    if extreme && !decimal.ends_with(".0") { decimal } else { format!("{:.0}", positive_zero(percent)) }
}

/// A share's 95% interval: `95% 45..55`.
pub(super) fn share_interval(interval: Interval) -> String {
    format!("95% {}..{}", whole_percent(interval.low), whole_percent(interval.high))
}

/// A difference of shares in percentage points, signed: `+21`, `+0.4`, `-3`.
fn points(difference: f64) -> String {
    let text = unsigned_points(difference);
    if text.starts_with('-') { text } else { format!("+{text}") }
}

fn unsigned_points(difference: f64) -> String {
    let points = 100.0 * difference;
    let text = format!("{points:.1}");
    let small = points.abs() < 1.0 && text != "0.0" && text != "-0.0" && !text.ends_with("1.0");
    if small { text } else { format!("{:.0}", positive_zero(points.round())) }
}

/// No `-0` in front of people.
fn positive_zero(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x }
}

fn points_interval(interval: Interval) -> String {
    let end = |x: f64| format!("{:.0}", positive_zero((100.0 * x).round()));
    format!("95% {}..{}", end(interval.low), end(interval.high))
}

/// What a remedy bought, or that it was not tried.
pub(super) fn effect(verdict: &Verdict) -> String {
    let Some(effect) = &verdict.effect else { return "not tried".to_owned() };
    let Effect { before, after, interval, .. } = effect;
    let bought = format!("({}, {})", points(after.0 - before.0), points_interval(*interval));
    let accuracy = format!("{} -> {} {bought}", percent(before.0), percent(after.0));
    if let Some(longer) = effect.longer {
        return format!("{accuracy}; {} as it is in {} times the steps", percent(longer.accuracy.0), longer.times);
    }
    match (verdict.status, effect.decided_by) {
        (Status::Harmless, _) => format!("no effect {bought}"),
        (_, Criterion::HeldOut) => accuracy,
        (_, Criterion::ByHeart) => format!("by heart {accuracy}"),
        (_, Criterion::Loss) => format!("loss {} -> {}, accuracy {accuracy}", loss(effect.loss_before.0), loss(effect.loss_after.0)),
        (_, Criterion::Speed) => {
            let steps = |steps: Option<Real>| steps.map_or("all".to_owned(), |steps| format!("{:.0}", steps.0));
            let (before, after) = (steps(effect.half_way_before), steps(effect.half_way_after));
            format!("same accuracy, half-way in {after} steps instead of {before}")
        }
    }
}

/// From one accuracy to another, and whether the difference is beyond the noise.
pub(super) fn accuracy_change(change: &AccuracyChange) -> String {
    let AccuracyChange { before, after, interval, .. } = change;
    let says = match change.direction {
        Direction::Better => "better",
        Direction::Worse => "worse",
        Direction::WithinNoise => "within the noise of either",
    };
    let intervals = [change.before_interval, change.after_interval].map(share_interval);
    format!(
        "{} ({}) -> {} ({}): {} points ({}), {says}",
        percent(before.0),
        intervals[0],
        percent(after.0),
        intervals[1],
        points(after.0 - before.0),
        points_interval(*interval)
    )
}

/// A loss in nats, to three digits.
pub(super) fn loss(nats: f64) -> String {
    match nats.abs() {
        x if x != 0.0 && x < 1e-3 => format!("{nats:.1e}"),
        x if x < 100.0 => format!("{nats:.3}"),
        x if x < 1e6 => format!("{nats:.0}"),
        x if x.is_nan() => "nan".to_owned(),
        _ => format!("{nats:.1e}"),
    }
}

/// A count with its thousands apart: `25,000`.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 check`, `17 checks`.
pub(super) fn plural(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn shares_have_the_digits_that_matter() {
        for (share, text) in
            [(0.5, "50%"), (0.705, "70%"), (0.001, "0.1%"), (0.996, "99.6%"), (1.0, "100%"), (0.0, "0%"), (f64::NAN, "nan%")]
        {
            assert_eq!(percent(share), text);
        }
    }

    #[test]
    fn effects_say_before_after_and_how_sure() {
        let diagnosis = samples::two_fixes();
        let cells: Vec<String> = diagnosis.verdicts.iter().take(5).map(effect).collect();
        assert_eq!(
            cells,
            ["50% -> 71% (+21, 95% 15..27)", "71% -> 94% (+23, 95% 18..28)", "not tried", "not tried", "no effect (+0.4, 95% -2..3)",]
        );
    }

    #[test]
    fn differences_carry_their_sign_and_never_a_negative_zero() {
        for (difference, text) in
            [(0.21, "+21"), (0.004, "+0.4"), (-0.03, "-3"), (-0.0001, "+0"), (0.0, "+0"), (-0.004, "-0.4"), (0.00999, "+1")]
        {
            assert_eq!(points(difference), text, "{difference}");
        }
        assert_eq!(points_interval(Interval { low: -0.001, high: 0.03 }), "95% 0..3");
    }

    #[test]
    fn losses_and_counts_are_readable_at_any_size() {
        for (nats, text) in
            [(0.352_49, "0.352"), (4.2e5, "420000"), (1e9, "1.0e9"), (2e-5, "2.0e-5"), (0.0, "0.000"), (f64::INFINITY, "inf")]
        {
            assert_eq!(loss(nats), text);
        }
        assert_eq!(loss(f64::NAN), "nan");
        assert_eq!((count(25_000), count(999), count(1_234_567)), ("25,000".into(), "999".into(), "1,234,567".into()));
    }
}
