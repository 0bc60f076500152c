//! `rowgate check`: are the policies right for this database? Every problem, with its place and what to do.

use super::{control, serve};
use crate::config::Config;
use crate::keeper::{Keeper, Source, StartError};
use std::path::PathBuf;
use std::process::ExitCode;

/// What the command takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The configuration file.
    #[arg(long, short, default_value = "rowgate.toml")]
    config: PathBuf,
    /// A policies directory other than the configuration's.
    #[arg(long)]
    policies: Option<PathBuf>,
}

/// Checks, tells, and fails if there is an error.
pub fn run(arguments: Arguments) -> ExitCode {
    control::with_runtime(async move {
        let mut config = control::config(&arguments.config)?;
        if let Some(policies) = arguments.policies {
            config.policies = policies;
        }
        check(&config).await
    })
}

async fn check(config: &Config) -> Result<(), String> {
    match Keeper::begin(Source::from_config(config)?).await {
        Ok(keeper) => {
            for warning in keeper.warnings() {
                println!("{warning}");
            }
            let world = keeper.handle().current();
            serve::check_role(config, &world).await?;
            let written = world.policies.written();
            println!(
                "{} tables, {} roles and {} tests are right for database {}; {} people may log in{}",
                written.tables.len(),
                written.roles.len(),
                written.tests.len(),
                world.catalog.database,
                world.directory.count(),
                match keeper.warnings().len() {
                    0 => String::new(),
                    1 => "; 1 warning above".to_owned(),
                    many => format!("; {many} warnings above"),
                }
            );
            Ok(())
        }
        Err(StartError::Policies(problems)) => {
            for problem in &problems {
                println!("{problem}");
            }
            let errors = problems
                .iter()
                .filter(|p| p.severity == crate::policy::file::Severity::Error)
                .count();
            Err(match errors {
                1 => "1 error: this set of policies would not be taken".to_owned(),
                many => format!("{many} errors: this set of policies would not be taken"),
            })
        }
        Err(other) => Err(other.to_string()),
    }
}
