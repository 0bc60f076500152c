//! `rowgate grant`, `delegate`, `share`, `suspend`, `rights` and their kin: the commands of temporary rights for whoever
//! holds the configuration.

use super::control;
use crate::keeper::{Keeper, Source};
use crate::refusal::Refusal;
use crate::rights::desk::Answer;
use crate::rights::language::of_arguments;
use crate::rights::may::Teller;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use unicode_width::UnicodeWidthStr;

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
        // a shell leaves the parentheses of `'view on contacts(phone)'` alone where they stand between quotes
        "grant" => match arguments.words.split_first() {
            Some((what, rest)) if what.contains(' ') => format!("grant {what} {}", of_arguments(rest)),
            _ => format!("grant {}", of_arguments(&arguments.words)),
        },
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
    let kinds = ["rights", "history", "requests", "people", "policy", "pools", "help"];
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
    let head = answer.columns.iter().map(|name| (*name).to_owned()).collect();
    let cells = |row: &Vec<Option<String>>| row.iter().map(|cell| plain(cell.as_deref().unwrap_or(""))).collect();
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(answer.rows.iter().map(cells)).collect();
    if std::io::stdout().is_terminal() {
        print!("{}", aligned(&lines));
        return;
    }
    for line in lines {
        println!("{}", line.join("\t"));
    }
}

/// Columns below each other, for people; programs read tabs.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |at: usize| {
        lines
            .iter()
            .filter_map(|line| Some(line.get(at)?.width()))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |cells: &Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| {
            let room = width.saturating_sub(cell.width());
            format!("{cell}{}", " ".repeat(room))
        });
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    lines.iter().map(line).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let lines = [["number", "who", "what"], ["1", "刘强", "x"], ["12", "al", ""]];
        let lines = lines.map(|line| line.map(str::to_owned).to_vec());
        assert_eq!(aligned(&lines), "number  who   what\n1       刘强  x\n12      al\n");
    }
}
