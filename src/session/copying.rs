//! COPY FROM STDIN: the client's data goes to the database as it comes, and ends as the protocol says whatever the
//! client does meanwhile.

use super::expect::Expect;
use super::{End, Session};
use crate::gate::Effect;
use crate::net::{Body, Malformed, frame};
use std::sync::Arc;

impl Session<'_> {
    /// CopyInResponse.
    pub(super) fn copy_begins(&mut self, body: &[u8]) -> Result<(), End> {
        let bypass = self.state.who.bypass;
        let wanted = match self.queue.front() {
            Some(Expect::Query(run) | Expect::Execute(run)) => {
                !run.silenced && (bypass || run.gives().is_some_and(|s| s.effect == Effect::CopyIn))
            }
            _ => return Err(End::Broken("it asked for data that nobody has".to_owned())),
        };
        if !wanted {
            self.back.copy_fail("COPY FROM is refused by rowgate");
            return Ok(());
        }
        // the database swallows a Sync that comes while it waits for data
        self.queue.swallow_sync();
        self.relay(b'G', body);
        self.copying = true;
        Ok(())
    }

    /// Must the client's next message wait until the database has asked for data, or until a COPY has ended?
    pub(super) fn waits_for_copy(&self) -> bool {
        self.queue.copies > 0 && !self.copying
    }

    /// Passes on all data that has come whole.
    pub(super) fn pass_data(&mut self, longest: usize) -> Result<(), End> {
        let mut at = 0;
        while let Some(rest) = self.client.input.get(at..)
            && let Some(header) = frame::header(rest).map_err(End::Malformed)?
        {
            if header.tag != b'd' || header.body > longest || rest.len() < header.total() {
                break;
            }
            at += header.total();
        }
        if at > 0 {
            self.back.take_data(&mut self.client, at);
        }
        Ok(())
    }

    /// A message of the client while the database waits for data.
    pub(super) async fn copy_message(&mut self, tag: u8, body: &[u8]) -> Result<(), End> {
        match tag {
            b'd' => self.back.copy_data(body),
            b'c' => {
                Body::new(body).finish().map_err(End::Malformed)?;
                let staged = match self.queue.front() {
                    Some(Expect::Execute(run)) => run.text.staged().map(Arc::clone),
                    _ => None,
                };
                if let Some(staged) = staged {
                    return self.finish_staged(&staged).await;
                }
                self.back.copy_done();
                self.data_ended();
            }
            b'f' => {
                let mut reader = Body::new(body);
                let reason = reader.cstr_bytes().map_err(End::Malformed)?;
                reader.finish().map_err(End::Malformed)?;
                let reason = String::from_utf8_lossy(reason).into_owned();
                self.back.copy_fail(&reason);
                self.data_ended();
            }
            // as PostgreSQL does
            b'H' | b'S' => {}
            b'X' => {
                self.break_off("the client ended the session");
                self.drain().await?;
                return Err(End::Client);
            }
            _ => {
                return Err(End::Malformed(Malformed(
                    "unexpected message type during COPY from stdin",
                )));
            }
        }
        Ok(())
    }

    /// Ends a COPY for which no more data will come; nothing of it is stored.
    pub(super) fn break_off(&mut self, reason: &str) {
        if self.copying {
            self.back.copy_fail(reason);
            self.data_ended();
        }
    }

    /// In the extended protocol the database says how it went only when it is asked to.
    fn data_ended(&mut self) {
        self.copying = false;
        if matches!(self.queue.front(), Some(Expect::Execute(_))) {
            self.back.flush();
        }
    }
}
