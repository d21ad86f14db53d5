//! The user's own line beside a finding.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::diagnosis::Verdict;

/// Larger files are no source that a person wrote.
const MAX_BYTES: u64 = 4 << 20;
/// Longer lines are cut.
const MAX_LENGTH: usize = 160;

/// Quotes the line that a verdict names, if it is there to be read. What names the line may be a stranger's model file: only
/// Python source is read, and only that line is kept.
pub fn quote(verdict: &mut Verdict) {
    let place = verdict.location.as_ref();
    verdict.source = place.and_then(|place| line_of(Path::new(place.file.as_ref()?), place.line?));
}

fn line_of(file: &Path, line: u32) -> Option<String> {
    let kept = file.extension().is_some_and(|extension| extension == "py")
        && fs::metadata(file).is_ok_and(|found| found.is_file() && found.len() <= MAX_BYTES);
    if !kept {
        return None;
    }
    let text = BufReader::new(File::open(file).ok()?).lines().nth((line as usize).checked_sub(1)?)?.ok()?;
    let text = text.trim();
    let cut: String = text.chars().take(MAX_LENGTH).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    (!text.is_empty()).then(|| cut + more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_that_line_of_python_source_is_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let script = write("train.py", "import torch\n\n    loss = criterion(softmax(x), y)  \n");
        assert_eq!(line_of(&script, 3).as_deref(), Some("loss = criterion(softmax(x), y)"));
        assert_eq!((line_of(&script, 2), line_of(&script, 9), line_of(&script, 0)), (None, None, None));
        assert_eq!(line_of(&write("secret.txt", "key\n"), 1), None);
        assert_eq!(line_of(folder.path(), 1), None);
        let long = line_of(&write("long.py", &"é".repeat(500)), 1).unwrap();
        assert_eq!((long.chars().count(), long.ends_with('…')), (MAX_LENGTH + 1, true));
    }
}
