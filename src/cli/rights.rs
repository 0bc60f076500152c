//! `rowgate grant`, `delegate`, `share`, `suspend`, `rights` and their kin: the commands of temporary rights for whoever
//! holds the configuration.

use super::control;
use crate::keeper::{Keeper, Source};
use crate::refusal::Refusal;
use crate::rights::desk::Answer;
use crate::rights::language::of_arguments;
use crate::rights::may::Teller;
use std::path::PathBuf;
use std::process::ExitCode;

/// What these commands take.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The configuration file.
    #[arg(long, short, default_value = "rowgate.toml")]
    config: PathBuf,
    /// Who you are, for the history; the login of this machine unless given.
    #[arg(long)]
    by: Option<String>,
    /// The rest of the command, as in `rowgate delegate li to chen until 2026-12-31 reason 'leave'`; `rowgate rights
    /// help` lists what there is.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Carries out the command that begins with this word.
pub fn run(arguments: Arguments, first: &str) -> ExitCode {
    let text = match first {
        "rights" => format!("SHOW {}", listing(&arguments.words)),
        first => format!("{first} {}", of_arguments(&arguments.words)),
    };
    control::with_runtime(async move {
        let config = control::config(&arguments.config)?;
        let source = Source::from_config(&config)?;
        let keeper = Keeper::begin(source).await.map_err(|e| e.to_string())?;
        let desk = keeper.desk().ok_or(
            "the configuration has no section [rights]: add it and run rowgate init, so that temporary rights are used",
        )?;
        let by = arguments.by.or_else(|| std::env::var("USER").ok());
        let teller = Teller::Operator(by.unwrap_or_else(|| "unknown".to_owned()));
        let _keeping = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(keeper.run()));
        let answer = desk.carry_out(&teller, &text).await.map_err(|no| said(&text, &no))?;
        show(&answer);
        Ok(())
    })
}

/// `rights` alone lists the rights; the first word may say what else.
fn listing(words: &[String]) -> String {
    let kinds = ["rights", "history", "requests", "people", "policy", "help"];
    match words.first() {
        Some(first) if kinds.contains(&first.to_ascii_lowercase().as_str()) => of_arguments(words),
        _ => format!("RIGHTS {}", of_arguments(words)),
    }
}

fn said(text: &str, refusal: &Refusal) -> String {
    let mut lines = refusal.message.clone();
    if let Some(at) = refusal.offset {
        let before = text.get(..at).unwrap_or(text).chars().count();
        lines.push_str(&format!("\n  {text}\n  {}^", " ".repeat(before)));
    }
    for more in [&refusal.hint, &refusal.log].into_iter().flatten() {
        lines.push_str(&format!("\n{more}"));
    }
    lines
}

fn show(answer: &Answer) {
    for note in &answer.notes {
        println!("{}", plain(note));
    }
    if answer.columns.is_empty() {
        return;
    }
    println!("{}", answer.columns.join("\t"));
    for row in &answer.rows {
        let cells: Vec<String> = row.iter().map(|cell| plain(cell.as_deref().unwrap_or(""))).collect();
        println!("{}", cells.join("\t"));
    }
}

/// What people have written, so that it does nothing to a terminal and stays on its line.
fn plain(text: &str) -> String {
    let escaped = |c: char| match c {
        // direction marks and what else does not show, too
        c if c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
        {
            c.escape_default().collect::<String>()
        }
        c => c.to_string(),
    };
    text.chars().map(escaped).collect()
}
