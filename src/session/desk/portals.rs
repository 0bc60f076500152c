//! The extended protocol: statements and portals, of which one at a time keeps rows.

use super::telling::{complete, tell_row};
use super::{MOST, Talk};
use crate::net::frame::put;
use crate::refusal::{Refusal, SqlState};
use crate::rights::desk::Answer;
use crate::rights::language::{self, Command};
use crate::wire::message::Target;
use bytes::BufMut;
use std::sync::Arc;

/// Most bytes of prepared statements in one session.
const MOST_TEXT: usize = 256 << 10;

pub(super) struct Portal {
    text: Arc<str>,
    /// The answer, once it was carried out, and how many of its rows were given. When all were, it has none any more.
    answer: Option<(Answer, usize)>,
}

impl Portal {
    fn text(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    fn has_more(&self) -> bool {
        self.answer.as_ref().is_some_and(|(answer, _)| !answer.rows.is_empty())
    }
}

impl Talk<'_> {
    pub(super) fn parse(&mut self, name: &str, text: &str) {
        if text.len() > language::LONGEST {
            self.refuse(&too_long(), "", true);
        } else if self.has_no_room(name, text.len()) {
            self.refuse(&too_many(), text, true);
        } else {
            self.statements.insert(name.to_owned(), text.into());
            self.say(b'1');
        }
    }

    /// For a statement of this length, in place of the one that has its name.
    fn has_no_room(&self, name: &str, length: usize) -> bool {
        let others = self.statements.iter().filter(|(other, _)| *other != name);
        let (count, kept) = others.fold((0, 0), |(count, kept), (_, text)| (count + 1, kept + text.len()));
        count >= MOST || kept + length > MOST_TEXT
    }

    pub(super) fn bind(&mut self, portal: &str, statement: &str, without_parameters: bool) {
        if !without_parameters {
            let refusal = Refusal::unsupported("no-parameters", "commands of rowgate take no parameters");
            self.refuse(&refusal, "", true);
        } else if self.portals.len() >= MOST && !self.portals.contains_key(portal) {
            self.refuse(&too_many(), "", true);
        } else if let Some(text) = self.statements.get(statement).cloned() {
            self.portals.insert(portal.to_owned(), Portal { text, answer: None });
            self.say(b'2');
        } else {
            self.refuse(&missing("prepared statement", statement), "", true);
        }
    }

    pub(super) fn describe(&mut self, target: Target<'_>) {
        let (kind, name, text) = match target {
            Target::Statement(name) => ("prepared statement", name, self.statements.get(name).cloned()),
            Target::Portal(name) => ("portal", name, self.portals.get(name).map(Portal::text)),
        };
        let Some(text) = text else {
            return self.refuse(&missing(kind, name), "", true);
        };
        let columns = match language::command(&text) {
            Ok(Command::Show(what)) => what.columns(),
            _ => Vec::new(),
        };
        if matches!(target, Target::Statement(_)) {
            put(&mut self.client.output, b't', |out| out.put_u16(0));
        }
        if columns.is_empty() {
            self.say(b'n');
        } else {
            self.describe_rows(&columns);
        }
    }

    pub(super) async fn execute(&mut self, name: &str, max_rows: i32) {
        let Some(portal) = self.portals.get(name) else {
            return self.refuse(&missing("portal", name), "", true);
        };
        let text = portal.text();
        if portal.answer.is_none() {
            if self.portals.values().any(Portal::has_more) {
                return self.refuse(&rows_left(), "", true);
            }
            match self.carry_out(&text).await {
                Ok(answer) => {
                    self.tell_notes(&answer);
                    if let Some(portal) = self.portals.get_mut(name) {
                        portal.answer = Some((answer, 0));
                    }
                }
                Err(refusal) => return self.refuse(&refusal, &text, true),
            }
        }
        let Some((answer, given)) = self.portals.get_mut(name).and_then(|p| p.answer.as_mut()) else {
            return;
        };
        let most = usize::try_from(max_rows).ok().filter(|n| *n > 0).unwrap_or(usize::MAX);
        let before = *given;
        for row in answer.rows.iter().skip(before).take(most) {
            tell_row(&mut self.client.output, row);
            *given += 1;
        }
        if *given < answer.rows.len() {
            put(&mut self.client.output, b's', |_| {});
        } else {
            complete(&mut self.client.output, answer, *given - before);
            answer.rows = Vec::new();
            *given = 0;
        }
    }
}

fn missing(kind: &str, name: &str) -> Refusal {
    let state = if kind == "portal" {
        SqlState::InvalidCursorName
    } else {
        SqlState::InvalidSqlStatementName
    };
    Refusal::new("no-such-name", state, format!("{kind} \"{name}\" does not exist"))
}

fn too_many() -> Refusal {
    let message = "this session has too many prepared statements or portals";
    Refusal::new("too-many-names", SqlState::ConfigurationLimitExceeded, message)
}

fn too_long() -> Refusal {
    let message = format!("this command is longer than {} bytes", language::LONGEST);
    Refusal::new("command-syntax", SqlState::SyntaxError, message)
}

fn rows_left() -> Refusal {
    let message = "another portal of this session has rows left";
    Refusal::new("rows-left", SqlState::ConfigurationLimitExceeded, message)
        .hint("Fetch all of its rows first, or close it.")
}
