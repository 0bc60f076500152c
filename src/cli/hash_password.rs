//! `rowgate hash-password LOGIN`: one line for a users file.

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

/// What the command takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The login name.
    login: String,
}

/// Asks for the password (or reads it from standard input) and prints `"login" "SCRAM-SHA-256$…"`.
pub fn run(arguments: Arguments) -> ExitCode {
    let password = match read_password() {
        Ok(password) => password,
        Err(error) => {
            eprintln!("rowgate: cannot read the password: {error}");
            return ExitCode::FAILURE;
        }
    };
    if password.is_empty() {
        eprintln!("rowgate: an empty password is not accepted");
        return ExitCode::FAILURE;
    }
    println!("{}", entry(&arguments.login, &password));
    ExitCode::SUCCESS
}

/// The users file's line for one login, as `wire::users_file` reads it.
fn entry(login: &str, password: &str) -> String {
    let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
    format!("\"{}\" \"{verifier}\"", login.replace('"', "\"\""))
}

fn read_password() -> std::io::Result<String> {
    if std::io::stdin().is_terminal() {
        return rpassword::prompt_password("password: ");
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}
