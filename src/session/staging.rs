//! COPY FROM by way of a temporary table: made, filled with the client's data, stored from there by a checked INSERT
//! and dropped, all in one transaction and all behind one answer.

use super::expect::{Expect, Run};
use super::judging::Text;
use super::{End, Session};
use crate::gate::{Staged, Verified};
use crate::net::{Fields, frame};
use std::sync::Arc;

/// The name of the commands.
const OWN_COPY: &str = "rowgate:copy";

/// Longest answer to one of the commands.
const LONGEST: usize = 1 << 20;

impl Text {
    /// The way of its only statement, if that is such a COPY.
    pub fn staged(&self) -> Option<&Arc<Staged>> {
        self.statement(0)?.staged.as_ref()
    }
}

impl Session<'_> {
    /// Begins the COPY: a Query of its own, or a portal's.
    pub(super) async fn begin_staged(&mut self, mut run: Run) -> Result<(), End> {
        self.drain().await?;
        let Some(staged) = run.text.staged().map(Arc::clone) else {
            return Ok(());
        };
        if self.state.skipping {
            return Ok(());
        }
        run.as_query = run.portal.is_none();
        self.note_leaves(&run);
        // the temporary table lives as long as the transaction, so nothing is synchronised in between
        self.state.segment_open = true;
        self.command(&staged.create);
        self.back.flush();
        if let Err(fields) = self.exchange(false, (b'C', 1)).await? {
            self.staged_failed(&run, fields);
            return Ok(());
        }
        match &run.portal {
            Some(portal) => self.back.execute(portal, 0),
            None => {
                self.command(&run.text.judgement.text);
                self.back.flush();
                if let Err(fields) = self.exchange(false, (b'2', 1)).await? {
                    self.staged_failed(&run, fields);
                    return Ok(());
                }
            }
        }
        self.back.flush();
        self.state.executes += 1;
        self.queue.push(Expect::Execute(Box::new(run)));
        Ok(())
    }

    /// The client's data is whole: stores it.
    pub(super) async fn finish_staged(&mut self, staged: &Staged) -> Result<(), End> {
        self.copying = false;
        self.back.copy_done();
        self.command(&staged.insert.text);
        self.command(&staged.drop);
        self.back.flush();
        let mut tags: Vec<Vec<u8>> = Vec::new();
        while tags.len() < 3 {
            let message = frame::take(self.back.input(), |_| LONGEST).map_err(|e| End::Broken(e.to_string()))?;
            let Some((tag, body)) = message else {
                self.pump_upstream().await?;
                continue;
            };
            match tag {
                b'S' | b'N' | b'A' => self.asynchronous(tag, &body)?,
                b'C' => tags.push(body.to_vec()),
                b'D' if body == super::returned::CHECK[..] => {}
                b'1' | b'2' | b'3' => {}
                b'E' => {
                    let mut fields = Fields::decode(&body).map_err(|e| End::Broken(e.to_string()))?;
                    if fields.is_fatal() {
                        return Err(End::Upstream(fields));
                    }
                    if !tags.is_empty() {
                        // no more about the client's data, but about the table
                        fields.remove(b'W');
                        fields.remove(b'P');
                    }
                    let run = self.take_copy()?;
                    self.staged_failed(&run, fields);
                    return Ok(());
                }
                _ => return Err(End::Broken(format!("it sent an unexpected message (type {tag})"))),
            }
        }
        let stored = tags.get(1).and_then(|tag| tag.strip_prefix(b"INSERT 0 "));
        let tag = [b"COPY ", stored.unwrap_or(b"0\0")].concat();
        let run = self.take_copy()?;
        self.record_end(&run);
        self.relay(b'C', &tag);
        if run.as_query {
            self.end_query();
        }
        Ok(())
    }

    /// The COPY that has ended. Until then it stands in the queue, where it is found when the session ends before.
    fn take_copy(&mut self) -> Result<Box<Run>, End> {
        match self.queue.pop() {
            Some(Expect::Execute(run)) => Ok(run),
            _ => Err(End::Broken("it lost a COPY".to_owned())),
        }
    }

    /// One command under a name that an earlier one may have left behind.
    fn command(&mut self, text: &Verified) {
        self.back.close(b'P', OWN_COPY);
        self.back.close(b'S', OWN_COPY);
        self.back.parse(OWN_COPY, text, &[]);
        self.back.bind(OWN_COPY, OWN_COPY, &super::internal::NO_VALUES);
        self.back.execute(OWN_COPY, 0);
    }

    fn staged_failed(&mut self, run: &Run, mut fields: Fields) {
        let code = self.filter_error(&mut fields, Some(&run.text), true);
        if fields.sqlstate() == "25006" {
            fields.set(b'M', "cannot execute COPY FROM in a read-only transaction");
        }
        self.record_error(run, code, &fields);
        fields.encode(b'E', &mut self.client.output);
        if run.as_query {
            self.end_query();
        } else {
            self.state.skipping = true;
        }
    }

    /// Ends what the client sent as a Query: its ReadyForQuery comes with this Sync.
    pub(super) fn end_query(&mut self) {
        self.back.sync();
        self.state.segment_open = false;
        self.state.executes = 0;
        self.queue.push(Expect::Sync);
    }
}
