//! What a new set of policies is called, who wrote it, and what it changes: told when it takes force.

use crate::policy::PolicySet;
use crate::policy::difference;
use crate::policy::load::Texts;
use std::path::Path;
use std::process::{Command, Stdio};

/// A change of the policies in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// A line for each thing that is otherwise than before.
    pub changes: Vec<String>,
    /// The new set's name: a hash of its files.
    pub hash: String,
    /// Who made its last commit, and which that is, if the files are kept in git; and whether they have been changed since.
    pub author: Option<String>,
}

impl Report {
    /// Compares two sets. Asks git, which may take a moment.
    pub fn new((before, old): (&PolicySet, &Texts), (after, new): (&PolicySet, &Texts), directory: &Path) -> Self {
        Self {
            changes: difference::words((before.written(), old), (after.written(), new)),
            hash: difference::hash(new),
            author: author(directory),
        }
    }

    /// Writes it to the log.
    pub fn tell(&self) {
        let author = self.author.as_deref().unwrap_or("not in git");
        tracing::info!(hash = self.hash, author, "new policies are in force");
        for change in &self.changes {
            tracing::info!("policy: {change}");
        }
    }
}

fn author(directory: &Path) -> Option<String> {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(directory).args(arguments);
        command
            .env("GIT_OPTIONAL_LOCKS", "0")
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        let output = command.output().ok().filter(|o| o.status.success())?;
        String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
    };
    let last = git(&["log", "-1", "--format=%an <%ae>, %h", "--", "."]).filter(|text| !text.is_empty())?;
    let changed = git(&["status", "--porcelain", "--", "."]).is_some_and(|text| !text.is_empty());
    Some(if changed {
        format!("{last}, and changes that are not committed")
    } else {
        last
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_the_files_are() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(author(directory.path()), None);
        std::fs::write(directory.path().join("tables.toml"), "").unwrap();
        let git = |arguments: &[&str]| {
            let settings = [
                "-c",
                "user.name=Ann",
                "-c",
                "user.email=ann@example.com",
                "-c",
                "commit.gpgsign=false",
            ];
            let mut command = Command::new("git");
            command
                .current_dir(directory.path())
                .args(settings)
                .args(arguments)
                .stdout(Stdio::null());
            assert!(command.status().unwrap().success());
        };
        git(&["init", "-q"]);
        git(&["add", "."]);
        git(&["commit", "-q", "-m", "Policies"]);
        let said = author(directory.path()).unwrap();
        assert!(
            said.starts_with("Ann <ann@example.com>, ") && !said.contains("not committed"),
            "{said}"
        );
        std::fs::write(directory.path().join("tables.toml"), "[defaults]\n").unwrap();
        assert!(
            author(directory.path())
                .unwrap()
                .ends_with(", and changes that are not committed")
        );
    }
}
