//! What the analysis learns about one expression.

use crate::catalog::Oid;
use crate::name::QualifiedName;
use crate::sql::lists;
use crate::sql::resolve::scope::GuardId;
use std::collections::BTreeSet;

/// Relations with hidden rows whose values an expression can see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Guards whose columns it names itself: an evaluation guard can stand in the same place.
    pub direct: BTreeSet<GuardId>,
    /// Guards whose values come to it through an alias chain.
    pub indirect: BTreeSet<GuardId>,
}

impl Reach {
    /// Does it see no relation with hidden rows?
    pub fn is_empty(&self) -> bool {
        self.direct.is_empty() && self.indirect.is_empty()
    }

    /// Adds what another expression sees.
    pub fn merge(&mut self, other: &Reach) {
        self.direct.extend(&other.direct);
        self.indirect.extend(&other.indirect);
    }

    /// The same values seen from outside the level: nothing is direct any more.
    pub fn from_outside(&self) -> Reach {
        Reach {
            direct: BTreeSet::new(),
            indirect: self.all(),
        }
    }

    /// What is left where the relations of a query's own levels have been filtered: those around it, made before it.
    pub fn of_outer(&self, first_own: GuardId) -> Reach {
        let outer = |set: &BTreeSet<GuardId>| set.range(..first_own).copied().collect();
        Reach {
            direct: outer(&self.direct),
            indirect: outer(&self.indirect),
        }
    }

    /// Every guard.
    pub fn all(&self) -> BTreeSet<GuardId> {
        self.direct.union(&self.indirect).copied().collect()
    }
}

/// The facts about one expression.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Its type, where it is known.
    pub ty: Option<Oid>,
    /// Its type modifier, where it is a stored column's.
    pub typmod: i32,
    /// An untyped literal or parameter, which takes the type of what it stands beside.
    pub untyped: bool,
    /// The text of a string literal.
    pub literal: Option<String>,
    /// The same for an integer.
    pub integer: Option<i64>,
    /// Can it neither raise nor tell anything but by its result?
    pub total: bool,
    /// May it be a value of unbounded size that the client made?
    pub bulky: bool,
    /// Is it a string constant so short that it cannot be a deep value of any type, perhaps cast to one?
    pub shallow: bool,
    /// How many operators and functions in it fail only by the size of their result.
    pub growing: usize,
    /// May it hold a date or time that the client made up, at the very end of what the type can hold?
    pub distant: bool,
    /// May it be a stored value as large, or as far in time, as whoever wrote it liked?
    pub stored: bool,
    /// Does something in it fail on such values at the end of what their type can hold, and on no others?
    pub edge: bool,
    /// Does it call a volatile function? PostgreSQL treats such an expression otherwise than one that is not.
    pub volatile: bool,
    /// Is it the present moment, or what is cut from it?
    pub now: bool,
    /// Collations in it beside the default.
    pub collations: BTreeSet<QualifiedName>,
    /// Does it name any column?
    pub columns: bool,
    /// Is it `column IN` over a query that may raise and sees nothing outside itself? PostgreSQL joins with such a query
    /// where the test is a condition of its own, and anywhere else runs it on rows that are not filtered yet.
    pub joins_unsafe: bool,
    /// What hidden rows it can see.
    pub reach: Reach,
    /// Has it an aggregate of its level?
    pub aggregate: bool,
    /// Has it a window function?
    pub window: bool,
    /// Has it a set-returning function?
    pub set_returning: bool,
    /// Where it is a guard's own column: which.
    pub home: Option<(GuardId, usize)>,
    /// The table column that PostgreSQL would name as its origin.
    pub origin: Option<crate::gate::Origin>,
    /// Does the server name another origin because of a splice?
    pub origin_lost: bool,
    /// The first thing in it that is not total, for explanations.
    pub why: Option<String>,
}

/// Stands for a collation that is not known, or for several at once: nothing compares by it without fail.
pub fn several_collations() -> QualifiedName {
    QualifiedName::new("", "several")
}

/// The collation of a column that comes from either of two.
pub fn either_collation(one: Option<&QualifiedName>, other: Option<&QualifiedName>) -> Option<QualifiedName> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => Some(several_collations()),
        (one, other) => one.or(other).cloned(),
    }
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            ty: None,
            typmod: -1,
            untyped: false,
            literal: None,
            integer: None,
            total: true,
            bulky: false,
            shallow: false,
            growing: 0,
            distant: false,
            stored: false,
            edge: false,
            volatile: false,
            now: false,
            collations: BTreeSet::new(),
            columns: false,
            joins_unsafe: false,
            reach: Reach::default(),
            aggregate: false,
            window: false,
            set_returning: false,
            home: None,
            origin: None,
            origin_lost: false,
            why: None,
        }
    }
}

impl Facts {
    /// Facts of something of a known type.
    pub fn of(ty: Option<Oid>) -> Self {
        Self { ty, ..Self::default() }
    }

    /// Takes over what a part tells about the whole; type and literal are not taken over.
    pub fn absorb(&mut self, part: &Facts) {
        self.total &= part.total && !part.joins_unsafe;
        self.columns |= part.columns;
        self.bulky |= part.bulky;
        self.distant |= part.distant;
        self.stored |= part.stored;
        self.edge |= part.edge;
        self.volatile |= part.volatile;
        self.growing += part.growing;
        self.collations.extend(part.collations.iter().cloned());
        self.reach.merge(&part.reach);
        self.aggregate |= part.aggregate;
        self.window |= part.window;
        self.set_returning |= part.set_returning;
        if self.why.is_none() {
            self.why.clone_from(&part.why);
        }
    }

    /// Marks it as able to raise, with the reason.
    pub fn not_total(&mut self, why: impl FnOnce() -> String) {
        self.total = false;
        if self.why.is_none() {
            self.why = Some(why());
        }
    }

    /// May one more thing in it fail by the size of its result, so that the size tells nothing?
    pub fn may_grow(&mut self) -> bool {
        self.growing += 1;
        !self.bulky && self.growing <= lists::MOST_GROWING && self.may_meet_the_edge()
    }

    /// May one more thing in it fail on stored values at the end of what their type can hold? A hidden row's are what they
    /// are. Those of a table from which nothing is hidden somebody may have written to see which hidden row leads to them.
    pub fn may_meet_the_edge(&mut self) -> bool {
        self.edge |= self.stored;
        !self.stored || !self.reach.is_empty()
    }

    /// The collation of a column that this is the expression of; several at once are none that compares without fail.
    pub fn collation(&self) -> Option<QualifiedName> {
        match self.collations.len() {
            0 | 1 => self.collations.first().cloned(),
            _ => Some(several_collations()),
        }
    }

    /// Is it a whole number that is not negative, written as such?
    pub fn is_count(&self) -> bool {
        self.total && self.integer.is_some_and(|n| n >= 0)
    }

    /// Do its strings compare without fail: at most one collation beside the default, and a deterministic one?
    pub fn collates(&self) -> bool {
        self.collations.len() <= 1 && self.collations.iter().all(|c| lists::collation_is_plain(&c.schema))
    }

    /// Is it unsafe where hidden rows may still be present? What fails on a stored value of one relation is, where another
    /// one's hidden rows can decide whether it is reached: that value may be in a row that shows.
    pub fn leaks(&self) -> bool {
        let meets = || self.edge && self.reach.all().len() > 1;
        !self.reach.is_empty() && (!self.total || meets())
    }
}
