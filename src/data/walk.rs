//! Reading folders: one `read_dir` each, no `stat` except for symbolic links.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::{DataError, EXTENSIONS};

/// Folders deeper than this below a class folder are not entered.
const MAX_DEPTH: usize = 16;

/// What one folder holds, each sorted by the bytes of the name, as Python sorts.
#[derive(Debug, Default)]
pub(super) struct Level {
    /// Folders, and links to folders.
    pub folders: Vec<OsString>,
    /// Those of them that are links.
    links: HashSet<OsString>,
    /// Files read as images, by extension; a broken link counts, for it fails when it is decoded.
    pub images: Vec<OsString>,
    /// All other files: how many by extension.
    pub others: BTreeMap<String, usize>,
}

/// Reads one folder.
pub(super) fn level(folder: &Path) -> Result<Level, DataError> {
    let failed = |source| DataError::Directory { path: folder.to_owned(), source };
    let mut level = Level::default();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        let target = if kind.is_symlink() { fs::metadata(entry.path()).ok().map(|metadata| metadata.file_type()) } else { Some(kind) };
        let name = entry.file_name();
        if target.is_some_and(|kind| kind.is_dir()) {
            if kind.is_symlink() {
                level.links.insert(name.clone());
            }
            level.folders.push(name);
        } else if is_image(Path::new(&name)) && target.is_none_or(|kind| kind.is_file()) {
            level.images.push(name);
        } else {
            *level.others.entry(extension(Path::new(&name))).or_default() += 1;
        }
    }
    level.folders.sort_unstable();
    level.images.sort_unstable();
    Ok(level)
}

/// What a folder and all below it hold.
#[derive(Debug, Default)]
pub(super) struct Below {
    /// The images, in order.
    pub images: Vec<PathBuf>,
    /// All other files: how many by extension.
    pub others: BTreeMap<String, usize>,
}

/// The images in and below `start`, as paths relative to `root`, in the order of torchvision's
/// `sorted(os.walk(start, followlinks=True))`: by the folder's path as a string, then by file name.
///
/// A link back to a folder that leads to it, or to one already entered through a link, is not followed.
pub(super) fn images_below(root: &Path, start: &Path) -> Result<Below, DataError> {
    let mut others = BTreeMap::new();
    let mut found: Vec<(PathBuf, Vec<OsString>)> = Vec::new();
    let mut linked: HashSet<PathBuf> = HashSet::new();
    let mut open = vec![(start.to_owned(), 0)];
    while let Some((folder, depth)) = open.pop() {
        let path = root.join(&folder);
        let level = level(&path)?;
        if depth < MAX_DEPTH {
            let follow = |name: &&OsString| !level.links.contains(*name) || is_new(&path, &path.join(name), &mut linked);
            open.extend(level.folders.iter().filter(follow).map(|name| (folder.join(name), depth + 1)));
        }
        level.others.into_iter().for_each(|(extension, count)| *others.entry(extension).or_default() += count);
        if !level.images.is_empty() {
            found.push((folder, level.images));
        }
    }
    found.sort_unstable_by(|a, b| a.0.as_os_str().cmp(b.0.as_os_str()));
    let images = found.into_iter().flat_map(|(folder, names)| names.into_iter().map(move |name| folder.join(name))).collect();
    Ok(Below { images, others })
}

fn is_new(folder: &Path, link: &Path, linked: &mut HashSet<PathBuf>) -> bool {
    match (folder.canonicalize(), link.canonicalize()) {
        (Ok(folder), Ok(target)) => !folder.starts_with(&target) && linked.insert(target),
        _ => false,
    }
}

fn is_image(name: &Path) -> bool {
    name.extension().is_some_and(|ending| EXTENSIONS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

fn extension(name: &Path) -> String {
    name.extension().map_or_else(|| "no extension".to_owned(), |ending| format!(".{}", ending.to_string_lossy().to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::Tree;

    #[test]
    fn images_come_in_the_order_of_pythons_sorted_walk() {
        // Checked with Python: "c/a b" sorts before "c/a/x", for " " is less than "/".
        let tree = Tree::of(&["c/a/x/1.png", "c/a b/1.png", "c/a/2.png", "c/a/10.png", "c/9.JPG", "c/notes.txt", "c/B.tiff"]);
        let images = images_below(tree.path(), Path::new("c")).unwrap().images;
        let expected = ["c/9.JPG", "c/B.tiff", "c/a/10.png", "c/a/2.png", "c/a b/1.png", "c/a/x/1.png"];
        assert_eq!(images, expected.map(PathBuf::from));
    }

    #[cfg(unix)]
    #[test]
    fn a_loop_of_links_ends_and_a_link_to_elsewhere_is_followed_once() {
        use std::os::unix::fs::symlink;
        let tree = Tree::of(&["c/1.png", "elsewhere/2.png"]);
        symlink(tree.path(), tree.path().join("c/loop")).unwrap();
        symlink(tree.path().join("elsewhere"), tree.path().join("c/link")).unwrap();
        symlink(tree.path().join("elsewhere"), tree.path().join("c/link2")).unwrap();
        symlink(tree.path().join("nowhere.png"), tree.path().join("c/broken.png")).unwrap();
        let images = images_below(tree.path(), Path::new("c")).unwrap().images;
        assert_eq!(images.len(), 3, "{images:?}");
        assert!(images.contains(&PathBuf::from("c/broken.png")), "{images:?}");
    }

    #[test]
    fn a_folder_that_cannot_be_read_is_named() {
        let tree = Tree::of(&["c/1.png"]);
        let message = level(&tree.path().join("c/1.png")).unwrap_err().to_string();
        assert!(message.starts_with("cannot read folder `") && message.contains("c/1.png"), "{message}");
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_utf8_are_listed() {
        use std::os::unix::ffi::OsStringExt;
        let tree = Tree::of(&["c/1.png"]);
        fs::write(tree.path().join("c").join(OsString::from_vec(b"\xff.png".to_vec())), "").unwrap();
        assert_eq!(images_below(tree.path(), Path::new("c")).unwrap().images.len(), 2);
    }
}
