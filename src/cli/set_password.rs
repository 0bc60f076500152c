//! `rowgate set-password LOGIN`: a password that is kept in the schema `rowgate`, where logins come from there.

use super::control;
use super::hash_password::read_password;
use crate::keeper::{Keeper, Source};
use crate::login::kept::Kept;
use std::path::PathBuf;
use std::process::ExitCode;

/// What the command takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The login name.
    login: String,
    /// The configuration file.
    #[arg(long, short, default_value = "rowgate.toml")]
    config: PathBuf,
    /// Who you are, for the history; the login of this machine unless given.
    #[arg(long)]
    by: Option<String>,
}

/// Asks for the password (or reads it from standard input), holds it to the rules and keeps its verifier.
pub fn run(arguments: Arguments) -> ExitCode {
    control::with_runtime(async move {
        let config = control::config(&arguments.config)?;
        let source = Source::from_config(&config)?;
        let watch = source.rights.clone().ok_or(
            "the configuration has no section [rights]: add it and run rowgate init, so that passwords can be kept",
        )?;
        let keeper = Keeper::begin(source).await.map_err(|e| e.to_string())?;
        if keeper
            .handle()
            .current()
            .directory
            .principal(&arguments.login)
            .is_none()
        {
            return Err(format!("no such person in the directory: {}", arguments.login));
        }
        let password = read_password().map_err(|e| format!("cannot read the password: {e}"))?;
        let by = arguments.by.or_else(|| std::env::var("USER").ok());
        let by = by.unwrap_or_else(|| "unknown".to_owned());
        let kept = Kept::open(&watch)?;
        let changed = kept
            .change(config.passwords, &arguments.login, &password, &by, None)
            .await;
        changed.map_err(|e| e.to_string())?;
        println!("the password of {} is set", arguments.login);
        Ok(())
    })
}
