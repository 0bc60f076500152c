//! `rowgate serve`: stands between clients and the database until told to stop.

use crate::config::Config;
use std::path::PathBuf;
use std::process::ExitCode;

/// What the command takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The configuration file.
    #[arg(long, short, default_value = "rowgate.toml")]
    config: PathBuf,
}

/// Runs until SIGTERM or SIGINT.
pub fn run(arguments: Arguments) -> ExitCode {
    match Config::load(&arguments.config) {
        Ok(_) => ExitCode::SUCCESS,
        Err(errors) => {
            for error in errors {
                eprintln!("{error}");
            }
            ExitCode::FAILURE
        }
    }
}
