//! What a session remembers between statements.

use super::acting::{Acting, nobody};
use super::judging::Text;
use super::portals::Portals;
use super::prepared::{Prepared, Statements};
use super::shared::Known;
use crate::backend::carried::Digest;
use crate::catalog::Relation;
use crate::gate::{Bound, Restriction, SessionView};
use crate::identity::Principal;
use crate::policy::RoleRights;
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most prepared statements, and most portals, that one session may hold.
pub(super) const MOST_NAMES: usize = 10_000;
/// Bytes that the texts of its prepared statements may have together.
pub(super) const MOST_BYTES: usize = 32 << 20;

/// The state.
pub(super) struct State {
    /// Whose rights are in force.
    pub login: String,
    /// It acts for others.
    pub acting: Option<Box<Acting>>,
    pub world: Arc<World>,
    pub who: Arc<Principal>,
    pub rights: Arc<RoleRights>,
    /// What `judge` may know of the session.
    pub view: Arc<SessionView>,
    /// search_path and temp relations must be read again before the next judgement.
    pub stale: bool,
    /// The session has made temp relations, so that there may be some.
    pub has_temp: bool,
    /// They were changed in the transaction that is under way.
    pub touched: bool,
    /// The session's own settings must be put in force again: RESET ALL or DISCARD ALL went through.
    pub settings_lost: bool,
    /// The policy's limits for this person have changed and must be put in force.
    pub limits_changed: bool,
    /// They were put in force in a transaction that is open: its end may have undone that.
    pub limits_in_transaction: bool,
    /// `I`, `T` or `E`, as the last ReadyForQuery said.
    pub status: u8,
    /// Messages of the extended protocol were sent since the last Sync or Query.
    pub segment_open: bool,
    /// How many of them were Execute.
    pub executes: usize,
    /// Everything up to Sync is thrown away, after an error.
    pub skipping: bool,
    pub statements: Statements,
    pub portals: Portals,
    /// Rows that the transaction has been given in portions, by the policy's tables that limit them; those of cursors
    /// that outlive their transactions among them.
    pub given: BTreeMap<String, u64>,
    /// What binds the session to its connection.
    pub bound: BTreeSet<Bound>,
    /// `UNLISTEN *` was sent, nothing behind it listens again, and no error or rollback has taken it back.
    pub unlistens: bool,
    /// Settings may not be what they were when the connection was taken.
    pub settings_touched: bool,
    /// Statements that stand on the connection under the client's own names.
    pub stand_ins: BTreeMap<Box<str>, Digest>,
    /// What the client asked for in its startup packet and got: names and values.
    pub settings: Vec<(String, String)>,
    /// Those of them that a RESET has taken away.
    pub settings_reset: Vec<String>,
}

impl State {
    /// A session that has just logged in.
    pub fn new(login: String, world: Arc<World>, who: Arc<Principal>) -> Self {
        let mut who = who;
        let mut rights = world.rights_of(&who);
        let acting = Acting::of(&login, &rights);
        if acting.is_some() {
            who = nobody(&login);
            rights = Arc::default();
        }
        Self {
            acting,
            login,
            world,
            who,
            rights,
            view: Arc::new(SessionView {
                search_path: Vec::new(),
                temp_relations: Vec::new(),
                stored: None,
            }),
            stale: true,
            has_temp: false,
            touched: false,
            settings_lost: false,
            limits_changed: false,
            limits_in_transaction: false,
            status: b'I',
            segment_open: false,
            executes: 0,
            skipping: false,
            statements: Statements::default(),
            portals: Portals::default(),
            given: BTreeMap::new(),
            bound: BTreeSet::new(),
            unlistens: false,
            settings_touched: false,
            stand_ins: BTreeMap::new(),
            settings: Vec::new(),
            settings_reset: Vec::new(),
        }
    }

    /// Has something been taken away that has to be put in force again?
    pub fn settings_lost(&self) -> bool {
        self.settings_lost || !self.settings_reset.is_empty()
    }

    /// Is this text's judgement still the one that would be made now?
    pub fn is_current(&self, text: &Text) -> bool {
        text.generation == self.world.generation && self.view.judges_as(&text.view)
    }

    /// search_path and temp relations as they were just read. A view without temp relations is one of those that are
    /// known, the same for all sessions that have it.
    pub fn refresh_view(
        &mut self,
        search_path: Vec<String>,
        temp_relations: Vec<Arc<Relation>>,
        known: &Known<SessionView>,
    ) {
        self.stale = false;
        self.has_temp &= self.status != b'I' || self.segment_open || !temp_relations.is_empty();
        let same_tables = self.view.temp_relations.is_empty() && temp_relations.is_empty();
        if same_tables && self.view.search_path == search_path {
            return;
        }
        let view = Arc::new(SessionView {
            search_path,
            temp_relations,
            stored: self.view.stored.clone(),
        });
        self.view = if view.temp_relations.is_empty() {
            known.intern(&view)
        } else {
            view
        };
    }

    /// A statement stores rows that may not be exported in a temp table: whatever becomes of it, this holds from now on.
    pub fn restrict_stored(&mut self, restriction: Restriction) {
        let stored = restriction.join(self.view.stored.as_ref());
        if self
            .view
            .stored
            .as_ref()
            .is_some_and(|r| r.row_limit == stored.row_limit)
        {
            return;
        }
        self.view = Arc::new(SessionView {
            stored: Some(stored),
            ..(*self.view).clone()
        });
    }

    /// Every temp relation is gone for good: DISCARD ALL went through, which no transaction can undo.
    pub fn forget_stored(&mut self) {
        self.has_temp = false;
        if self.view.stored.is_some() {
            self.view = Arc::new(SessionView {
                stored: None,
                ..(*self.view).clone()
            });
        }
    }

    /// Notes a prepared statement; gives what the name stood for.
    pub fn prepare(&mut self, name: String, prepared: Prepared) -> Option<Arc<Prepared>> {
        self.statements.insert(name, Arc::new(prepared))
    }

    /// Forgets a prepared statement; gives what it was.
    pub fn deallocate(&mut self, name: &str) -> Option<Arc<Prepared>> {
        self.statements.remove(name)
    }

    /// Forgets all of them.
    pub fn deallocate_all(&mut self) {
        self.statements.clear();
    }

    /// Puts a name back to what it stood for.
    pub fn put_back(&mut self, name: String, previous: Option<Arc<Prepared>>) {
        match previous {
            Some(previous) => {
                self.statements.insert(name, previous);
            }
            None => {
                self.deallocate(&name);
            }
        }
    }
}
