//! How many rows a result may still give, and the rows that wait until it is known that there are not too many.

use super::Session;
use super::expect::Run;
use super::state::State;
use crate::gate::RowLimit;
use crate::refusal::{Refusal, SqlState};
use bytes::BytesMut;
use std::collections::BTreeMap;

/// The most bytes of a result that wait.
const MOST_HELD: usize = 16 << 20;

/// Rows that wait.
#[derive(Debug, Default)]
pub(super) struct Held {
    open: bool,
    rows: BytesMut,
}

impl Held {
    /// The result under way gives its rows when it has ended.
    pub fn open(&mut self) {
        self.open = true;
    }

    /// Does one?
    pub fn is_open(&self) -> bool {
        self.open
    }

    pub fn put(&mut self, bytes: &[u8]) {
        self.rows.extend_from_slice(bytes);
    }

    /// More than may wait?
    pub fn is_full(&self) -> bool {
        self.rows.len() > MOST_HELD
    }

    /// Nobody gets them.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// What the result under way may give.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Allowance {
    /// The most rows of this statement.
    pub rows: Option<u64>,
    /// All of them or none.
    pub refuses: bool,
    /// What the policy allows, for the message.
    allowed: u64,
    /// Others have taken of it.
    together: bool,
}

/// What a run may give under a limit. Rows of cursors, and of portals that are read in portions, count together
/// within a transaction for each table that limits them.
pub(super) fn allowance(run: &Run, limit: &RowLimit, state: &State) -> Allowance {
    let portal = run.portal_name().and_then(|name| state.portals.get(name));
    let alone = Allowance {
        rows: Some(limit.most()),
        refuses: limit.refuses,
        allowed: limit.most(),
        together: false,
    };
    if !(run.in_portions || portal.is_some_and(|portal| portal.in_portions)) {
        return alone;
    }
    let (allowed, left) = limit.left(&state.given);
    Allowance {
        rows: Some(left),
        allowed,
        together: left < allowed,
        ..alone
    }
}

impl Allowance {
    /// The result has more.
    pub fn too_many(self) -> Refusal {
        let allowed = self.allowed;
        let refusal = Refusal::new(
            "row-limit",
            SqlState::ConfigurationLimitExceeded,
            format!("the result has more rows than the {allowed} that the policy allows"),
        )
        .hint("Ask for fewer rows, or ask the database administrator for the export right.");
        if self.together {
            refusal.detail("Rows that cursors and portals give in portions count together within a transaction.")
        } else {
            refusal
        }
    }
}

/// What waits is too much.
fn too_large() -> Refusal {
    Refusal::new(
        "row-limit-bytes",
        SqlState::ConfigurationLimitExceeded,
        format!("the result is larger than {} MB", MOST_HELD >> 20),
    )
    .detail("The policy gives a result only when it is known not to have too many rows.")
    .hint("Read it in portions, or ask the database administrator for the export right.")
}

impl Session<'_> {
    /// The result has ended: what waited is the client's.
    pub(super) fn give_held(&mut self) {
        if self.held.is_open() {
            self.client.output.extend_from_slice(&self.held.rows);
            self.held.clear();
        }
    }

    /// Counts rows that a portal or cursor has given; those of a `suspended` portal count with others' from now on.
    pub(super) fn count_rows(&mut self, run: &Run, suspended: bool) {
        let Some(name) = run.portal_name() else { return };
        let mut in_portions = suspended;
        if let Some(portal) = self.state.portals.get_mut(name) {
            portal.rows += run.rows;
            portal.in_portions |= suspended;
            in_portions |= portal.in_portions;
        }
        if in_portions {
            let limit = run.gives().and_then(|s| s.row_limit.as_ref());
            add(&mut self.state.given, limit, run.rows);
        }
    }

    /// What waits is too much: the rest of the row under way is thrown away with it.
    pub(super) fn refuse_large(&mut self) {
        self.passing.dropped = true;
        self.begin_overflow(too_large());
    }
}

fn add(given: &mut BTreeMap<String, u64>, limit: Option<&RowLimit>, rows: u64) {
    for table in limit.into_iter().flat_map(RowLimit::tables) {
        match given.get_mut(table) {
            Some(before) => *before += rows,
            None => drop(given.insert(table.to_owned(), rows)),
        }
    }
}

impl State {
    /// The transaction has ended: what cursors that outlive it have given counts on.
    pub fn count_held(&mut self) {
        self.given.clear();
        for portal in self.portals.values() {
            let statement = portal.text.statement(portal.statement);
            add(
                &mut self.given,
                statement.and_then(|s| s.row_limit.as_ref()),
                portal.rows,
            );
        }
    }

    /// CLOSE of a cursor, or of all.
    pub fn close_cursors(&mut self, name: Option<&str>) {
        match name {
            Some(name) => drop(self.portals.remove(name)),
            None => self.portals.retain(|portal| !portal.by_sql),
        }
    }
}
