//! The product in one function: may this person's text go to the database, and as what?

pub mod acting;
pub mod cache;
pub mod limit;
mod weight;

use crate::catalog::{Oid, Relation};
use crate::identity::Principal;
use crate::refusal::Refusal;
use crate::world::World;
use crate::world::standing::Asker;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub use self::limit::RowLimit;
pub use crate::sql::explain_output::Explained;
pub use crate::sql::verify::Verified;

/// What a statement is judged under beside the world: one session's state.
#[derive(Debug, Clone)]
pub struct SessionView {
    /// The session's search_path as it stands, schema names in order, `$user` resolved; `pg_catalog` first is
    /// implied.
    pub search_path: Vec<String>,
    /// The session's own temp relations, read from the catalogue after each statement that may change them.
    pub temp_relations: Vec<Arc<Relation>>,
    /// What holds for the session's temp relations, because of what was stored in them.
    pub stored: Option<Restriction>,
}

impl PartialEq for SessionView {
    /// Of temp relations the same ones: they are a session's own.
    fn eq(&self, other: &Self) -> bool {
        let Self {
            search_path,
            temp_relations,
            stored,
        } = self;
        let same = |(one, other): (&Arc<Relation>, &Arc<Relation>)| Arc::ptr_eq(one, other);
        *search_path == other.search_path
            && *stored == other.stored
            && temp_relations.len() == other.temp_relations.len()
            && temp_relations.iter().zip(&other.temp_relations).all(same)
    }
}

impl Eq for SessionView {}

impl Hash for SessionView {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.search_path.hash(state);
        self.stored.hash(state);
    }
}

impl SessionView {
    /// Is every text judged the same under both? Temp relations are one session's own.
    pub fn judges_as(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        let has_temp = !self.temp_relations.is_empty() || !other.temp_relations.is_empty();
        Arc::ptr_eq(self, other) || !has_temp && self == other
    }

    /// Hashes what [`Self::judges_as`] compares.
    fn hash_for(self: &Arc<Self>, state: &mut impl Hasher) {
        if self.temp_relations.is_empty() {
            self.hash(state);
        } else {
            std::ptr::hash(Arc::as_ptr(self), state);
        }
    }
}

/// What follows rows that may not be exported into a temp table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Restriction {
    /// The relation that they were read from.
    pub relation: String,
    /// How many rows of it a result may have.
    pub row_limit: Option<RowLimit>,
}

impl Restriction {
    /// The stricter of two.
    pub fn join(self, other: Option<&Restriction>) -> Restriction {
        let row_limit = limit::stricter(self.row_limit, other.and_then(|o| o.row_limit.as_ref()));
        Restriction {
            row_limit,
            relation: self.relation,
        }
    }
}

/// A judged text: one or more statements that go to the database together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The only text that a backend takes: all statements, rewritten and verified.
    pub text: Verified,
    /// One per statement, in order; empty for an empty query.
    pub statements: Arc<[Judged]>,
}

impl Judgement {
    /// Would it send the same to the database as another one?
    pub fn sends_as(&self, other: &Judgement) -> bool {
        let staged = |j: &Judgement| -> Vec<String> {
            let staged = j.statements.iter().filter_map(|s| s.staged.as_ref());
            staged.map(|s| s.insert.text.text().to_owned()).collect()
        };
        self.text.text() == other.text.text() && staged(self) == staged(other)
    }
}

/// One statement of a judged text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What kind of statement it is, as its command tag begins (`SELECT`, `BEGIN`, `COPY`, `SET` …).
    pub kind: &'static str,
    /// What it does to the session when it succeeds.
    pub effect: Effect,
    /// Where each result column comes from as the client would see it without rowgate; `None` leaves the
    /// server's own answer. Empty where nothing has to be changed.
    pub origins: Vec<Option<Origin>>,
    /// How many rows the client may get (`max_rows` without `export`).
    pub row_limit: Option<RowLimit>,
    /// Which of the result rows that the server sends are the client's.
    pub returned: Returned,
    /// It may change rows, or end a transaction that has: the database's errors about it can carry values that the
    /// person may not see. PREPARE and DECLARE say it of the statement inside.
    pub writes: bool,
    /// What holds for temp relations from now on, because the statement stores rows that may not be exported.
    pub stores: Option<Restriction>,
    /// What surrounds a COPY FROM that goes by way of a temporary table.
    pub staged: Option<Arc<Staged>>,
    /// What it may leave on the connection to the database when its transaction has ended.
    pub leaves: Leaves,
    /// Result rows are EXPLAIN's and must pass [`crate::sql::explain_output::filter_row`].
    pub explain_output: Option<Explained>,
    /// What it reads, for the audit.
    pub reads: Vec<Read>,
    /// Does it read or write anything but catalogue and constants (so that rights may change under it)?
    pub touches_protected: bool,
    /// How it was judged, a line each, for `rowgate explain`.
    pub notes: Vec<String>,
}

