//! What a new set of policies is called, who wrote it, and what it changes: told when it takes force.

use crate::policy::PolicySet;
use crate::policy::difference;
use crate::policy::load::Texts;
use crate::policy::reach::Counts;
use crate::rights::policies::PolicyChange;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::SystemTime;

/// A set of policies with the texts that it was read from.
pub(super) type Read<'a> = (&'a PolicySet, &'a Texts);

/// Compares two sets, the second of which took force at a moment.
pub(super) fn change(
    (before, old): Read<'_>,
    (after, new): Read<'_>,
    counts: &Counts,
    at: SystemTime,
    author: Option<String>,
) -> PolicyChange {
    PolicyChange {
        at,
        hash: difference::hash(new),
        before: Some(difference::hash(old)),
        author,
        changes: difference::words((before.written(), old), (after.written(), new), counts),
    }
}

/// The set that rowgate begins with.
pub(super) fn beginning(texts: &Texts, author: Option<String>) -> PolicyChange {
    PolicyChange {
        at: SystemTime::now(),
        hash: difference::hash(texts),
        before: None,
        author,
        changes: vec!["rowgate begins with this set".to_owned()],
    }
}

/// Writes it to the log.
pub(super) fn tell(change: &PolicyChange) {
    let author = change.author.as_deref().unwrap_or("not in git");
    tracing::info!(hash = change.hash, author, "new policies are in force");
    for line in &change.changes {
        tracing::info!("policy: {line}");
    }
}

/// Who made the last commit, and which that is, if the files are kept in git; and whether they have been changed since.
/// Asks git, which may take a moment.
pub(super) fn author(directory: &Path) -> Option<String> {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        // whoever keeps the policies does not say what runs here
        command.arg("-C").arg(directory).args(["-c", "core.fsmonitor=false"]);
        command.args(arguments);
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
