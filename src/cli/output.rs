//! Where reports go, and in which form each: several from one run, for training is dear.
//!
//! Each `-o FILE` is a report of its own whose form follows from its extension; `-` is standard output. `--format` is the form of what
//! has no extension to go by, and of a single FILE whatever its extension. Without `-o` the report goes to standard output.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// A set of forms that a report can have.
pub trait Form: Copy + Default + 'static {
    /// Extensions of file names, without the dot, with the form that each stands for.
    const EXTENSIONS: &'static [(&'static str, Self)];
}

/// One report to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output<F> {
    /// The file; none is standard output.
    pub file: Option<PathBuf>,
    /// The form.
    pub form: F,
}

/// Why a report has nowhere to go.
#[derive(Debug, Error)]
pub enum OutputError {
    /// The extension says nothing.
    #[error("cannot tell the form of {} from its name: end it in {known}, or give --format", .path.display())]
    Form {
        /// As given.
        path: PathBuf,
        /// The extensions.
        known: String,
    },
    /// Two reports in one place.
    #[error("{} is given twice: each report needs a file of its own", .0.display())]
    Twice(PathBuf),
    /// No such folder.
    #[error("cannot write {}: the folder {} does not exist; make it first", .path.display(), .folder.display())]
    Folder {
        /// The file.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
    },
    /// A folder where a file is wanted.
    #[error("cannot write {}: it is a folder; name a file in it", .0.display())]
    IsFolder(PathBuf),
}

/// The reports that `--format` and `-o` ask for. Asked before anything is measured: what could not be written is said at once.
pub fn outputs<F: Form>(format: Option<F>, files: &[PathBuf]) -> Result<Vec<Output<F>>, OutputError> {
    if files.is_empty() {
        return Ok(vec![Output { file: None, form: format.unwrap_or_default() }]);
    }
    let mut outputs: Vec<Output<F>> = Vec::new();
    for path in files {
        let file = Some(path.clone()).filter(|path| path.as_os_str() != "-");
        if outputs.iter().any(|output| output.file == file) {
            return Err(OutputError::Twice(path.clone()));
        }
        if let Some(file) = &file {
            writable(file)?;
        }
        let form = match (format, &file) {
            (Some(format), _) if files.len() == 1 => format,
            (format, None) => format.unwrap_or_default(),
            (format, Some(file)) => {
                by_extension(file).or(format).ok_or_else(|| OutputError::Form { path: file.clone(), known: known::<F>() })?
            }
        };
        outputs.push(Output { file, form });
    }
    Ok(outputs)
}

fn by_extension<F: Form>(path: &Path) -> Option<F> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    // SARIF's other usual ending.
    let twofold = path.file_stem().is_some_and(|stem| Path::new(stem).extension().is_some_and(|stem| stem == "sarif"));
    let extension = if twofold { "sarif" } else { extension.as_str() };
    F::EXTENSIONS.iter().find(|(known, _)| *known == extension).map(|(_, form)| *form)
}

fn known<F: Form>() -> String {
    let names: Vec<String> = F::EXTENSIONS.iter().map(|(extension, _)| format!(".{extension}")).collect();
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => names.concat(),
    }
}

fn writable(path: &Path) -> Result<(), OutputError> {
    if path.is_dir() {
        return Err(OutputError::IsFolder(path.to_owned()));
    }
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) if !folder.is_dir() => Err(OutputError::Folder { path: path.to_owned(), folder: folder.to_owned() }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Format;

    fn forms(format: Option<Format>, files: &[&str]) -> Result<Vec<(Option<String>, Format)>, String> {
        let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        let outputs = outputs(format, &files).map_err(|error| error.to_string())?;
        Ok(outputs.into_iter().map(|output| (output.file.map(|file| file.display().to_string()), output.form)).collect())
    }

    fn file(name: &str, form: Format) -> (Option<String>, Format) {
        (Some(name.to_owned()), form)
    }

    #[test]
    fn without_a_file_the_report_goes_to_standard_output() {
        assert_eq!(forms(None, &[]).unwrap(), [(None, Format::Table)]);
        assert_eq!(forms(Some(Format::Json), &[]).unwrap(), [(None, Format::Json)]);
    }

    #[test]
    fn several_files_take_their_forms_from_their_extensions_and_the_rest_takes_format() {
        let files = ["-", "a.sarif", "b.XML", "c.md", "d.json", "e.txt", "f.sarif.json"];
        let expected = |form| {
            [
                (None, form),
                file("a.sarif", Format::Sarif),
                file("b.XML", Format::Junit),
                file("c.md", Format::Markdown),
                file("d.json", Format::Json),
                file("e.txt", Format::Plain),
                file("f.sarif.json", Format::Sarif),
            ]
        };
        assert_eq!(forms(None, &files).unwrap(), expected(Format::Table));
        assert_eq!(forms(Some(Format::Github), &files).unwrap(), expected(Format::Github));
        assert_eq!(forms(Some(Format::Table), &["a.sarif", "log"]).unwrap(), [file("a.sarif", Format::Sarif), file("log", Format::Table)]);
    }

    #[test]
    fn a_single_file_is_in_the_format_that_is_asked_for() {
        assert_eq!(forms(Some(Format::Sarif), &["report.json"]).unwrap(), [file("report.json", Format::Sarif)]);
        assert_eq!(forms(Some(Format::Table), &["report.txt"]).unwrap(), [file("report.txt", Format::Table)]);
        assert_eq!(forms(None, &["report.txt"]).unwrap(), [file("report.txt", Format::Plain)]);
    }

    #[test]
    fn what_cannot_be_written_is_refused_with_the_way_out() {
        let refused = |files: &[&str]| forms(None, files).unwrap_err();
        assert!(refused(&["report.sraif"]).contains("report.sraif") && refused(&["report"]).contains(".sarif"));
        assert!(refused(&["a.md", "-", "a.md"]).contains("a.md is given twice"));
        assert!(refused(&["no/such/a.md"]).contains("the folder no/such does not exist"));
        assert!(refused(&["src"]).contains("it is a folder"));
    }
}
