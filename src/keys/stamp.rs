//! What a ring looks like from outside, to tell whether it is worth reading again.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::ring::RECIPIENTS;

/// Names, times and sizes of a ring's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp(Vec<(PathBuf, Timestamp, u64)>);

impl Stamp {
    /// Of the files as they are now; what cannot be looked at is left out.
    #[must_use]
    pub fn of(dir: &Path) -> Self {
        let dirs = [dir.to_owned(), dir.join(RECIPIENTS)];
        let entries = dirs.iter().filter_map(|dir| std::fs::read_dir(dir).ok()).flatten().flatten();
        let mut files: Vec<_> = entries
            .filter_map(|entry| {
                let meta = entry.metadata().ok()?;
                Some((entry.path(), meta.modified().ok()?.try_into().ok()?, meta.len()))
            })
            .collect();
        files.sort();
        Self(files)
    }
}
