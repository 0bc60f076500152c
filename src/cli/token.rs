//! `rowgate token --as LOGIN`: a short-lived token that is taken as the password.

use crate::config::{Config, length_of_time};
use crate::login::token::Signer;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// What the command takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The login that it is for.
    #[arg(long = "as", value_name = "LOGIN")]
    login: String,
    /// How long it is good for, such as 30s, 15m or 1h.
    #[arg(long = "for", value_name = "TIME", default_value = "15m", value_parser = length)]
    good_for: Duration,
    /// Good for one login only.
    #[arg(long)]
    once: bool,
    /// The file to sign with: the secret, or the Ed25519 private key, PEM; unless told, the configuration's `[token] key`.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The configuration file.
    #[arg(long, short, default_value = "rowgate.toml")]
    config: PathBuf,
}

fn length(text: &str) -> Result<Duration, String> {
    length_of_time(text).ok_or_else(|| "write a number and a unit: 30s, 15m, 1h".to_owned())
}

/// Prints the token alone, so that `PGPASSWORD=$(rowgate token …)` works.
pub fn run(arguments: Arguments) -> ExitCode {
    match token(arguments) {
        Ok(token) => {
            println!("{token}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn token(arguments: Arguments) -> Result<String, String> {
    let key = match arguments.key {
        Some(key) => key,
        None => {
            let errors = |errors: Vec<_>| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
            let config = Config::load(&arguments.config).map_err(|e: Vec<crate::config::ConfigError>| errors(e))?;
            let token = config.proofs.token.ok_or_else(|| {
                let path = arguments.config.display();
                format!("rowgate: {path} has no [token] section: name a key file there, or with --key")
            })?;
            if arguments.good_for > token.longest {
                let most = token.longest.as_secs();
                return Err(format!(
                    "rowgate: a token may be good for {most} seconds at most, as [token] longest says"
                ));
            }
            token.key
        }
    };
    let now = u64::try_from(chrono::Utc::now().timestamp()).unwrap_or(0);
    let signer = Signer::load(&key).map_err(|e| format!("rowgate: {e}"))?;
    signer
        .sign(&arguments.login, now, arguments.good_for, arguments.once)
        .map_err(|e| format!("rowgate: {e}"))
}
