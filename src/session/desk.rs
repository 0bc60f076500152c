//! The database `rowgate`: commands of temporary rights, answered by rowgate itself in the simple and extended protocol.

mod passwords;

use super::alarm::Bell;
use super::login::record_command;
use super::stay::Stay;
use super::{End, Shared};
use crate::audit::{Decision, Person};
use crate::net::frame::{put, put_cstr};
use crate::net::{Channel, Fields, frame};
use crate::refusal::{Refusal, SqlState};
use crate::rights::desk::{Answer, Desk};
use crate::rights::language::{self, Command, Show};
use crate::rights::may::Teller;
use crate::wire::answer;
use crate::wire::message::{ClientMessage, Target, Unreadable, body_limit};
use bytes::{BufMut, BytesMut};
use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

/// Its name.
pub(super) const DATABASE: &str = "rowgate";
/// Longest command, in bytes.
const LONGEST: usize = 64 << 10;
/// Most prepared statements, and most portals.
const MOST: usize = 100;
const TEXT_OID: u32 = 25;

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
    statements: HashMap<String, String>,
    portals: HashMap<String, Portal>,
    /// Everything up to Sync is thrown away, after an error.
    skipping: bool,
}

struct Portal {
    text: String,
    /// The answer, once it was carried out, and how many of its rows were given.
    answer: Option<(Answer, usize)>,
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
            if let Some((tag, body)) = frame::take(&mut self.client.input, limit).map_err(End::Malformed)? {
                self.message(tag, &body).await?;
                continue;
            }
            self.client.drain().await.map_err(|_| End::Client)?;
            if *self.shared.stop.borrow() {
                return Err(End::Fatal(Refusal::new(
                    "stopped",
                    SqlState::AdminShutdown,
                    "terminating connection due to administrator command",
                )));
            }
            tokio::select! {
                filled = self.client.fill() => if !matches!(filled, Ok(count) if count > 0) {
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
        let message = match ClientMessage::decode(tag, body) {
            Ok(message) => message,
            Err(Unreadable::Malformed(error)) => return Err(End::Malformed(error)),
            Err(Unreadable::Refused(refusal)) => {
                self.refuse(&refusal, "", tag != b'Q');
                return Ok(());
            }
        };
        if self.skipping && !matches!(message, ClientMessage::Sync | ClientMessage::Terminate) {
            return Ok(());
        }
        match message {
            ClientMessage::Query(text) => {
                match self.carry_out(text).await {
                    Ok(answer) => self.tell_all(&answer),
                    Err(refusal) => self.refuse(&refusal, text, true),
                }
                self.skipping = false;
                answer::ready_for_query(&mut self.client.output, b'I');
            }
            ClientMessage::Parse { name, text, .. } => {
                if self.statements.len() >= MOST && !self.statements.contains_key(name) {
                    self.refuse(&too_many(), text, true);
                } else {
                    self.statements.insert(name.to_owned(), text.to_owned());
                    self.say(b'1');
                }
            }
            ClientMessage::Bind {
                portal,
                statement,
                parameters,
                ..
            } => {
                if !parameters.for_audit(1).is_empty() {
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
    async fn carry_out(&self, text: &str) -> Result<Answer, Refusal> {
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
        // what may hold a password (psql's \\password sends a verifier) is not written down
        let text = if passwords::is_mentioned(text) {
            "PASSWORD"
        } else {
            text
        };
        record_command(self.shared, &self.person, event, decision, code, text);
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

    fn describe(&mut self, target: Target<'_>) {
        let (kind, name, text) = match target {
            Target::Statement(name) => ("prepared statement", name, self.statements.get(name)),
            Target::Portal(name) => ("portal", name, self.portals.get(name).map(|p| &p.text)),
        };
        let Some(text) = text else {
            return self.refuse(&missing(kind, name), "", true);
        };
        let columns = match language::command(text) {
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

    async fn execute(&mut self, name: &str, max_rows: i32) {
        let Some(portal) = self.portals.get(name) else {
            return self.refuse(&missing("portal", name), "", true);
        };
        let text = portal.text.clone();
        if portal.answer.is_none() {
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
        let rows = answer.rows.iter().skip(*given).take(most);
        let before = *given;
        for row in rows {
            tell_row(&mut self.client.output, row);
            *given += 1;
        }
        if *given < answer.rows.len() {
            put(&mut self.client.output, b's', |_| {});
        } else {
            let count = *given - before;
            complete(&mut self.client.output, answer, count);
        }
    }

    fn tell_all(&mut self, answer: &Answer) {
        self.tell_notes(answer);
        if !answer.columns.is_empty() {
            self.describe_rows(&answer.columns);
        }
        for row in &answer.rows {
            tell_row(&mut self.client.output, row);
        }
        complete(&mut self.client.output, answer, answer.rows.len());
    }

    fn tell_notes(&mut self, answer: &Answer) {
        for note in &answer.notes {
            Fields::new("NOTICE", "00000", note.as_str()).encode(b'N', &mut self.client.output);
        }
    }

    fn describe_rows(&mut self, columns: &[&str]) {
        put(&mut self.client.output, b'T', |out| {
            out.put_u16(u16::try_from(columns.len()).unwrap_or(0));
            for name in columns {
                put_cstr(out, name);
                out.put_u32(0);
                out.put_u16(0);
                out.put_u32(TEXT_OID);
                out.put_i16(-1);
                out.put_i32(-1);
                out.put_u16(0);
            }
        });
    }

    fn say(&mut self, tag: u8) {
        put(&mut self.client.output, tag, |_| {});
    }

    fn refuse(&mut self, refusal: &Refusal, text: &str, skip: bool) {
        if let Some(log) = &refusal.log {
            tracing::warn!(code = refusal.code, "{log}");
        }
        Fields::of_refusal("ERROR", refusal, Some(text)).encode(b'E', &mut self.client.output);
        self.skipping = skip;
    }
}

fn tell_row(out: &mut BytesMut, row: &[Option<String>]) {
    put(out, b'D', |out| {
        out.put_u16(u16::try_from(row.len()).unwrap_or(0));
        for cell in row {
            match cell {
                None => out.put_i32(-1),
                Some(text) => {
                    out.put_i32(i32::try_from(text.len()).unwrap_or(0));
                    out.put_slice(text.as_bytes());
                }
            }
        }
    });
}

fn complete(out: &mut BytesMut, answer: &Answer, rows: usize) {
    if answer.tag.is_empty() {
        return put(out, b'I', |_| {});
    }
    let tag = if answer.columns.is_empty() {
        answer.tag.clone()
    } else {
        format!("{} {rows}", answer.tag)
    };
    put(out, b'C', |out| put_cstr(out, &tag));
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

fn put_out(code: &'static str, why: &str) -> End {
    let message = format!("terminating connection because {why}");
    End::Fatal(Refusal::new(code, SqlState::AdminShutdown, message))
}
