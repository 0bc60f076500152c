//! What the commands that look at a world share: the configuration, the connection, the runtime.

use crate::config::Config;
use std::future::Future;
use std::path::Path;
use std::process::ExitCode;

/// Runs a command's body; what it fails with is told on standard error.
pub(super) fn with_runtime(body: impl Future<Output = Result<(), String>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot begin: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(body) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            if !message.is_empty() {
                eprintln!("{message}");
            }
            ExitCode::FAILURE
        }
    }
}

/// The configuration, or all of its errors.
pub(super) fn config(path: &Path) -> Result<Config, String> {
    Config::load(path).map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}
