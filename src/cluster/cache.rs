//! Data directories of earlier starts, to copy instead of making them again.

use super::account::Account;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// So many are kept; the least recently used go.
const KEPT: usize = 8;

/// How the name of a copy begins until it is whole.
const UNFINISHED: &str = "unfinished-";

/// One that is this old belongs to a process that was killed.
const ABANDONED: Duration = Duration::from_secs(3600);

/// The place of one data directory in the cache. Every failure here only costs time, so none is told.
#[derive(Debug)]
pub(super) struct Entry {
    path: Option<PathBuf>,
}

impl Entry {
    /// The entry for this server version and this key (any text; what the data is made from).
    pub(super) fn of(account: &Account, version: &str, key: &str) -> Self {
        let digest = Sha256::digest(key.as_bytes());
        let short: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self {
            path: account
                .cache_directory()
                .map(|cache| cache.join(format!("{version}-{short}"))),
        }
    }

    /// Copies the kept directory to `data`, if there is one.
    pub(super) fn restore(&self, account: &Account, data: &Path) -> bool {
        let Some(path) = self.path.as_ref().filter(|path| path.join("PG_VERSION").is_file()) else {
            return false;
        };
        let copied = done(account, "cp", &["-Rp".as_ref(), path.as_ref(), data.as_ref()]);
        if copied {
            done(account, "touch", &[path.as_ref()]);
        } else {
            done(account, "rm", &["-rf".as_ref(), data.as_ref()]);
        }
        copied
    }

    /// Keeps a copy of `data`, a data directory whose server has been stopped.
    pub(super) fn store(&self, account: &Account, data: &Path) {
        let Some(path) = &self.path else { return };
        let Some(cache) = path.parent() else { return };
        if std::fs::create_dir_all(cache).is_ok() {
            // made by root for the account; a cache that is another's fails at the copy
            let _ = account.give(cache);
        }
        let unfinished = cache.join(format!("{UNFINISHED}{}", std::process::id()));
        if done(account, "cp", &["-Rp".as_ref(), data.as_ref(), unfinished.as_ref()]) {
            // fails if somebody else was faster, who has the same
            let _ = std::fs::rename(&unfinished, path);
        }
        done(account, "rm", &["-rf".as_ref(), unfinished.as_ref()]);
        prune(account, cache);
    }
}

fn prune(account: &Account, cache: &Path) {
    let Ok(entries) = std::fs::read_dir(cache) else { return };
    let (unfinished, mut whole): (Vec<_>, Vec<_>) = entries
        .flatten()
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .filter(|(_, path)| path.join("PG_VERSION").is_file())
        .partition(|(_, path)| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(UNFINISHED))
        });
    whole.sort();
    let surplus = whole.len().saturating_sub(KEPT);
    let abandoned = unfinished
        .iter()
        .filter(|(since, _)| since.elapsed().is_ok_and(|age| age > ABANDONED));
    for (_, path) in whole.iter().take(surplus).chain(abandoned) {
        done(account, "rm", &["-rf".as_ref(), path.as_ref()]);
    }
}

fn done(account: &Account, program: &str, arguments: &[&std::ffi::OsStr]) -> bool {
    account
        .command(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