/// What a statement may leave on its connection behind the end of its transaction, whether it succeeds or fails. Temp
/// tables and statements made by PREPARE are told by its [`Effect`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Leaves {
    /// Settings: SET, RESET, `set_config`; those of the transaction alone too, under which it may prepare statements.
    pub settings: bool,
    /// What no other connection can be given.
    pub bound: BTreeSet<Bound>,
    /// Whatever the database's own functions and triggers leave, of which nothing is known.
    pub unknown: bool,
}

/// State of a session that binds it to its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bound {
    /// LISTEN
    Listen,
    /// `pg_advisory_lock` and its kin.
    AdvisoryLock,
    /// `DECLARE … WITH HOLD`
    HeldCursor,
    /// `lastval` and `currval` ask for what the session's own `nextval` gave.
    Sequences,
    /// `setseed`
    RandomSeed,
}

/// The way of a COPY FROM whose rows cannot be held to the policy as they come in: they go into a temporary table that
/// only this statement knows, and from there by an INSERT that is judged like any other. All of it succeeds or fails
/// together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// Makes the temporary table.
    pub create: Verified,
    /// Stores its rows.
    pub insert: Judgement,
    /// Drops it.
    pub drop: Verified,
    /// Its name.
    pub place: String,
    /// The table's own name.
    pub table: String,
}

/// What of a statement's result belongs to the client, where rowgate asked for more than they did: a write whose new
/// rows are checked returns the check's value, which is always NULL, before what the client wants returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Returned {
    /// All of it.
    #[default]
    AsIs,
    /// No row and no RowDescription: the client asked for none. They see the command tag alone, a Describe gives
    /// NoData, and an Execute runs to the end whatever its row limit.
    Nothing,
    /// Every column but the first.
    AllButFirst,
}

/// A RowDescription field's origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Table OID.
    pub table: Oid,
    /// Attribute number.
    pub column: i16,
}

/// One relation that a statement reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// `schema.name`
    pub relation: String,
    /// Columns named by the statement.
    pub columns: Vec<String>,
    /// Those of them that were masked, with the mask's word: `phone:partial`.
    pub masked: Vec<String>,
    /// Masked columns whose values themselves an exact match was tried on.
    pub searched: Vec<String>,
}

/// What a statement does to its session once it has succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing that a later judgement depends on.
    None,
    /// `search_path` is now this; `None` is back to the session's default.
    SearchPath(Option<Vec<String>>),
    /// Temp relations came or went: read them again before the next judgement.
    TempRelations,
    /// Other DDL went through: the catalogue snapshot is stale.
    Schema,
    /// BEGIN, COMMIT, ROLLBACK, SAVEPOINT …: what was set or created since may be undone, so search_path and
    /// temp relations must be read again before the next judgement if either was touched.
    Transaction,
    /// `PREPARE name AS statement`: the statement's own text in the client's words, to judge again.
    Prepare {
        /// Its name.
        name: String,
        /// The client's text after AS.
        statement: String,
    },
    /// `EXECUTE name`
    Execute {
        /// Its name.
        name: String,
    },
    /// `DEALLOCATE name`, or all of them.
    Deallocate(Option<String>),
    /// `DECLARE name CURSOR …`
    DeclareCursor {
        /// Its name.
        name: String,
    },
    /// FETCH or MOVE on a cursor: refuse if rights have been reduced since it was opened.
    Fetch {
        /// Its name.
        name: String,
    },
    /// `CLOSE name`, or all of them.
    CloseCursor(Option<String>),
    /// `UNLISTEN *`
    Unlisten,
    /// `DISCARD ALL` and `RESET ALL`: settings that rowgate put in force must be put in force again.
    Reset {
        /// DISCARD ALL also drops prepared statements, cursors, LISTEN and temp tables.
        all: bool,
    },
    /// The person that a program acts for is this one from now on, or nobody; see [`acting`].
    Act(Option<String>),
    /// `RESET name` and `SET name TO DEFAULT`: what the client asked for at startup holds again.
    ResetSetting(String),
    /// `COPY … TO STDOUT`
    CopyOut,
    /// `COPY … FROM STDIN`
    CopyIn,
}

/// Judges a text of one or more statements for one person under one world.
///
/// Pure: no clock, no socket, no file. `parameter_types` are the types that an extended-protocol Parse gives
/// for `$1 …` (0 or missing where it leaves them open).
pub fn judge(
    text: &str,
    who: &Principal,
    session: &SessionView,
    parameter_types: &[Oid],
    world: &World,
) -> Result<Judgement, Refusal> {
    judge_as(text, &Asker::new(world, who), session, parameter_types, world)
}

/// The same for somebody who is asked about, so that it is known afterwards what of them the judgement depends on.
pub fn judge_as(
    text: &str,
    who: &Asker<'_>,
    session: &SessionView,
    parameter_types: &[Oid],
    world: &World,
) -> Result<Judgement, Refusal> {
    crate::sql::secure(text, who, session, parameter_types, world)
}

/// A bypass principal's text, as it is: the only other way to a [`Verified`]. `None` for everybody else.
///
/// Such text goes only over connections that are never shared with others, and every statement is audited.
pub fn bypass(text: &str, who: &Principal) -> Option<Verified> {
    who.bypass.then(|| Verified::bypassing(text))
}
