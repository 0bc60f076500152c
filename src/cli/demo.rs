//! `rowgate demo`: shows on a throwaway PostgreSQL what five people see of one database.

use crate::demo::data::Scale;
use crate::demo::run::{Options, run as run_demo};
use std::path::PathBuf;
use std::process::ExitCode;

/// What the command takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// End after the table instead of serving until Ctrl-C.
    #[arg(long)]
    once: bool,
    /// Use this database instead of a throwaway server: postgresql://SUPERUSER:PASSWORD@HOST/DATABASE. It is
    /// filled if the demonstration's tables are not there yet, and they stay.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// How much data: 1 is 2,000 customers and all that belongs to them.
    #[arg(long, value_name = "N", default_value = "1")]
    scale: Scale,
    /// The policies to put in force.
    #[arg(long, value_name = "DIRECTORY", default_value = "policies")]
    policies: PathBuf,
    /// The port to listen on; 6432 unless somebody has it.
    #[arg(long)]
    port: Option<u16>,
    /// Only fill the database that --database names.
    #[arg(long, requires = "database", conflicts_with = "once")]
    fill_only: bool,
}

/// Runs until the table is shown, or until Ctrl-C.
pub fn run(arguments: Arguments) -> ExitCode {
    let options = Options {
        once: arguments.once,
        fill_only: arguments.fill_only,
        database: arguments.database,
        scale: arguments.scale,
        policies: arguments.policies,
        port: arguments.port,
    };
    let ended = tokio::runtime::Runtime::new()
        .map_err(|e| e.to_string())
        .and_then(|runtime| runtime.block_on(run_demo(&options)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rowgate: {error}");
            ExitCode::FAILURE
        }
    }
}
