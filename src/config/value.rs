//! The rules that single values keep, the same for a flag and for a key of `nanprobe.toml`.

use std::time::Duration;

/// The fewest probe samples: below that no accuracy can be told from chance (a share of 20 has a 95%
/// interval about 40 points wide).
pub const MIN_SAMPLES: usize = 20;

/// A learning rate, momentum or weight decay: finite and not negative. Zero is a fault to find, not to reject.
pub fn rate(x: f64) -> Result<f64, String> {
    if x.is_finite() && x >= 0.0 { Ok(x) } else { Err(format!("{x} is no rate; give a number of 0 or more, such as 1e-3")) }
}

/// [`rate`] of a text.
pub fn rate_text(text: &str) -> Result<f64, String> {
    rate(text.parse().map_err(|_| "not a number; write it like 0.001 or 1e-3".to_owned())?)
}

/// A norm to clip to: finite and not negative. Zero is a fault to find, not to reject.
pub fn norm(x: f64) -> Result<f64, String> {
    if x.is_finite() && x >= 0.0 { Ok(x) } else { Err(format!("{x} is no norm to clip to; give a number of 0 or more, such as 1.0")) }
}

/// A factor per step: from 0 to 1. What grows is a warm-up, whose few steps say nothing of the many that follow.
pub fn decay(x: f64) -> Result<f64, String> {
    if (0.0..=1.0).contains(&x) { Ok(x) } else { Err(format!("{x} is no decay per step; give a number from 0 to 1, or leave it out")) }
}

/// A share, such as batch norm's momentum: above 0, at most 1.
pub fn share(x: f64) -> Result<f64, String> {
    if x > 0.0 && x <= 1.0 { Ok(x) } else { Err(format!("{x} is no share; give a number above 0 and at most 1, such as 0.1")) }
}

/// [`share`] of a text.
pub fn share_text(text: &str) -> Result<f64, String> {
    share(text.parse().map_err(|_| "not a number; write it like 0.1".to_owned())?)
}

/// A number of probe samples.
pub fn samples(n: usize) -> Result<usize, String> {
    if n >= MIN_SAMPLES { Ok(n) } else { Err(format!("{n} samples cannot tell learning from chance; give {MIN_SAMPLES} or more")) }
}

/// [`samples`] of a text.
pub fn samples_text(text: &str) -> Result<usize, String> {
    samples(text.parse().map_err(|_| "not a whole number".to_owned())?)
}

/// A device: `auto`, `cpu`, `cuda` or `cuda:N`.
pub fn device_text(text: &str) -> Result<String, String> {
    let known = matches!(text, "auto" | "cpu" | "cuda") || text.strip_prefix("cuda:").is_some_and(|index| index.parse::<u8>().is_ok());
    if known { Ok(text.to_owned()) } else { Err(format!("unknown device `{text}`; use `auto`, `cpu`, `cuda` or `cuda:N`")) }
}

/// A regular expression that finds the label in a path.
pub fn pattern_text(text: &str) -> Result<String, String> {
    match regex::Regex::new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned();
            Err(format!("`{text}` is no regular expression: {why}"))
        }
    }
}

/// A time such as `90s`, `2m`, `1m30s` or `1h`; a bare number is seconds.
pub fn duration_text(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time; write it like 90s, 2m or 1m30s");
    let mut seconds = 0.0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        seconds += number
            * match &rest[..letters] {
                "" | "s" | "sec" => 1.0,
                "m" | "min" => 60.0,
                "h" => 3600.0,
                _ => return Err(wrong()),
            };
        rest = rest[letters..].trim_start();
    }
    duration(seconds).map_err(|_| wrong())
}

/// A time in seconds: at least one, at most a day.
pub fn duration(seconds: f64) -> Result<Duration, String> {
    const DAY: f64 = 86_400.0;
    if (1.0..=DAY).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(format!("{seconds} seconds cannot be kept; give a time from 1s to 24h, such as 90s or 2m"))
    }
}

/// What to say of a name that is not among the known: the nearest, or all of them.
pub fn suggest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    /// Half of the letters in place: `optimiser` is `optimizer`, `colour` is nothing we know.
    const NEAR: f64 = 0.5;
    let plain = |name: &str| name.to_lowercase().replace('_', "-");
    let known: Vec<&str> = known.into_iter().collect();
    let likeness = |name: &&str| strsim::normalized_damerau_levenshtein(&plain(given), &plain(name));
    match known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))) {
        Some(name) if likeness(name) >= NEAR => format!("did you mean `{name}`?"),
        _ => format!("known: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, seconds) in [("90s", 90), ("2m", 120), ("1m30s", 90), ("1m 30s", 90), ("2min", 120), ("0.5h", 1800), ("45", 45)] {
            assert_eq!(duration_text(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "m", "2x", "-5s", "0s", "s90", "99999h", "1..5s"] {
            assert!(duration_text(text).unwrap_err().contains("90s"), "{text}");
        }
    }

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_answered_with_all() {
        assert_eq!(suggest("optimiser", ["loss", "optimizer"]), "did you mean `optimizer`?");
        assert_eq!(suggest("lr_group", ["lr", "lr-group"]), "did you mean `lr-group`?");
        assert_eq!(suggest("colour", ["loss", "lr"]), "known: loss, lr");
        assert_eq!(suggest("x", []), "known: ");
    }

    #[test]
    fn rates_are_finite_and_not_negative() {
        assert_eq!(rate_text("1e-3"), Ok(1e-3));
        assert_eq!(rate_text("0"), Ok(0.0));
        for text in ["-1", "nan", "inf", "fast"] {
            assert!(rate_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn devices_are_known_or_rejected() {
        assert!(device_text("cuda:3").is_ok() && device_text("auto").is_ok());
        assert!(device_text("cuda:x").is_err() && device_text("gpu").is_err());
    }
}
