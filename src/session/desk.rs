//! The database `rowgate`: commands of temporary rights, answered by rowgate itself in the simple and extended protocol.

mod passwords;
mod portals;
mod telling;

use super::alarm::Bell;
use super::login::record_command;
use super::pump::HIGH;
use super::stay::Stay;
use super::{End, Shared};
use crate::audit::{Decision, Person};
use crate::net::{Channel, frame};
use crate::refusal::{Refusal, SqlState};
use crate::rights::desk::{Answer, Desk};
use crate::rights::language::{self, Command, Show};
use crate::rights::may::Teller;
use crate::wire::answer;
use crate::wire::message::{ClientMessage, Target, Unreadable, body_limit};
use portals::Portal;
use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

/// Its name.
pub(super) const DATABASE: &str = "rowgate";
/// Longest message, in bytes, beside what prepares a statement.
const LONGEST: usize = 64 << 10;
/// Most prepared statements, and most portals.
const MOST: usize = 100;

/// The desk, if this is the database that it stands in.
pub(super) fn of<'s>(shared: &'s Shared, database: &str) -> Option<&'s Desk> {
    let is_meant = database == DATABASE && shared.config.upstream.database != DATABASE;
    shared.desk.as_ref().filter(|_| is_meant)
}

/// Somebody's conversation with it.
struct Talk<'s> {
    shared: &'s Shared,
    desk: &'s Desk,
    client: Channel,
    person: Person,
    stay: Stay,
    bell: Arc<Bell>,
    statements: HashMap<String, Arc<str>>,
    portals: HashMap<String, Portal>,
    /// Everything up to Sync is thrown away, after an error.
    skipping: bool,
}

/// Serves somebody who has logged in, until they leave or are put out.
pub(super) async fn serve(
    shared: &Shared,
    desk: &Desk,
    client: Channel,
    person: Person,
    (stay, bell): (Stay, Arc<Bell>),
) -> (Channel, Person, End) {
    let mut talk = Talk {
        shared,
        desk,
        client,
        person,
        stay,
        bell,
        statements: HashMap::new(),
        portals: HashMap::new(),
        skipping: false,
    };
    talk.greet();
    let end = match talk.converse().await {
        Ok(()) => End::Client,
        Err(end) => end,
    };
    (talk.client, talk.person, end)
}

