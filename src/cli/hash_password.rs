//! `rowgate hash-password LOGIN`: one line for a users file, or one login's line in it.

use crate::config::Config;
use crate::login::passwords::PasswordRules;
use crate::login::totp;
use crate::wire::scram::Verifier;
use crate::wire::users_file::{self, Entry};
use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What the command takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The login name.
    login: String,
    /// Change the login's line in this users file: former passwords are kept there, so that they do not come again.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Make a secret for one-time passwords, and tell what an authenticator reads.
    #[arg(long)]
    totp: bool,
    /// The configuration file, for [passwords]; without it the defaults hold.
    #[arg(long, short)]
    config: Option<PathBuf>,
}

/// Asks for the password (or reads it from standard input) and prints `"login" "SCRAM-SHA-256$…"`, or changes a file.
pub fn run(arguments: Arguments) -> ExitCode {
    match hash(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rowgate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn hash(arguments: &Arguments) -> Result<(), String> {
    let rules = rules(arguments.config.as_deref())?;
    let known = match &arguments.file {
        Some(path) if path.exists() => users_file::load(path)?.remove(&arguments.login),
        Some(_) | None => None,
    };
    let password = read_password().map_err(|e| format!("cannot read the password: {e}"))?;
    if password.is_empty() {
        return Err("an empty password is not accepted".to_owned());
    }
    let entry = renewed(&rules, known, &arguments.login, &password, arguments.totp)?;
    if let (true, Some(secret)) = (arguments.totp, &entry.totp) {
        eprintln!("{}", totp::address(&arguments.login, secret));
    }
    match &arguments.file {
        None => println!("{}", entry.line(&arguments.login)),
        Some(path) => replace(path, &arguments.login, &entry)?,
    }
    Ok(())
}

fn rules(config: Option<&Path>) -> Result<PasswordRules, String> {
    let Some(path) = config else {
        return Ok(PasswordRules::default());
    };
    let config = Config::load(path);
    let lines =
        |errors: Vec<crate::config::ConfigError>| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    config.map(|c| c.passwords).map_err(lines)
}

/// The entry with its new password; what it was before is kept as far as the rules ask for it.
fn renewed(
    rules: &PasswordRules,
    known: Option<Entry>,
    login: &str,
    password: &str,
    totp: bool,
) -> Result<Entry, String> {
    let known = known.unwrap_or_default();
    let mut was: Vec<String> = [known.verifier]
        .into_iter()
        .filter(|v| !v.is_empty())
        .chain(known.was)
        .collect();
    was.truncate(rules.history);
    let is_former = || {
        let mut verifiers = was.iter().filter_map(|text| Verifier::parse(text));
        verifiers.any(|verifier| verifier.fits(password))
    };
    rules.check(login, password, is_former)?;
    Ok(Entry {
        verifier: postgres_protocol::password::scram_sha_256(password.as_bytes()),
        changed: Some(chrono::Utc::now().date_naive()),
        totp: if totp { Some(totp::new_secret()) } else { known.totp },
        was,
    })
}

/// Writes the file anew beside the old one and puts it in its place, so that nobody reads half of it.
fn replace(path: &Path, login: &str, entry: &Entry) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("cannot write {}: {e}", path.display());
    let (text, mode) = match std::fs::read_to_string(path) {
        Ok(text) => (
            text,
            std::fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777,
        ),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => (String::new(), 0o600),
        Err(e) => return Err(failed(e)),
    };
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new("."))).map_err(failed)?;
    file.write_all(users_file::with_entry(&text, login, entry).as_bytes())
        .map_err(failed)?;
    file.as_file()
        .set_permissions(std::fs::Permissions::from_mode(mode))
        .map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}

/// From the terminal, or the first line of standard input.
pub(super) fn read_password() -> std::io::Result<String> {
    if std::io::stdin().is_terminal() {
        return rpassword::prompt_password("password: ");
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn former_passwords_do_not_come_again() {
        let rules = PasswordRules {
            history: 2,
            ..PasswordRules::default()
        };
        let one = renewed(&rules, None, "alice", "tarn violet gasket moor", true).unwrap();
        assert!(one.totp.is_some() && one.was.is_empty());
        let two = renewed(&rules, Some(one.clone()), "alice", "lintel orbit spruce fen", false).unwrap();
        assert_eq!((&two.totp, two.was.len()), (&one.totp, 1));
        let again = |known: &Entry| renewed(&rules, Some(known.clone()), "alice", "tarn violet gasket moor", false);
        assert_eq!(again(&one).unwrap_err(), "the password was used before");
        assert_eq!(again(&two).unwrap_err(), "the password was used before");
        let three = renewed(&rules, Some(two), "alice", "gravel heron ambit sedge", false).unwrap();
        let four = renewed(&rules, Some(three), "alice", "quill marten dredge loam", false).unwrap();
        assert!(again(&four).is_ok());
    }

    #[test]
    fn a_file_is_changed_in_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users.txt");
        let entry = renewed(&PasswordRules::default(), None, "bob", "tarn violet gasket moor", false).unwrap();
        for login in ["bob", "alice", "bob"] {
            replace(&path, login, &entry).unwrap();
        }
        let users = users_file::load(&path).unwrap();
        assert_eq!((users.len(), users.get("bob")), (2, Some(&entry)));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
