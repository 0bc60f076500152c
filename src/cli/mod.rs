//! The command line: one file per command.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

pub mod check;
mod control;
pub mod demo;
pub mod explain;
pub mod hash_password;
pub mod init;
mod rights;
pub mod serve;
pub mod set_password;
mod set_totp;
pub mod test;
pub mod token;

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
    /// Give somebody rows, columns or a role for a time.
    Grant(rights::Arguments),
    /// Have somebody stand in for somebody else.
    Delegate(rights::Arguments),
    /// Keep a person, a role or a table out.
    Suspend(rights::Arguments),
    /// End a suspension.
    Resume(rights::Arguments),
    /// Share one record with a person or a team.
    Share(rights::Arguments),
    /// End that.
    Unshare(rights::Arguments),
    /// End a temporary right by its number.
    Revoke(rights::Arguments),
    /// Give what somebody asks for.
    Approve(rights::Arguments),
    /// Refuse it.
    Reject(rights::Arguments),
    /// List temporary rights, requests and every change: `rights of alice`, `rights history on customers 42`.
    Rights(rights::Arguments),
    /// Make an entry for a users file: a SCRAM verifier, never the password itself.
    HashPassword(hash_password::Arguments),
    /// Set the password of somebody whose login is kept in the schema `rowgate`.
    SetPassword(set_password::Arguments),
    /// Give somebody another second factor, or take theirs away.
    SetTotp(set_totp::Arguments),
    /// Make a short-lived token that is taken as somebody's password.
    Token(token::Arguments),
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
        Command::Grant(arguments) => rights::run(arguments, "grant"),
        Command::Delegate(arguments) => rights::run(arguments, "delegate"),
        Command::Suspend(arguments) => rights::run(arguments, "suspend"),
        Command::Resume(arguments) => rights::run(arguments, "resume"),
        Command::Share(arguments) => rights::run(arguments, "share"),
        Command::Unshare(arguments) => rights::run(arguments, "unshare"),
        Command::Revoke(arguments) => rights::run(arguments, "revoke"),
        Command::Approve(arguments) => rights::run(arguments, "approve"),
        Command::Reject(arguments) => rights::run(arguments, "reject"),
        Command::Rights(arguments) => rights::run(arguments, "rights"),
        Command::HashPassword(arguments) => hash_password::run(arguments),
        Command::SetPassword(arguments) => set_password::run(arguments),
        Command::SetTotp(arguments) => set_totp::run(arguments),
        Command::Token(arguments) => token::run(arguments),
    }
}
