//! The newest PostgreSQL server binaries of this machine.

use super::ClusterError;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One installation.
#[derive(Debug)]
pub(super) struct Binaries {
    directory: PathBuf,
    /// As the server prints it, such as `15.4` or `18beta1`.
    pub(super) version: String,
}

impl Binaries {
    /// The newest of those on the PATH and in the places of distributions; `ROWGATE_POSTGRES` names a
    /// directory to take instead.
    pub(super) fn newest() -> Result<Self, ClusterError> {
        let places = match std::env::var_os("ROWGATE_POSTGRES") {
            Some(chosen) => vec![PathBuf::from(chosen)],
            None => places(),
        };
        places
            .into_iter()
            .filter_map(Self::at)
            .max_by_key(|found| order(&found.version))
            .ok_or(ClusterError::NoBinaries)
    }

    /// The full path of one program.
    pub(super) fn path(&self, program: &str) -> PathBuf {
        self.directory.join(program)
    }

    fn at(directory: PathBuf) -> Option<Self> {
        if !directory.join("initdb").is_file() || !directory.join("pg_ctl").is_file() {
            return None;
        }
        let output = Command::new(directory.join("postgres"))
            .arg("--version")
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let version = text
            .strip_prefix("postgres (PostgreSQL) ")?
            .split_whitespace()
            .next()?
            .to_owned();
        Some(Self { directory, version })
    }
}

/// Every directory that may hold server binaries.
fn places() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default();
    for (parent, prefix) in [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/opt/homebrew/opt", "postgresql"),
        ("/usr/local/opt", "postgresql"),
    ] {
        places.extend(below(Path::new(parent), prefix));
    }
    places
}

fn below(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path().join("bin"))
        .collect()
}

/// Major and minor version; of a beta, the major alone, so that a release of it counts as newer.
fn order(version: &str) -> (u32, u32) {
    let digits = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text.get(..end).and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    let mut parts = version.split('.');
    (parts.next().map_or(0, digits), parts.next().map_or(0, digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(order("18beta1") > order("9.6.24"));
        assert!(order("15.20") > order("15.4"));
        assert!(order("18.0") >= order("18beta1"));
    }
}
