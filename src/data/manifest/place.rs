//! Where the files that a manifest names are: as it says, or with what people leave out.
//!
//! Competitions name `000bec18` in a table and put `train/000bec18.jpg` beside it; a table made under Windows has backslashes.

use std::fs;
use std::path::{Path, PathBuf};

use crate::data::error::EXTENSIONS;

/// Files that are looked for, spread over the rows read first.
const TRIED: usize = 32;
/// Folders beside the manifest that are looked into.
const MAX_FOLDERS: usize = 32;

/// How a name becomes a path below the manifest's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    folder: PathBuf,
    ending: &'static str,
    backslashes: bool,
}

impl Place {
    /// The place where most of the names given are files.
    pub fn find(root: &Path, names: &[&str]) -> Result<Self, String> {
        let tried: Vec<&str> = names.iter().step_by(names.len().div_ceil(TRIED).max(1)).copied().collect();
        let backslashes = tried.iter().all(|name| name.contains('\\') && !name.contains('/'));
        let bare = tried.iter().all(|name| Path::new(name).extension().is_none());
        let endings = if bare { [&[""], &EXTENSIONS[..]].concat() } else { vec![""] };
        let folders = [vec![PathBuf::new()], folders(root)].concat();
        let mut best = (0, Self::default());
        for (folder, ending) in folders.iter().flat_map(|folder| endings.iter().map(move |ending| (folder, *ending))) {
            let place = Self { folder: folder.clone(), ending, backslashes };
            let found = tried.iter().filter(|name| root.join(place.path(name)).is_file()).count();
            if found > best.0 {
                best = (found, place);
            }
            if found == tried.len() {
                break;
            }
        }
        match best {
            (0, _) => Err(format!(
                "none of the {} files looked for is there, the first being `{}`; paths are relative to the folder of the manifest",
                tried.len(),
                tried.first().copied().unwrap_or_default()
            )),
            (_, place) => Ok(place),
        }
    }

    /// The path of a name, below the manifest's folder or absolute.
    pub fn path(&self, name: &str) -> PathBuf {
        let name = if self.backslashes { name.replace('\\', "/") } else { name.to_owned() };
        let ending = if self.ending.is_empty() { String::new() } else { format!(".{}", self.ending) };
        self.folder.join(name + &ending)
    }

    /// What was added to the names, in words; nothing where they are paths as they stand.
    pub fn in_words(&self) -> String {
        if self.folder.as_os_str().is_empty() && self.ending.is_empty() {
            return String::new();
        }
        format!(" (read as `{}`)", self.path("NAME").to_string_lossy())
    }
}

/// The folders beside the manifest, in order.
fn folders(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let is_folder = |entry: &fs::DirEntry| entry.path().is_dir() && !entry.file_name().to_string_lossy().starts_with('.');
    let mut found: Vec<PathBuf> = entries.filter(is_folder).map(|entry| PathBuf::from(entry.file_name())).take(MAX_FOLDERS).collect();
    found.sort_unstable();
    found
}
