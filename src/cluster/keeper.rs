//! The process that outlives rowgate by a moment, to stop the server and remove its files whatever ended rowgate.

use super::account::Account;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};

/// Waits until its input ends, which the operating system sees to when its parent is gone.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
cat >/dev/null
if read -r server <"$1/data/postmaster.pid"; then
    kill -QUIT "$server"
    while kill -0 "$server"; do sleep 0.02; done
    rm -rf "$1"
else
    # whoever is still making the data finds it gone and gives up, but may leave a last file
    rm -rf "$1"
    (for pause in 1 1 2 4 8; do sleep "$pause"; rm -rf "$1"; done) &
fi
"#;

/// A temporary directory for one cluster, and the process that clears it away.
#[derive(Debug)]
pub(super) struct Keeper {
    directory: PathBuf,
    process: Child,
    leash: Option<ChildStdin>,
}

impl Keeper {
    pub(super) fn new(account: &Account) -> io::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("rowgate-")
            .tempdir_in(temp_dir(account))?;
        let log = directory.path().join("log");
        File::create(&log)?;
        account.give(&log)?;
        account.give(directory.path())?;
        let mut process = account
            .command("/bin/sh")
            .args(["-c", SCRIPT, "rowgate-keeper"])
            .arg(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self {
            leash: process.stdin.take(),
            process,
            directory: directory.keep(),
        })
    }

    /// The directory that only the server's account can enter.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The server's data directory.
    pub(super) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// The server's log, to append to.
    pub(super) fn open_log(&self) -> io::Result<File> {
        File::options().append(true).open(self.directory.join("log"))
    }

    /// The end of the server's log.
    pub(super) fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("; ")
    }

    /// Tells the keeper to clear away.
    pub(super) fn release(&mut self) {
        self.leash = None;
    }

    /// Waits until it has.
    pub(super) fn wait(&mut self) {
        self.release();
        // one that cannot be waited for has ended already
        let _ = self.process.wait();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.wait();
    }
}

/// The usual place, unless the account cannot enter it or a socket's path, which must stay below some hundred
/// bytes, would not fit.
fn temp_dir(account: &Account) -> PathBuf {
    let usual = std::env::temp_dir();
    let enters = account
        .command("test")
        .arg("-x")
        .arg(&usual)
        .status()
        .is_ok_and(|status| status.success());
    if enters && usual.as_os_str().len() <= 60 {
        usual
    } else {
        PathBuf::from("/tmp")
    }
}
