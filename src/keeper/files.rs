//! The policies directory: its texts, and a cheap look at whether they have changed.

use crate::policy::load::{Texts, read_directory};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What a look at the directory sees: name, time and length of every file.
pub(super) type Look = Vec<(PathBuf, Option<SystemTime>, u64)>;

/// Looks without reading.
pub(super) fn look(directory: &Path) -> Look {
    let mut seen = Vec::new();
    for below in ["", "tables", "roles", "tests"] {
        let Ok(entries) = std::fs::read_dir(directory.join(below)) else {
            continue;
        };
        for entry in entries.flatten() {
            if let Ok(meta) = std::fs::metadata(entry.path())
                && meta.is_file()
            {
                seen.push((entry.path(), meta.modified().ok(), meta.len()));
            }
        }
    }
    seen.sort();
    seen
}

/// Reads all texts.
pub(super) fn read(directory: &Path) -> io::Result<Texts> {
    read_directory(directory)
}
