//! `rowgate set-totp LOGIN`: a second factor beside the password, kept in the schema `rowgate`.

use super::control;
use crate::config::LoginMethod;
use crate::keeper::{Keeper, Source};
use crate::login::factors::{self, Factors};
use crate::login::kept::Kept;
use crate::login::totp;
use std::path::PathBuf;
use std::process::ExitCode;

/// What the command takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The login name.
    login: String,
    /// Take the second factor away: where one is asked for, the login is refused from then on.
    #[arg(long)]
    remove: bool,
    /// The configuration file.
    #[arg(long, short, default_value = "rowgate.toml")]
    config: PathBuf,
    /// Who you are, for the history; the login of this machine unless given.
    #[arg(long)]
    by: Option<String>,
}

/// Makes a second factor and prints what its owner's authenticator reads, or removes it.
pub fn run(arguments: Arguments) -> ExitCode {
    control::with_runtime(async move {
        let config = control::config(&arguments.config)?;
        if config.login.method == LoginMethod::UsersFile {
            let what = "second factors stand in the users file: rowgate hash-password LOGIN --totp --file makes them";
            return Err(what.to_owned());
        }
        let source = Source::from_config(&config)?;
        let watch = source.rights.clone().ok_or(
            "the configuration has no section [rights]: add it and run rowgate init, so that second factors can be kept",
        )?;
        let kept = Kept::open(&watch)?;
        let login = &arguments.login;
        let by = arguments.by.or_else(|| std::env::var("USER").ok());
        let by = by.unwrap_or_else(|| "unknown".to_owned());
        if arguments.remove {
            // whoever has left is no person any more
            let had = factors::remove(&kept, login, &by).await.map_err(|e| e.to_string())?;
            if !had {
                return Err(format!("{login} has no second factor"));
            }
            println!("the second factor of {login} is removed");
            return Ok(());
        }
        let key =
            config.login.totp_key.as_deref().ok_or(
                "the configuration has no totp_key under [login]: make the file with: openssl rand -base64 48",
            )?;
        let factors = Factors::open(kept, key)?;
        let keeper = Keeper::begin(source).await.map_err(|e| e.to_string())?;
        if keeper.handle().current().directory.principal(login).is_none() {
            return Err(format!("no such person in the directory: {login}"));
        }
        let secret = factors.set(login, &by).await.map_err(|e| e.to_string())?;
        eprintln!("the second factor of {login} is set; their authenticator reads this, which is shown only now:");
        println!("{}", totp::address(login, &secret));
        Ok(())
    })
}
