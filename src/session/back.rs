//! What the database's messages do.

use super::expect::{Expect, Run, SURE, Source};
use super::judging::Text;
use super::overflow::Overflow;
use super::portals::Portal;
use super::prepared::Prepared;
use super::rows::is_row;
use super::{End, Session};
use crate::gate::{Bound, Effect, Returned};
use crate::net::frame::{self, HEADER};
use crate::net::{Body, Fields, Malformed};
use crate::policy::RoleRights;
use crate::wire::error_filter::{self, Statement};
use crate::wire::row_description;
use bytes::{Buf, BytesMut};
use std::sync::Arc;

/// Longest message of the database that is not a row.
const LONGEST: usize = 64 << 20;

impl Session<'_> {
    /// Takes every message of the database that has come, as long as the client keeps up.
    pub(super) fn read_upstream(&mut self) -> Result<(), End> {
        if !self.back.input().is_empty() {
            self.client.make_room();
        }
        while self.client.output.len() < super::pump::HIGH {
            self.answer_known();
            if !self.pass()? {
                return Ok(());
            }
            if self.has_ended_aside() {
                return Ok(());
            }
            match self.has_rows()? {
                None => return Ok(()),
                Some(true) => self.rows()?,
                Some(false) => {
                    // read where they lie
                    let mut input = std::mem::take(self.back.input());
                    let mut at = 0;
                    let taken = self.upstream_messages(&input, &mut at);
                    input.advance(at);
                    *self.back.input() = input;
                    if !taken? {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes the messages other than rows that are there whole, from the one that begins `at` on. `false` if there was
    /// none.
    fn upstream_messages(&mut self, input: &[u8], at: &mut usize) -> Result<bool, End> {
        loop {
            let rest = input.get(*at..).unwrap_or_default();
            let Some(header) = frame::whole(rest, |_| LONGEST).map_err(wrong)? else {
                return Ok(*at > 0);
            };
            let body = rest.get(HEADER..header.total()).unwrap_or_default();
            self.upstream_message(header.tag, body)?;
            *at += header.total();
            self.answer_known();
            let next = input.get(*at).copied();
            let goes_on = self.client.output.len() < super::pump::HIGH && !self.has_ended_aside();
            if !goes_on || next.is_none_or(is_row) {
                return Ok(true);
            }
        }
    }

    /// Has something ended whose end is to be seen to before anything else?
    fn has_ended_aside(&self) -> bool {
        self.overflow.as_ref().is_some_and(Overflow::has_ended) || self.enclosed_has_ended()
    }

    fn upstream_message(&mut self, tag: u8, body: &[u8]) -> Result<(), End> {
        match tag {
            b'1' | b'2' | b'3' => self.completed(tag),
            b't' => {
                self.relay(tag, body);
                Ok(())
            }
            b'T' | b'n' => self.described(tag, body),
            b'C' | b'I' | b's' => self.finished(tag, body),
            b'H' | b'c' => {
                if !self.is_silenced() {
                    self.relay(tag, body);
                }
                Ok(())
            }
            b'G' => self.copy_begins(body),
            b'E' => self.errored(body),
            b'Z' => self.ready(body),
            b'S' | b'N' | b'A' => self.asynchronous(tag, body),
            _ => Err(End::Broken(format!("it sent an unexpected message (type {tag})"))),
        }
    }

    /// Passes a message on as it is.
    pub(super) fn relay(&mut self, tag: u8, body: &[u8]) {
        frame::put(&mut self.client.output, tag, |out| out.extend_from_slice(body));
    }

    fn is_silenced(&mut self) -> bool {
        matches!(self.queue.front(), Some(Expect::Query(run) | Expect::Execute(run)) if run.silenced)
    }

    /// ParameterStatus, notices and notifications may come at any time.
    pub(super) fn asynchronous(&mut self, tag: u8, body: &[u8]) -> Result<(), End> {
        match tag {
            b'S' => {
                self.back.note_parameter(body).map_err(wrong)?;
                self.tell_parameters();
            }
            b'N' if self.state.who.bypass => self.relay(tag, body),
            b'N' => {
                let mut fields = Fields::decode(body).map_err(wrong)?;
                if error_filter::notice(&mut fields, &self.state.rights, &self.state.view.search_path) {
                    fields.encode(b'N', &mut self.client.output);
                }
            }
            _ if self.may_hear(body)? => self.relay_notification(body),
            _ => {}
        }
        Ok(())
    }

    /// Is the channel of a notification one that the person may listen to at this moment? They have listened for as
    /// long as they like, perhaps as somebody else.
    fn may_hear(&self, notification: &[u8]) -> Result<bool, End> {
        if self.state.who.bypass {
            return Ok(true);
        }
        let mut fields = Body::new(notification);
        fields.i32().map_err(wrong)?;
        let channel = fields.cstr_bytes().map_err(wrong)?;
        let heard = |rights: &RoleRights| rights.listen.iter().any(|c| c.as_bytes() == channel);
        if self.shared.world.is_current(&self.state.world) {
            return Ok(heard(&self.state.rights));
        }
        let world = self.shared.world.current();
        Ok(heard(&world.rights_of(&self.still_in(&world)?)))
    }

    /// A notification of the session itself carries the process number that the client knows.
    fn relay_notification(&mut self, body: &[u8]) {
        let (process, _) = self.back.key();
        match body.split_first_chunk::<4>() {
            Some((from, rest)) if *from == process.to_be_bytes() => {
                let own = self.registration.key.0;
                frame::put(&mut self.client.output, b'A', |out| {
                    out.extend_from_slice(&own.to_be_bytes());
                    out.extend_from_slice(rest);
                });
            }
            _ => self.relay(b'A', body),
        }
    }

    /// ParseComplete, BindComplete, CloseComplete.
    fn completed(&mut self, tag: u8) -> Result<(), End> {
        let fits = matches!(
            (tag, self.queue.front()),
            (b'1', Some(Expect::Parse { .. }))
                | (b'2', Some(Expect::Bind { .. }))
                | (b'3', Some(Expect::CloseStatement { .. } | Expect::ClosePortal { .. }))
                | (b'1', Some(Expect::Placed(_)))
        );
        if !fits {
            return Err(out_of_order());
        }
        if !matches!(self.queue.pop(), Some(Expect::Placed(_))) {
            self.relay(tag, b"");
        }
        Ok(())
    }

    /// RowDescription and NoData.
    fn described(&mut self, tag: u8, body: &[u8]) -> Result<(), End> {
        let mut in_query = false;
        let source = match self.queue.front() {
            Some(Expect::Describe(_)) => match self.queue.pop() {
                Some(Expect::Describe(source)) => source,
                _ => None,
            },
            Some(Expect::Query(run)) if run.silenced => return Ok(()),
            Some(Expect::Query(run)) => {
                in_query = true;
                let (text, statement) = run.source();
                Some(Source {
                    text: Arc::clone(text),
                    statement,
                })
            }
            _ => return Err(out_of_order()),
        };
        let mut cut = BytesMut::new();
        let body = match source.as_ref().map_or(Returned::AsIs, Source::returned) {
            Returned::Nothing if tag == b'T' => {
                if !in_query {
                    self.relay(b'n', b"");
                }
                return Ok(());
            }
            Returned::AllButFirst if tag == b'T' => {
                cut.extend_from_slice(body);
                row_description::cut_first(&mut cut).map_err(wrong)?;
                &cut
            }
            Returned::AsIs | Returned::Nothing | Returned::AllButFirst => body,
        };
        self.relay(tag, body);
        let statement = source.as_ref().and_then(|s| s.text.statement(s.statement));
        if tag == b'T'
            && let Some(statement) = statement
            && !statement.origins.is_empty()
        {
            let at = self.client.output.len() - body.len();
            let relayed = self.client.output.get_mut(at..).unwrap_or_default();
            row_description::patch(relayed, &statement.origins).map_err(wrong)?;
        }
        Ok(())
    }

    /// CommandComplete, EmptyQueryResponse, PortalSuspended.
    fn finished(&mut self, tag: u8, body: &[u8]) -> Result<(), End> {
        match self.queue.front() {
            Some(Expect::Query(_)) if tag != b's' => self.statement_finished(tag, body),
            Some(Expect::Execute(_)) => {
                let Some(Expect::Execute(run)) = self.queue.pop() else {
                    return Ok(());
                };
                let silenced = run.silenced;
                // a cursor that gives rows is not declared once more
                if tag == b'C' && !run.of_cursor {
                    self.apply(&run, body);
                }
                self.count_rows(&run, tag == b's');
                self.give_held();
                if !silenced {
                    self.record_end(&run);
                }
                if silenced {
                    self.overflow_statement_ended(false);
                } else {
                    self.relay(tag, body);
                }
                Ok(())
            }
            _ => Err(out_of_order()),
        }
    }

    /// One of the statements of a Query.
    fn statement_finished(&mut self, tag: u8, body: &[u8]) -> Result<(), End> {
        let Some(Expect::Query(mut run)) = self.queue.take_front() else {
            return Err(out_of_order());
        };
        if tag == b'C' {
            self.apply(&run, body);
        }
        self.count_rows(&run, false);
        self.give_held();
        if !run.silenced {
            self.record_end(&run);
            if !self.holds_tag(&run, tag, body) {
                self.relay(tag, body);
            }
        }
        run.statement += 1;
        run.rows = 0;
        run.recorded |= !run.text.bypass && run.text.statement(run.statement).is_none();
        self.queue.put_front(Expect::Query(run));
        Ok(())
    }

    fn errored(&mut self, body: &[u8]) -> Result<(), End> {
        let mut fields = Fields::decode(body).map_err(wrong)?;
        self.give_held();
        if fields.is_fatal() {
            return Err(End::Upstream(fields));
        }
        self.copying = false;
        self.state.unlistens = false;
        if self.state.touched {
            self.state.stale = true;
        }
        match self.queue.take_front() {
            Some(Expect::Query(mut run)) => {
                if !run.silenced {
                    let code = self.filter_run_error(&mut fields, &run);
                    self.record_error(&run, code, &fields);
                    run.recorded = true;
                    fields.encode(b'E', &mut self.client.output);
                }
                self.queue.put_front(Expect::Query(run));
                Ok(())
            }
            Some(Expect::RefusedQuery(own)) => {
                if let Some(own) = own {
                    self.client.output.extend_from_slice(&own);
                }
                self.queue.put_front(Expect::RefusedQuery(None));
                Ok(())
            }
            Some(Expect::Sync) => {
                // a deferred constraint or the like, at the end of the implicit transaction
                self.filter_error(&mut fields, None, true);
                fields.encode(b'E', &mut self.client.output);
                self.queue.put_front(Expect::Sync);
                Ok(())
            }
            Some(failed) => {
                self.extended_error(failed, fields);
                Ok(())
            }
            None => {
                self.filter_error(&mut fields, None, false);
                fields.encode(b'E', &mut self.client.output);
                Ok(())
            }
        }
    }

    /// The server throws everything away up to Sync: so does the queue, and what was noted is taken back.
    fn extended_error(&mut self, mut failed: Expect, mut fields: Fields) {
        self.queue.release(&failed);
        let mut shown = true;
        match &mut failed {
            Expect::Refused(own) => {
                shown = false;
                if let Some(own) = own.take() {
                    self.client.output.extend_from_slice(&own);
                }
            }
            Expect::Execute(run) => {
                let code = self.filter_run_error(&mut fields, run);
                if run.silenced {
                    shown = false;
                    self.overflow_statement_ended(true);
                } else {
                    self.record_error(run, code, &fields);
                }
            }
            Expect::Parse { name, .. } => {
                let text = self.state.statements.get(name.as_str()).map(|p| Arc::clone(&p.text));
                self.filter_error(&mut fields, text.as_deref(), false);
                if let Some(text) = text {
                    self.record_failed_parse(&text, fields.sqlstate());
                }
            }
            Expect::Bind { portal, .. } => {
                let text = self.state.portals.get(portal.as_str()).map(|p| Arc::clone(&p.text));
                if let Some(text) = &text {
                    self.name_as_client(&mut fields, text);
                }
                self.filter_error(&mut fields, text.as_deref(), false);
            }
            _ => {
                self.filter_error(&mut fields, None, false);
            }
        }
        if shown {
            fields.encode(b'E', &mut self.client.output);
        }
        if matches!(&failed, Expect::Execute(run) if run.as_query) {
            self.end_query();
        }
        for skipped in self.queue.skipped() {
            self.unprepare(&skipped);
            skipped.undo(&mut self.state, &mut self.queue, false);
        }
        self.unprepare(&failed);
        failed.undo(&mut self.state, &mut self.queue, true);
        if !self.queue.has_sync() {
            self.state.skipping = true;
        }
    }

    fn ready(&mut self, body: &[u8]) -> Result<(), End> {
        let status = body.first().copied().unwrap_or(b'I');
        let own = match self.queue.pop() {
            Some(Expect::RefusedQuery(own)) => own,
            Some(Expect::Query(_) | Expect::Sync) => None,
            _ => return Err(out_of_order()),
        };
        self.state.status = status;
        self.transaction_ended();
        if let Some(overflow) = &mut self.overflow {
            overflow.ready();
            return Ok(());
        }
        if let Some(enclosure) = &mut self.enclosure {
            enclosure.has_ended = true;
            return Ok(());
        }
        if let Some(own) = own {
            self.client.output.extend_from_slice(&own);
        }
        self.relay(b'Z', &[status]);
        Ok(())
    }

    /// What holds for a transaction alone is gone with it.
    pub(super) fn transaction_ended(&mut self) {
        if self.state.status != b'I' {
            return;
        }
        let unanswered = self.queue.unanswered_from();
        let stays = |portal: &Portal| portal.noted >= unanswered || portal.is_held();
        self.state.portals.retain(stays);
        self.state.count_held();
        if self.queue.is_empty() && std::mem::take(&mut self.state.unlistens) {
            self.state.bound.remove(&Bound::Listen);
        }
        self.state.limits_changed |= std::mem::take(&mut self.state.limits_in_transaction);
        if self.state.touched {
            self.state.touched = false;
            self.state.stale = true;
        }
    }

    /// What a statement that has succeeded does to the session.
    fn apply(&mut self, run: &Run, tag: &[u8]) {
        let Some(statement) = run.text.statement(run.statement) else {
            return;
        };
        match &statement.effect {
            Effect::None
            | Effect::Execute { .. }
            | Effect::Fetch { .. }
            | Effect::CopyOut
            | Effect::CopyIn
            // that has happened before it was sent
            | Effect::Act(_)
            | Effect::Unlisten => {}
            Effect::SearchPath(_) | Effect::TempRelations => {
                self.state.has_temp |= matches!(statement.effect, Effect::TempRelations);
                self.state.touched = true;
                self.state.stale = true;
            }
            Effect::Schema => self.shared.world.request_refresh(),
            Effect::Transaction => {
                self.state.unlistens &= !tag.starts_with(b"ROLLBACK");
                self.state.limits_changed |= self.state.limits_in_transaction && tag.starts_with(b"ROLLBACK");
                if self.state.touched && (tag.starts_with(b"ROLLBACK") || tag.starts_with(b"COMMIT")) {
                    self.state.stale = true;
                }
            }
            Effect::Prepare { name, .. } => {
                self.state.prepare(
                    name.clone(),
                    Prepared {
                        text: Arc::clone(&run.text),
                        statement: run.statement,
                        by_sql: true,
                        noted: SURE,
                        shape: None,
                    },
                );
            }
            Effect::Deallocate(Some(name)) => {
                self.state.stand_ins.remove(name.as_str());
                self.state.deallocate(name);
            }
            Effect::Deallocate(None) => self.all_deallocated(),
            Effect::DeclareCursor { name } => {
                self.state.portals.insert(
                    name.clone(),
                    Portal {
                        text: Arc::clone(&run.text),
                        statement: run.statement,
                        rows: 0,
                        in_portions: true,
                        by_sql: true,
                        noted: SURE,
                        parameters: None,
                    },
                );
            }
            Effect::CloseCursor(name) => self.state.close_cursors(name.as_deref()),
            Effect::ResetSetting(name) => self.state.settings_reset.push(name.clone()),
            Effect::Reset { all } => {
                self.state.stale = true;
                self.state.settings_lost = true;
                if *all {
                    self.all_deallocated();
                    self.state.bound.clear();
                    self.state.portals.clear();
                    self.state.forget_stored();
                }
            }
        }
    }

    /// Makes an error of a run what the client may read. What EXECUTE runs is another text than its own, which a
    /// place in the error speaks of.
    fn filter_run_error(&self, fields: &mut Fields, run: &Run) -> Option<&'static str> {
        self.filter_placed_error(fields, Some(run.source().0), Some(&run.text), is_write(run))
    }

    /// Makes an error what the client may read. Gives the refusal's code where it is one.
    pub(super) fn filter_error(&self, fields: &mut Fields, text: Option<&Text>, writes: bool) -> Option<&'static str> {
        self.filter_placed_error(fields, text, text, writes)
    }

    fn filter_placed_error(
        &self,
        fields: &mut Fields,
        text: Option<&Text>,
        placed: Option<&Text>,
        writes: bool,
    ) -> Option<&'static str> {
        if self.state.who.bypass {
            return None;
        }
        if let (Some(staged), Some(context)) = (text.and_then(Text::staged), fields.get(b'W')) {
            let context = context.replace(&staged.place, &staged.table);
            fields.set(b'W', context);
        }
        let statement = Statement {
            sent: placed.map(|t| &t.judgement.text),
            original: placed.map(|t| &*t.client),
            writes,
            copies: writes && text.is_some_and(|t| t.judgement.statements.iter().any(|s| s.effect == Effect::CopyIn)),
        };
        let code = error_filter::error(fields, statement, &self.state.rights, &self.state.view.search_path);
        self.note_violation(fields.sqlstate());
        code
    }
}

fn is_write(run: &Run) -> bool {
    run.gives().is_none_or(|s| s.writes)
}

fn wrong(error: Malformed) -> End {
    End::Broken(error.to_string())
}

fn out_of_order() -> End {
    End::Broken("it sent a message out of order".to_owned())
}
