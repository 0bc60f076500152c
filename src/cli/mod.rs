//! The command line: one file per command.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

pub mod check;
mod control;
pub mod demo;
pub mod explain;
pub mod hash_password;
pub mod init;
pub mod serve;
pub mod test;

/// A PostgreSQL proxy that gives every person their own view of a database.
#[derive(Debug, Parser)]
#[command(name = "rowgate", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Stand between clients and the database until told to stop.
    Serve(serve::Arguments),
    /// Hold the policies against the live database and tell every problem.
    Check(check::Arguments),
    /// Show on a throwaway PostgreSQL what five people see of one database.
    Demo(demo::Arguments),
    /// Run the policy's own tests, each as that person's session.
    Test(test::Arguments),
    /// Tell how somebody's statement would be judged, and why.
    Explain(explain::Arguments),
    /// Make the schema that temporary rights are kept in.
    Init(init::Arguments),
    /// Bring that schema up to date for this version of rowgate.
    Migrate(init::Arguments),
    /// Make an entry for a users file: a SCRAM verifier, never the password itself.
    HashPassword(hash_password::Arguments),
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve(arguments) => serve::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Demo(arguments) => demo::run(arguments),
        Command::Test(arguments) => test::run(arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Init(arguments) => init::run(arguments, false),
        Command::Migrate(arguments) => init::run(arguments, true),
        Command::HashPassword(arguments) => hash_password::run(arguments),
    }
}
