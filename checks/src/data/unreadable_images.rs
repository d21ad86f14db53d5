//! Image files that cannot be decoded.

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::evidence::UnreadableFiles;
use crate::stats::between;
use crate::words::percent;
use crate::{Finding, Judgement, Severity, describe};

describe! {
    /// Many image files cannot be decoded.
    ///
    /// ## What it looks for
    /// The share of the tried files whose decoding failed: truncated, empty, or of a kind other than their name says.
    ///
    /// ## Why it matters
    /// A loader that skips bad files trains on less, and on other classes than the listing shows if one class's
    /// files are broken; one that replaces them by blank images teaches that blank means that class; one that does
    /// neither stops in the middle of an epoch.
    ///
    /// ## What to do
    /// Open the named files; fetch or convert them again. `PIL.Image.open(path).verify()` finds the rest.
    /// An interrupted download or copy is the usual cause, or an HTML error page saved as `.jpg`.
    ///
    /// ## False alarms
    /// A few broken files are common in scraped sets and harmless: up to 5% is clear, with the number shown. A format
    /// that this program cannot read but your loader can (AVIF, HEIC, camera raw) counts as unreadable here.
    ///
    /// ## Reference
    /// The limits are ours, from this project's requirements; cleanvision stops at the first truncated file instead.
    UnreadableImages, "data" / "unreadable-images"
}

/// Limits of [`UnreadableImages`].
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Share of the tried files above which it is a warning. Ours.
    pub share: f64,
    /// And above which it is an error: most of the data is not there. Ours.
    pub error_share: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { share: 0.05, error_share: 0.5 }
    }
}

impl Check for UnreadableImages {
    type Needs = UnreadableFiles;
    type Limits = Limits;

    fn judge(files: &UnreadableFiles, limits: &Limits) -> Judgement {
        let share = files.failed as f64 / files.tried.max(1) as f64;
        let measured = format!("{} of {} files could not be decoded ({})", files.failed, files.tried, percent(share));
        if share <= limits.share {
            return Judgement::clear(measured);
        }
        let example = files.examples.first().map(|e| format!(", such as `{}` ({})", e.path, e.reason)).unwrap_or_default();
        Finding {
            severity: if share > limits.error_share { Severity::Error } else { Severity::Warning },
            strength: between(share, limits.share, 1.0),
            message: format!("many image files cannot be decoded{example}, so the model trains on less than is listed"),
            measured,
            fix: "fetch or convert the named files again; find the rest with `Image.open(path).verify()`".to_owned(),
            remedy: None,
            location: None,
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::FileError;
    use crate::testing::{clears, suspects};

    fn files(tried: u64, failed: u64) -> UnreadableFiles {
        let example = FileError { path: "cat/7.jpg".to_owned(), reason: "unexpected end of file".to_owned() };
        UnreadableFiles { tried, failed, examples: vec![example] }
    }

    #[test]
    fn a_tenth_is_a_warning_and_most_an_error() {
        let finding = suspects::<UnreadableImages>(&files(1000, 100));
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.message.contains("cat/7.jpg"));
        assert_eq!(suspects::<UnreadableImages>(&files(1000, 700)).severity, Severity::Error);
    }

    #[test]
    fn a_few_broken_files_are_survived() {
        clears::<UnreadableImages>(&files(1000, 12));
        clears::<UnreadableImages>(&files(0, 0));
    }
}
