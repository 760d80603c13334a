//! Finds the text files of the repository.

use std::path::{Path, PathBuf};

use anyhow::{Context, Error};

/// A file of the repository.
#[derive(Debug)]
pub(crate) struct File {
    /// Relative to the root of the repository.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl File {
    /// Whether the name ends in `.extension`.
    pub(crate) fn is(&self, extension: &str) -> bool {
        self.path.extension().is_some_and(|of| of == extension)
    }
}

/// Reads every text file below `root`, sorted by path; build output and version control are
/// left out.
///
/// # Errors
/// When a directory or file cannot be read.
pub(crate) fn all_below(root: &Path) -> Result<Vec<File>, Error> {
    let mut files = Vec::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(directory) = open.pop() {
        let entries = std::fs::read_dir(&directory)
            .with_context(|| format!("cannot list {}", directory.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                if !is_left_out(&path) {
                    open.push(path);
                }
            } else if let Some(text) = text_of(&path)? {
                let path = path.strip_prefix(root).unwrap_or(&path).to_path_buf();
                files.push(File { path, text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Cargo marks its target directory with a CACHEDIR.TAG, wherever that is.
fn is_left_out(directory: &Path) -> bool {
    let is_named = |name: &str| directory.file_name().is_some_and(|of| of == name);
    is_named(".git")
        || is_named("target")
        || is_named("node_modules")
        || directory.join("CACHEDIR.TAG").exists()
}

/// The text of a file, or none if it is not UTF-8.
fn text_of(path: &Path) -> Result<Option<String>, Error> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(String::from_utf8(bytes).ok())
}
