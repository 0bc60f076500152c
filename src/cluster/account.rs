//! Under whom the server runs: its caller, or, since PostgreSQL refuses root, a lesser account.

use super::ClusterError;
use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The account of the server and of every program that touches its files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account {
    /// User and group to change to; `None` stays the caller.
    other: Option<(u32, u32)>,
}

impl Account {
    /// The caller, unless the caller is root: then `postgres`, else `nobody`.
    pub(super) fn for_server() -> Result<Self, ClusterError> {
        let id = Command::new("id").arg("-u").output()?;
        if String::from_utf8_lossy(&id.stdout).trim() != "0" {
            return Ok(Self { other: None });
        }
        let accounts = std::fs::read_to_string("/etc/passwd")?;
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| ids_of(&accounts, name))
            .map(|ids| Self { other: Some(ids) })
            .ok_or(ClusterError::NoAccount)
    }

    /// A program to run under this account: in a process group of its own, so that Ctrl-C reaches rowgate
    /// alone, and without the caller's PostgreSQL settings.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.process_group(0).current_dir("/").env("LC_ALL", "C");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        if let Some((user, group)) = self.other {
            command.uid(user).gid(group);
        }
        command
    }

    /// Hands a file to this account.
    pub(super) fn give(&self, path: &Path) -> io::Result<()> {
        match self.other {
            Some((user, group)) => std::os::unix::fs::chown(path, Some(user), Some(group)),
            None => Ok(()),
        }
    }

    /// Where this account may keep what saves time at the next start.
    pub(super) fn cache_directory(&self) -> Option<PathBuf> {
        let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        if let Some(chosen) = set("ROWGATE_CACHE") {
            return Some(chosen);
        }
        if self.other.is_some() {
            return Some(PathBuf::from("/var/cache/rowgate"));
        }
        let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
        Some(base.join("rowgate"))
    }
}

fn ids_of(accounts: &str, name: &str) -> Option<(u32, u32)> {
    let mut fields = accounts
        .lines()
        .map(|line| line.split(':'))
        .find(|fields| fields.clone().next() == Some(name))?
        .skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let passwd = "root:x:0:0::/root:/bin/sh\npostgres2:x:7:7::/:\npostgres:x:105:113:x:/var:/bin/sh\n";
        assert_eq!(ids_of(passwd, "postgres"), Some((105, 113)));
        assert_eq!(ids_of(passwd, "nobody"), None);
    }
}