impl Talk<'_> {
    fn greet(&mut self) {
        let out = &mut self.client.output;
        for (name, value) in [
            ("server_version", "15.0 (rowgate)"),
            ("server_encoding", "UTF8"),
            ("client_encoding", "UTF8"),
            ("DateStyle", "ISO, MDY"),
            ("integer_datetimes", "on"),
            ("standard_conforming_strings", "on"),
            ("session_authorization", &self.person.login),
        ] {
            answer::parameter_status(out, name, value);
        }
        answer::backend_key_data(out, rand::random_range(1..=i32::MAX), rand::random());
        answer::ready_for_query(out, b'I');
    }

    async fn converse(&mut self) -> Result<(), End> {
        let bell = Arc::clone(&self.bell);
        let mut heard = 0;
        loop {
            self.still_in()?;
            let limit = |tag| body_limit(tag, LONGEST, LONGEST);
            // who reads no answers is heard no further
            if self.client.output.len() < HIGH
                && let Some((tag, body)) = frame::take(&mut self.client.input, limit).map_err(End::Malformed)?
            {
                self.message(tag, &body).await?;
                continue;
            }
            if *self.shared.stop.borrow() {
                return Err(End::Fatal(Refusal::new(
                    "stopped",
                    SqlState::AdminShutdown,
                    "terminating connection due to administrator command",
                )));
            }
            let moved = async {
                if self.client.has_output() {
                    self.client.drain().await.is_ok()
                } else {
                    matches!(self.client.fill().await, Ok(count) if count > 0)
                }
            };
            tokio::select! {
                goes_on = moved => if !goes_on {
                    return Err(End::Client);
                },
                () = poll_fn(|cx| if bell.has_rung(cx, &mut heard) { Poll::Ready(()) } else { Poll::Pending }) => {}
            }
        }
    }

    fn still_in(&mut self) -> Result<(), End> {
        self.stay.look(self.shared, &self.bell)?;
        let world = self.shared.world.current();
        if world.directory.principal(&self.person.login).is_some() {
            return Ok(());
        }
        if world.directory.is_suspended(&self.person.login) {
            return Err(put_out("suspended", "this login is suspended"));
        }
        Err(put_out("person-left", "this login has no access any more"))
    }

    async fn message(&mut self, tag: u8, body: &[u8]) -> Result<(), End> {
        if self.skipping && !matches!(tag, b'S' | b'X') {
            return Ok(());
        }
        let message = match ClientMessage::decode(tag, body) {
            Ok(message) => message,
            Err(Unreadable::Malformed(error)) => return Err(End::Malformed(error)),
            Err(Unreadable::Refused(refusal)) => {
                record_command(self.shared, &self.person, "rights", Decision::Refused, refusal.code, "");
                self.refuse(&refusal, "", tag != b'Q');
                if tag == b'Q' {
                    answer::ready_for_query(&mut self.client.output, b'I');
                }
                return Ok(());
            }
        };
        match message {
            ClientMessage::Query(text) => {
                match self.carry_out(text).await {
                    Ok(answer) => self.tell_all(&answer),
                    Err(refusal) => self.refuse(&refusal, text, true),
                }
                self.skipping = false;
                answer::ready_for_query(&mut self.client.output, b'I');
            }
            ClientMessage::Parse { name, text, .. } => self.parse(name, text),
            ClientMessage::Bind {
                portal,
                statement,
                parameters,
                ..
            } => self.bind(portal, statement, parameters.for_audit(1).is_empty()),
            ClientMessage::Describe(target) => self.describe(target),
            ClientMessage::Execute { portal, max_rows } => self.execute(portal, max_rows).await,
            ClientMessage::Close(target) => {
                match target {
                    Target::Statement(name) => drop(self.statements.remove(name)),
                    Target::Portal(name) => drop(self.portals.remove(name)),
                }
                self.say(b'3');
            }
            ClientMessage::Flush | ClientMessage::Copy => {}
            ClientMessage::Sync => {
                self.skipping = false;
                self.portals.clear();
                answer::ready_for_query(&mut self.client.output, b'I');
            }
            ClientMessage::Terminate => return Err(End::Client),
            ClientMessage::FunctionCall => {
                let refusal = Refusal::unsupported("function-call", "the function call message is not supported");
                self.refuse(&refusal, "", false);
                answer::ready_for_query(&mut self.client.output, b'I');
            }
        }
        Ok(())
    }

    /// An empty command has no tag.
    async fn carry_out(&mut self, text: &str) -> Result<Answer, Refusal> {
        let done = |tag: &str| {
            Ok(Answer {
                tag: tag.to_owned(),
                ..Answer::default()
            })
        };
        match text
            .split(|c: char| c.is_whitespace() || c == ';')
            .find(|word| !word.is_empty())
        {
            None => return done(""),
            Some(first) if first.eq_ignore_ascii_case("change") => return self.change_password(text).await,
            Some(_) if self.stay.must_change => {
                let message = "permission denied: your password has expired";
                let refusal = Refusal::forbidden("password-expired", message);
                return Err(refusal.hint("Say CHANGE PASSWORD TO '…', and connect again."));
            }
            // what drivers say at the beginning of every session; nothing here depends on settings
            Some(first) if first.eq_ignore_ascii_case("set") => return done("SET"),
            Some(_) => {}
        }
        if !self.shared.audit.admits() {
            let message = "the command is refused because the audit record cannot be written";
            return Err(Refusal::new("audit-not-written", SqlState::IoError, message));
        }
        let command = language::command(text);
        let done = match command {
            Ok(Command::Show(Show::Pools)) => self.pools(),
            _ => {
                let teller = Teller::Person(self.person.login.clone());
                self.desk.carry_out(&teller, text).await
            }
        };
        let event = if matches!(command, Ok(Command::Raise(..))) {
            "raise"
        } else {
            "rights"
        };
        let (decision, code) = match &done {
            Ok(_) => (Decision::Allowed, ""),
            Err(refusal) => (Decision::Refused, refusal.code),
        };
        let text = passwords::recorded(text, command.is_ok());
        record_command(self.shared, &self.person, event, decision, code, &text);
        done
    }

    /// For whoever goes through unparsed anyway.
    fn pools(&self) -> Result<Answer, Refusal> {
        let world = self.shared.world.current();
        let who = world.directory.principal(&self.person.login);
        if !who.is_some_and(|w| w.bypass) {
            return Err(Refusal::forbidden(
                "not-for-you",
                "permission denied: connections are shown to roles with bypass = true",
            ));
        }
        let status = self.shared.pool.status();
        let row = [
            self.shared.config.upstream.database.clone(),
            status.size.to_string(),
            status.available.to_string(),
            status.waiting.to_string(),
            status.max_size.to_string(),
        ];
        Ok(Answer {
            tag: "SHOW".to_owned(),
            notes: Vec::new(),
            columns: Show::Pools.columns(),
            rows: vec![row.map(Some).to_vec()],
        })
    }
}

fn put_out(code: &'static str, why: &str) -> End {
    let message = format!("terminating connection because {why}");
    End::Fatal(Refusal::new(code, SqlState::AdminShutdown, message))
}
