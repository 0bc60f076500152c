//! Prepared statements in transaction mode: their names are the client's own, and each stands on whatever connection
//! serves the transaction, under a name of rowgate's.

use super::expect::{Expect, Standing};
use super::internal::{Shape, Shapes};
use super::judging::{Text, Verdict};
use super::prepared::Prepared;
use super::{End, Session};
use crate::backend::carried::Digest;
use crate::net::Fields;
use std::sync::Arc;

impl Session<'_> {
    /// What a text is known by on the connection, under the settings that are in force.
    pub(super) fn known_as(&self, text: &Text) -> Digest {
        let mut digest = *text.digest();
        digest.iter_mut().zip(&self.mark).for_each(|(byte, mark)| *byte ^= mark);
        digest
    }

    /// The name under which a client's prepared statement stands on the connection; it is prepared there first, if it
    /// is not there.
    pub(super) fn upstream_name(&mut self, name: &str, prepared: &Prepared) -> Box<str> {
        if prepared.by_sql || !self.shares() {
            return name.into();
        }
        let digest = self.known_as(&prepared.text);
        if name.is_empty() && self.back.carried.unnamed == Some(digest) {
            return name.into();
        }
        if let Some(known) = self.back.carried.statements.find(&digest) {
            return known.into();
        }
        let name = self.prepare_here(&prepared.text);
        self.queue.push(Expect::Placed(digest));
        name
    }

    /// Sends a Parse under a name of rowgate's own; the answer is still to be expected.
    pub(super) fn prepare_here(&mut self, text: &Arc<Text>) -> Box<str> {
        let most = self.shared.config.pool.statements;
        let digest = self.known_as(text);
        let noted = self.queue.segment();
        let name: Box<str> = self.back.carried.statements.add(digest, most, noted).into();
        self.back.parse(&name, &text.judgement.text, &text.types);
        self.shared
            .counters
            .placed
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        name
    }

    /// A client's Parse, which is sent only where the statement does not stand on the connection.
    pub(super) fn parse_shared(&mut self, name: &str, text: &Arc<Text>) -> Standing {
        let digest = self.known_as(text);
        if name.is_empty() {
            self.back.parse("", &text.judgement.text, &text.types);
            self.back.carried.unnamed = Some(digest);
        } else if self.back.carried.statements.find(&digest).is_some() {
            return Standing::Known;
        } else {
            self.prepare_here(text);
        }
        Standing::Sent(digest)
    }

    /// A command names a statement that the client made by a Parse message: it has to stand on the connection under the
    /// client's own name for that. `Some` when that failed.
    pub(super) async fn stand_in(&mut self, name: &str) -> Result<Option<Verdict>, End> {
        let prepared = self.statement_named(name).await?;
        if self.state.skipping {
            return Ok(Some(Verdict::Skipped));
        }
        let Some(prepared) = prepared else {
            return self.stand_down(name).await;
        };
        if prepared.by_sql || !self.shares() {
            return Ok(None);
        }
        let digest = self.known_as(&prepared.text);
        if self.state.stand_ins.get(name) == Some(&digest) {
            return Ok(None);
        }
        self.drain().await?;
        if self.state.skipping {
            return Ok(Some(Verdict::Skipped));
        }
        self.state.stand_ins.insert(name.into(), digest);
        self.back.close(b'S', name);
        self.back
            .parse(name, &prepared.text.judgement.text, &prepared.text.types);
        Ok(match self.finish_own((b'1', 1)).await? {
            Ok(_) => None,
            Err(fields) => {
                self.state.stand_ins.insert(name.into(), Digest::default());
                Some(self.failed(fields, Some(&prepared.text)))
            }
        })
    }

    /// What stands in for a statement that the client has closed since goes, too.
    async fn stand_down(&mut self, name: &str) -> Result<Option<Verdict>, End> {
        if !self.state.stand_ins.contains_key(name) {
            return Ok(None);
        }
        self.drain().await?;
        if self.state.skipping {
            return Ok(Some(Verdict::Skipped));
        }
        self.state.stand_ins.remove(name);
        self.back.close(b'S', name);
        Ok(match self.finish_own((b'3', 1)).await? {
            Ok(_) => None,
            Err(fields) => Some(self.failed(fields, None)),
        })
    }

    /// The columns of a statement before and after it was judged again.
    pub(super) async fn shapes(&mut self, old: &Arc<Text>, new: &Arc<Text>) -> Result<Result<Shapes, Fields>, End> {
        let before = match self.shape(old).await? {
            Ok(shape) => shape,
            Err(_) if !self.state.segment_open && self.state.status != b'E' => None,
            Err(fields) => return Ok(Err(fields)),
        };
        Ok(self.shape(new).await?.map(|after| (before, after)))
    }

    async fn shape(&mut self, text: &Arc<Text>) -> Result<Result<Option<Shape>, Fields>, End> {
        let digest = self.known_as(text);
        let name: Box<str> = match self.back.carried.statements.find(&digest) {
            Some(name) => name.into(),
            None => self.prepare_here(text),
        };
        self.back.describe(b'S', &name);
        match self.finish_own((b'T', 1)).await? {
            Ok(answers) => Self::last_shape(&answers).map(Ok),
            Err(fields) => {
                self.back.carried.statements.forget(&digest);
                Ok(Err(fields))
            }
        }
    }

    /// A message that was sent to prepare a statement has failed, or the database has never looked at it.
    pub(super) fn unprepare(&mut self, message: &Expect) {
        match message {
            Expect::Placed(digest) => self.back.carried.statements.forget(digest),
            Expect::Parse {
                name,
                shared: Some(Standing::Sent(digest)),
                ..
            } => {
                if name.is_empty() {
                    self.back.carried.unnamed = None;
                } else {
                    self.back.carried.statements.forget(digest);
                }
            }
            _ => {}
        }
    }

    /// An error names the statement as the client does.
    pub(super) fn name_as_client(&mut self, fields: &mut Fields, text: &Arc<Text>) {
        let digest = self.known_as(text);
        let Some(here) = self.back.carried.statements.find(&digest) else {
            return;
        };
        let mut named = self.state.statements.iter();
        if let Some((name, _)) = named.find(|(_, prepared)| Arc::ptr_eq(&prepared.text, text)) {
            let message = fields.message().replace(&format!("\"{here}\""), &format!("\"{name}\""));
            fields.set(b'M', message);
        }
    }

    /// Answers what is at the front of the queue and needs no answer of the database.
    pub(super) fn answer_known(&mut self) {
        loop {
            let tag = match self.queue.front() {
                Some(Expect::Parse {
                    shared: Some(Standing::Known),
                    ..
                }) => b'1',
                Some(Expect::CloseStatement { known: true, .. }) => b'3',
                _ => return,
            };
            self.queue.pop();
            self.relay(tag, b"");
        }
    }

    /// No prepared statement is left on the connection, of whatever name.
    pub(super) fn all_deallocated(&mut self) {
        self.state.deallocate_all();
        self.state.stand_ins.clear();
        self.back.carried.statements.clear();
        self.back.carried.unnamed = None;
    }
}
