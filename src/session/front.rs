//! What a client's messages do.

use super::admission::{Admitted, no_such_statement};
use super::enclosure::cannot_undo;
use super::expect::{Expect, Run};
use super::judging::{Text, Verdict};
use super::portals::Portal;
use super::prepared::Prepared;
use super::state::{MOST_BYTES, MOST_NAMES};
use super::{End, Session};
use crate::gate::{Effect, Judged, Returned};
use crate::net::Fields;
use crate::refusal::{Refusal, SqlState};
use crate::wire::answer;
use crate::wire::message::{ClientMessage, Parameters, Target, Unreadable, bind_beside};
use bytes::BytesMut;
use std::sync::Arc;
use std::time::Instant;

/// Longest parameter value that the audit shows, in bytes.
const SHOWN_PARAMETER: usize = 256;

impl Session<'_> {
    /// One message of the client.
    pub(super) async fn client_message(&mut self, tag: u8, body: &[u8]) -> Result<(), End> {
        if self.copying {
            return self.copy_message(tag, body).await;
        }
        if self.is_away() && !self.answers_away(tag, body).await? {
            return Ok(());
        }
        let message = match ClientMessage::decode(tag, body) {
            Ok(message) => message,
            Err(Unreadable::Malformed(error)) => return Err(End::Malformed(error)),
            Err(Unreadable::Refused(_)) if self.state.skipping => return Ok(()),
            Err(Unreadable::Refused(refusal)) => {
                return if tag == b'Q' {
                    Box::pin(self.refuse_query(&refusal, None)).await
                } else {
                    self.refuse_extended(&refusal, None);
                    Ok(())
                };
            }
        };
        if self.state.skipping && !matches!(message, ClientMessage::Sync | ClientMessage::Terminate) {
            return Ok(());
        }
        if !matches!(message, ClientMessage::Sync) {
            self.wait_for_limited().await?;
            if self.state.skipping && !matches!(message, ClientMessage::Terminate) {
                return Ok(());
            }
        }
        match message {
            ClientMessage::Query(text) => self.simple_query(text).await,
            ClientMessage::Parse { name, text, types } => self.parse(name, text, &types).await,
            ClientMessage::Bind {
                portal,
                statement,
                parameters,
                result_formats,
            } => self.bind(portal, statement, parameters, result_formats).await,
            ClientMessage::Describe(Target::Statement(name)) => self.describe_statement(name).await,
            ClientMessage::Describe(Target::Portal(name)) => self.describe_portal(name).await,
            ClientMessage::Execute { portal, max_rows } => self.execute(portal, max_rows).await,
            ClientMessage::Close(target) => self.close(target).await,
            ClientMessage::Flush => {
                self.back.flush();
                Ok(())
            }
            ClientMessage::Sync => self.sync().await,
            ClientMessage::Terminate => {
                self.drain().await?;
                Err(End::Client)
            }
            ClientMessage::Copy => {
                // what comes when nobody waits for it is thrown away, as PostgreSQL does
                Ok(())
            }
            ClientMessage::FunctionCall => {
                let refusal = Refusal::unsupported("function-call", "the function call message is not supported")
                    .hint("Call the function with SELECT.");
                Box::pin(self.refuse_query(&refusal, None)).await
            }
        }
    }

    async fn simple_query(&mut self, text: &str) -> Result<(), End> {
        let started = self.clock();
        self.state.deallocate("");
        self.state.portals.remove("");
        let judged = match self.judge(text, &[]).await? {
            Verdict::Allowed(judged) => judged,
            denied => return Box::pin(self.deny_query(denied, text, started)).await,
        };
        let admitted = match self.admit(&judged, None).await? {
            Ok(admitted) => admitted,
            Err(denied) => return Box::pin(self.deny_query(denied, text, started)).await,
        };
        let run = self.run(judged, 0, admitted, started);
        if run.text.staged().is_some() {
            return Box::pin(self.begin_staged(run)).await;
        }
        if let Some(refusal) = cannot_undo(&run) {
            return Box::pin(self.deny_query(Verdict::Refused(refusal), text, started)).await;
        }
        if !self.enclose(&run).await? {
            return Ok(());
        }
        // what was waited for meanwhile may have brought it back
        self.state.deallocate("");
        self.state.portals.remove("");
        self.note_leaves(&run);
        self.back.query(&run.text.judgement.text);
        self.state.segment_open = false;
        self.state.executes = 0;
        self.queue.push(Expect::Query(Box::new(run)));
        Ok(())
    }

    async fn parse(&mut self, name: &str, text: &str, types: &[u32]) -> Result<(), End> {
        let started = self.clock();
        if name.starts_with(crate::sql::parse::PRIVATE_PREFIX) {
            let refusal = Refusal::unsupported(
                "private-name",
                format!("prepared statement name \"{name}\" is not allowed"),
            )
            .detail("Names that begin with \"rowgate:\" are refused.");
            self.refuse_extended(&refusal, None);
            return Ok(());
        }
        let judged = match self.judge(text, types).await? {
            Verdict::Allowed(judged) => judged,
            denied => {
                if name.is_empty() {
                    self.state.deallocate("");
                }
                self.deny_extended(denied, text, started);
                return Ok(());
            }
        };
        if self.state.statements.len() >= MOST_NAMES || self.state.statements.bytes() + text.len() > MOST_BYTES {
            self.refuse_extended(&too_many("prepared statements"), None);
            return Ok(());
        }
        let exists = self.shares() && !name.is_empty() && self.statement_named(name).await?.is_some();
        if self.state.skipping {
            return Ok(());
        }
        if exists {
            let refusal = Refusal::new(
                "statement-exists",
                SqlState::DuplicatePreparedStatement,
                format!("prepared statement \"{name}\" already exists"),
            );
            self.refuse_extended(&refusal, None);
            return Ok(());
        }
        if !name.is_empty() {
            self.be_sure_of_parse(&judged).await?;
        }
        if self.state.skipping {
            return Ok(());
        }
        let shared = self.shares().then(|| self.parse_shared(name, &judged));
        if shared.is_none() {
            self.back.parse(name, &judged.judgement.text, types);
        }
        self.state.segment_open = true;
        let prepared = Prepared {
            text: judged,
            statement: 0,
            by_sql: false,
            noted: self.queue.segment(),
            shape: None,
        };
        let previous = self.state.prepare(name.to_owned(), prepared);
        self.queue.push(Expect::Parse {
            name: name.to_owned(),
            previous,
            shared,
        });
        Ok(())
    }

    async fn bind(
        &mut self,
        portal: &str,
        statement: &str,
        parameters: Parameters<'_>,
        result_formats: u16,
    ) -> Result<(), End> {
        let Some(prepared) = self.current_statement(statement).await? else {
            return Ok(());
        };
        let text = Arc::clone(&prepared.text);
        if self.state.portals.len() >= MOST_NAMES {
            self.refuse_extended(&too_many("portals"), None);
            return Ok(());
        }
        if let Some(denied) = self.be_sure_of_source(&text, 0).await? {
            self.deny_extended(denied, &text.client, self.clock());
            return Ok(());
        }
        self.be_sure_of_standing(&text).await?;
        if self.state.skipping {
            return Ok(());
        }
        let returned = self.result_source(&text, 0).returned();
        let name = self.upstream_name(statement, &prepared);
        let beside = bind_beside(parameters.bytes(), result_formats, returned);
        self.back
            .bind(portal, &name, beside.as_deref().unwrap_or(parameters.bytes()));
        self.state.segment_open = true;
        let wanted = self.shared.audit.config().parameters && self.shared.audit.is_on();
        let made = Portal {
            text,
            statement: 0,
            rows: 0,
            in_portions: false,
            by_sql: false,
            noted: self.queue.segment(),
            parameters: wanted.then(|| Arc::new(parameters.for_audit(SHOWN_PARAMETER))),
        };
        let previous = self.state.portals.insert(portal.to_owned(), made);
        self.queue.push(Expect::Bind {
            portal: portal.to_owned(),
            previous,
        });
        Ok(())
    }

    /// The statement of this name, judged under the world as it is now. `None` when it is refused or skipped:
    /// the client has or will have its answer.
    async fn current_statement(&mut self, name: &str) -> Result<Option<Arc<Prepared>>, End> {
        if let Some(denied) = self.settle().await? {
            self.deny_extended(denied, "", self.clock());
            return Ok(None);
        }
        let prepared = self.statement_named(name).await?;
        if self.state.skipping {
            return Ok(None);
        }
        let Some(prepared) = prepared else {
            self.refuse_extended(&no_such_statement(name), None);
            return Ok(None);
        };
        // in an aborted block the database itself runs nothing but the block's end
        if self.state.is_current(&prepared.text) || self.is_aborted().await? {
            return Ok(Some(prepared));
        }
        match Box::pin(self.judge_again(name, &prepared)).await? {
            Verdict::Allowed(_) => Ok(self.state.statements.get(name).cloned()),
            denied => {
                self.deny_extended(denied, &prepared.text.client, self.clock());
                Ok(None)
            }
        }
    }

    async fn describe_statement(&mut self, name: &str) -> Result<(), End> {
        let Some(prepared) = self.current_statement(name).await? else {
            return Ok(());
        };
        if let Some(denied) = self.be_sure_of_source(&prepared.text, 0).await? {
            self.deny_extended(denied, &prepared.text.client, self.clock());
            return Ok(());
        }
        self.be_sure_of_standing(&prepared.text).await?;
        if self.state.skipping {
            return Ok(());
        }
        let source = self.result_source(&prepared.text, 0);
        let name = self.upstream_name(name, &prepared);
        self.back.describe(b'S', &name);
        self.state.segment_open = true;
        self.queue.push(Expect::Describe(Some(source)));
        Ok(())
    }

    async fn describe_portal(&mut self, name: &str) -> Result<(), End> {
        let portal = self.portal_named(name).await?;
        if let Some(portal) = &portal
            && let Some(denied) = self.be_sure_of_source(&portal.text, portal.statement).await?
        {
            self.deny_extended(denied, &portal.text.client, self.clock());
            return Ok(());
        }
        if self.state.skipping {
            return Ok(());
        }
        let Some(portal) = portal else {
            self.refuse_extended(&no_such_portal(name), None);
            return Ok(());
        };
        let source = self.result_source(&portal.text, portal.statement);
        self.back.describe(b'P', name);
        self.state.segment_open = true;
        self.queue.push(Expect::Describe(Some(source)));
        Ok(())
    }

    async fn execute(&mut self, name: &str, max_rows: i32) -> Result<(), End> {
        let started = self.clock();
        self.renew_world()?;
        let portal = self.portal_named(name).await?;
        if self.state.skipping {
            return Ok(());
        }
        let Some(portal) = portal else {
            self.refuse_extended(&no_such_portal(name), None);
            return Ok(());
        };
        if let Err(refusal) = self.same_rights(&portal.text).await {
            self.record_refusal(&portal.text.client, &refusal, started);
            self.refuse_extended(&refusal, None);
            return Ok(());
        }
        let admitted = match self.admit(&portal.text, Some(portal.statement)).await? {
            Ok(admitted) => admitted,
            Err(denied) => {
                self.deny_extended(denied, &portal.text.client, started);
                return Ok(());
            }
        };
        let mut run = self.run(portal.text, portal.statement, admitted, started);
        run.portal = Some(name.to_owned());
        run.of_cursor = portal.by_sql;
        run.parameters = portal.parameters;
        if run.text.staged().is_some() {
            return Box::pin(self.begin_staged(run)).await;
        }
        let max_rows = match run.returned() {
            // without rows of the client's there is nothing to stop at
            Returned::Nothing => 0,
            Returned::AsIs | Returned::AllButFirst => max_rows,
        };
        self.note_leaves(&run);
        run.in_portions = max_rows > 0;
        self.back.execute(name, max_rows);
        self.state.segment_open = true;
        self.state.executes += 1;
        if run.copies {
            self.back.flush();
        }
        self.queue.push(Expect::Execute(Box::new(run)));
        Ok(())
    }

    async fn close(&mut self, target: Target<'_>) -> Result<(), End> {
        match target {
            Target::Statement(name) => {
                let by_sql = self.statement_named(name).await?.is_some_and(|p| p.by_sql);
                if self.state.skipping {
                    return Ok(());
                }
                let known = self.shares() && !by_sql;
                if !known {
                    self.back.close(b'S', name);
                }
                let previous = self.state.deallocate(name);
                self.queue.push(Expect::CloseStatement {
                    name: name.to_owned(),
                    previous,
                    known,
                });
            }
            Target::Portal(name) => {
                self.portal_named(name).await?;
                if self.state.skipping {
                    return Ok(());
                }
                self.back.close(b'P', name);
                let previous = self.state.portals.remove(name);
                self.queue.push(Expect::ClosePortal {
                    name: name.to_owned(),
                    previous,
                });
            }
        }
        self.state.segment_open = true;
        Ok(())
    }

    async fn sync(&mut self) -> Result<(), End> {
        // with a row limit under way, what came before in the same implicit transaction must not be committed
        // behind an error that the client is going to get
        let several = self.state.executes > 1 || self.queue.undoing > 0;
        if self.enclosure.is_some() || self.queue.limited > 0 && self.state.status == b'I' && several {
            self.drain().await?;
        }
        self.back.sync();
        self.queue.push(Expect::Sync);
        self.state.segment_open = false;
        self.state.executes = 0;
        self.state.skipping = false;
        Ok(())
    }

    /// Behind a result with a row limit nothing but its Sync is forwarded before it has ended: an error has to
    /// end the transaction in front of the next statement.
    async fn wait_for_limited(&mut self) -> Result<(), End> {
        if self.queue.limited > 0 || self.overflow.is_some() {
            self.drain().await?;
        }
        Ok(())
    }

    fn run(&self, text: Arc<Text>, statement: usize, admitted: Admitted, started: Option<Instant>) -> Run {
        let Admitted { through, counted } = admitted;
        let limit = |source: &super::expect::Source| {
            source
                .text
                .statement(source.statement)
                .is_some_and(|s| s.row_limit.is_some())
        };
        let is_limited = text.judgement.statements.iter().any(|s| s.row_limit.is_some())
            || through.iter().any(|(_, source)| limit(source));
        let copies = |s: &Judged| s.effect == Effect::CopyIn;
        let writes = |s: &Judged| s.writes;
        let undoes = is_limited
            && (text.has_effects(true)
                || text.judgement.statements.iter().any(writes)
                || through
                    .iter()
                    .any(|(_, source)| source.text.statement(source.statement).is_some_and(writes)));
        Run {
            undoes,
            copies: text.judgement.statements.iter().any(copies),
            of_cursor: false,
            as_query: false,
            has_effects: text.has_effects(self.state.touched),
            is_limited,
            in_portions: false,
            text,
            statement,
            through,
            portal: None,
            parameters: None,
            started,
            rows: 0,
            silenced: false,
            recorded: false,
            counted,
        }
    }

    /// Answers a Query that does not run.
    async fn deny_query(&mut self, verdict: Verdict, text: &str, started: Option<Instant>) -> Result<(), End> {
        match verdict {
            Verdict::Refused(refusal) => {
                self.record_refusal(text, &refusal, started);
                self.refuse_query(&refusal, Some(text)).await
            }
            Verdict::Failed(fields) => {
                let mut error = BytesMut::new();
                fields.encode(b'E', &mut error);
                if self.state.segment_open {
                    // the server throws everything away up to a Sync
                    self.back.sync();
                    self.state.segment_open = false;
                    self.state.executes = 0;
                    self.queue.push(Expect::RefusedQuery(Some(error)));
                } else {
                    self.client.output.extend_from_slice(&error);
                    answer::ready_for_query(&mut self.client.output, self.state.status);
                }
                Ok(())
            }
            Verdict::Allowed(_) | Verdict::Skipped => Ok(()),
        }
    }

    /// Answers a message of the extended protocol that does not go through.
    fn deny_extended(&mut self, verdict: Verdict, text: &str, started: Option<Instant>) {
        match verdict {
            Verdict::Refused(refusal) => {
                self.record_refusal(text, &refusal, started);
                self.refuse_extended(&refusal, Some(text));
            }
            Verdict::Failed(fields) => {
                fields.encode(b'E', &mut self.client.output);
                self.state.skipping = true;
            }
            Verdict::Allowed(_) | Verdict::Skipped => {}
        }
    }

    /// Answers a refused Query: where a transaction is open, the database has to fail too.
    pub(super) async fn refuse_query(&mut self, refusal: &Refusal, text: Option<&str>) -> Result<(), End> {
        log(refusal);
        self.drain().await?;
        if self.state.skipping {
            return Ok(());
        }
        let mut error = BytesMut::new();
        Fields::of_refusal("ERROR", refusal, text).encode(b'E', &mut error);
        if self.state.status == b'T' || self.state.segment_open {
            self.back.fail(false);
            self.state.segment_open = false;
            self.state.executes = 0;
            self.queue.push(Expect::RefusedQuery(Some(error)));
        } else {
            self.client.output.extend_from_slice(&error);
            answer::ready_for_query(&mut self.client.output, self.state.status);
        }
        Ok(())
    }

    /// Answers a refused message of the extended protocol: the database has to fail at this place, so that the
    /// transaction ends as it would have.
    pub(super) fn refuse_extended(&mut self, refusal: &Refusal, text: Option<&str>) {
        if self.state.skipping {
            // it was thrown away before anybody could refuse it
            return;
        }
        log(refusal);
        let mut error = BytesMut::new();
        Fields::of_refusal("ERROR", refusal, text).encode(b'E', &mut error);
        self.back.fail(true);
        self.state.segment_open = true;
        self.state.skipping = true;
        self.queue.push(Expect::Refused(Some(error)));
    }
}

fn no_such_portal(name: &str) -> Refusal {
    Refusal::new(
        "no-such-portal",
        SqlState::InvalidCursorName,
        format!("portal \"{name}\" does not exist"),
    )
}

fn too_many(what: &str) -> Refusal {
    Refusal::new(
        "too-many-names",
        SqlState::ConfigurationLimitExceeded,
        format!("this session has too many {what}"),
    )
    .hint("Close those that are no longer needed.")
}

fn log(refusal: &Refusal) {
    if let Some(text) = &refusal.log {
        tracing::warn!(code = refusal.code, "{text}");
    }
}
