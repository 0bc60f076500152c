//! What names stand for, once that is sure: another segment may not rely on what the database has not answered yet, since
//! behind an error it throws away what is left of a segment.

use super::judging::{Text, Verdict};
use super::portals::Portal;
use super::prepared::Prepared;
use super::{End, Session};
use crate::gate::Effect;
use std::sync::Arc;

impl Session<'_> {
    /// The prepared statement of this name. What comes meanwhile may end in [`super::state::State::skipping`].
    pub(super) async fn statement_named(&mut self, name: &str) -> Result<Option<Arc<Prepared>>, End> {
        let unsure = match self.state.statements.get(name) {
            Some(prepared) => self.queue.is_unsure(prepared.noted),
            None => self.queue.has_unanswered(),
        };
        if unsure {
            Box::pin(self.drain()).await?;
        }
        Ok(self.state.statements.get(name).cloned())
    }

    /// The portal or cursor of this name. What comes meanwhile may end in [`super::state::State::skipping`].
    pub(super) async fn portal_named(&mut self, name: &str) -> Result<Option<Portal>, End> {
        let unsure = match self.state.portals.get(name) {
            Some(portal) => self.queue.is_unsure(portal.noted),
            None => self.queue.has_unanswered(),
        };
        if unsure {
            Box::pin(self.drain()).await?;
        }
        Ok(self.state.portals.get(name).cloned())
    }

    /// Makes sure of the name that a statement of a text takes its result from, if it is one that does, and that it stands
    /// where the database looks for it already when a portal is made. `Some` when that failed.
    pub(super) async fn be_sure_of_source(&mut self, text: &Text, statement: usize) -> Result<Option<Verdict>, End> {
        match text.statement(statement).map(|s| &s.effect) {
            Some(Effect::Execute { name }) => self.stand_in(name).await,
            Some(Effect::Fetch { name }) => self.portal_named(name).await.map(|_| None),
            _ => Ok(None),
        }
    }

    /// Makes sure that a Parse which is answered without being sent, as its text stands on the connection, would succeed
    /// there: nothing does in an aborted block.
    pub(super) async fn be_sure_of_parse(&mut self, text: &Text) -> Result<(), End> {
        let digest = self.known_as(text);
        if !self.shares() || self.back.carried.statements.noted(&digest).is_none() {
            return Ok(());
        }
        if self.queue.has_unanswered() {
            Box::pin(self.drain()).await?;
        }
        if self.state.status == b'E' {
            self.back.carried.statements.forget(&digest);
        }
        Ok(())
    }

    /// Makes sure that a text stands on the connection if it is believed to.
    pub(super) async fn be_sure_of_standing(&mut self, text: &Text) -> Result<(), End> {
        if self.queue.has_unanswered() && self.shares() {
            let digest = self.known_as(text);
            let noted = self.back.carried.statements.noted(&digest);
            if noted.is_some_and(|noted| self.queue.is_unsure(noted)) {
                Box::pin(self.drain()).await?;
            }
        }
        Ok(())
    }
}
