//! `rowgate init` and `rowgate migrate`: the schema that temporary rights are kept in.

use super::control;
use crate::config::Config;
use crate::keeper::Source;
use crate::rights::schema::{self, Done, SchemaError};
use std::path::PathBuf;
use std::process::ExitCode;

/// What both commands take.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The configuration file.
    #[arg(long, short, default_value = "rowgate.toml")]
    config: PathBuf,
    /// The database, as somebody who may create a schema there: postgres://owner@host/database. Unless given, the one
    /// of the configuration, as the role that it names.
    #[arg(long)]
    database: Option<String>,
    /// Print the SQL for psql instead of running it.
    #[arg(long)]
    print: bool,
}

/// Makes the schema, or brings it up to date.
pub fn run(arguments: Arguments, migrate: bool) -> ExitCode {
    control::with_runtime(async move {
        let config = control::config(&arguments.config)?;
        let serving = serving(&config)?;
        if arguments.print && !migrate {
            print!("{}", schema::script(&serving, 0));
            return Ok(());
        }
        let (mut watch, elsewhere) = match Source::from_config(&config)?.rights {
            Some(watch) => (watch, config.rights.as_ref().is_some_and(|r| r.database.is_some())),
            None => {
                let what = "the configuration has no section [rights]: add it, so that temporary rights are used";
                return Err(what.to_owned());
            }
        };
        if let Some(url) = &arguments.database {
            watch.database = url.parse().map_err(|e| format!("--database: {e}"))?;
        }
        let mut line = watch.open().await.map_err(|e| SchemaError::from(e).to_string())?;
        if migrate {
            match schema::found(line.client()).await {
                Ok(None) => return Err(SchemaError::Missing.to_string()),
                Ok(Some(before)) if before > schema::version() => return Err(SchemaError::Newer(before).to_string()),
                Ok(Some(before)) if arguments.print => {
                    print!("{}", schema::script(&serving, before));
                    return Ok(());
                }
                Ok(Some(_)) => {}
                Err(error) => return Err(SchemaError::from(error).to_string()),
            }
        }
        let done = schema::prepare(line.client_mut(), &serving, elsewhere).await;
        match done.map_err(|e| e.to_string())? {
            Done::Made => println!("the schema rowgate is made (version {})", schema::version()),
            Done::Nothing => println!(
                "the schema rowgate is there and up to date (version {})",
                schema::version()
            ),
            Done::Migrated(from) => println!("the schema rowgate went from version {from} to {}", schema::version()),
        }
        Ok(())
    })
}

/// The role that rowgate reads and writes rights as.
fn serving(config: &Config) -> Result<String, String> {
    let elsewhere = config.rights.as_ref().and_then(|r| r.database.as_ref());
    match elsewhere {
        None => Ok(config.upstream.user.clone()),
        Some(database) => database
            .get_user()
            .map(str::to_owned)
            .ok_or_else(|| "rights.database names no user".to_owned()),
    }
}
