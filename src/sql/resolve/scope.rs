//! What the names of one query level can mean: relations, their columns, and the levels around.

use crate::catalog::Oid;
use crate::gate::Origin;
use crate::name::{QualifiedName, quote_ident};
use crate::sql::census::{Census, ColumnReference};
use crate::sql::resolve::facts::{Reach, several_collations};
use std::cell::Cell;
use std::rc::Rc;

/// Which guard: an index into the analysis' list.
pub type GuardId = usize;

/// A column that a query level offers.
#[derive(Debug, Clone)]
pub struct Col {
    /// Its name.
    pub name: String,
    /// How text refers to it, where its bare name does not do.
    pub text: String,
    /// Its type, where it is known.
    pub ty: Option<Oid>,
    /// Its type modifier, where it is a stored column's.
    pub typmod: i32,
    /// Its collation, where that is not the default. A column that is made without saying it has one that is not known.
    pub collation: Option<QualifiedName>,
    /// May it hold a date or time that the client made up? One that is made without saying so may.
    pub distant: bool,
    /// Does its expression fail on stored values at the end of what their type can hold? One that is made without saying so
    /// does.
    pub edge: bool,
    /// The table column that PostgreSQL would name as its origin.
    pub origin: Option<Origin>,
    /// Does the server name another origin, or none, because of a splice?
    pub origin_lost: bool,
    /// Which relations with hidden rows its value comes from.
    pub reach: Reach,
    /// Where it is a guard's own column: the guard and the column's index in it.
    pub home: Option<(GuardId, usize)>,
    /// The guards' own columns that it is made of, where it is none of them itself.
    pub within: Vec<(GuardId, usize)>,
    /// Its text is an expression, so that it has no name of its own.
    pub computed: bool,
    /// USING or NATURAL made it of two.
    pub merged: bool,
    /// What the text that is sent calls it, where that is another name.
    pub sent: Option<String>,
}

impl Col {
    /// How text refers to it.
    pub fn reference(&self) -> String {
        if self.text.is_empty() {
            quote_ident(&self.name)
        } else {
            self.text.clone()
        }
    }
}

impl Default for Col {
    fn default() -> Self {
        Self {
            name: String::new(),
            text: String::new(),
            ty: None,
            typmod: -1,
            collation: Some(several_collations()),
            distant: true,
            edge: true,
            origin: None,
            origin_lost: false,
            reach: Reach::default(),
            home: None,
            within: Vec::new(),
            computed: false,
            merged: false,
            sent: None,
        }
    }
}

/// Where an item of FROM comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A guarded relation or expanded view.
    Guard(GuardId),
    /// The table that a statement writes, named in place by this guard.
    Target(GuardId),
    /// An open relation, of this row type's relation.
    Relation(Oid),
    /// A subquery, CTE, function or VALUES.
    Derived,
    /// A CTE that writes and has a private column, or the row that ON CONFLICT leaves out: not to be named whole.
    Checked,
    /// A join with its merged and plain columns.
    Join,
}

/// One item of FROM, as PostgreSQL's `ParseNamespaceItem`.
#[derive(Debug, Clone)]
pub struct Item {
    /// The name by which it is referred to; empty for an unnamed join.
    pub name: String,
    /// The schema, where the item is a relation without an alias.
    pub schema: Option<String>,
    /// Its columns in order.
    pub columns: Vec<Col>,
    /// Further columns of unknown names may exist.
    pub opaque: bool,
    /// May its name be used as a qualifier?
    pub name_visible: bool,
    /// May its columns be used unqualified?
    pub columns_visible: bool,
    /// Where it comes from.
    pub source: Source,
    /// How text must qualify its columns where the written qualifier does not do (private alias).
    pub qualifier: String,
    /// Guards that a locking clause on this item reaches.
    pub locks: Vec<GuardId>,
    /// Guards whose columns a star on it shows, private ones included.
    pub shown: Vec<GuardId>,
    /// What an unnamed join that merges nothing puts side by side.
    pub parts: Vec<Rc<Item>>,
}

impl Item {
    /// Are two of its columns referred to by the same text?
    pub fn has_twins(&self) -> bool {
        let mut names: Vec<String> = self.columns.iter().map(Col::reference).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair.first() == pair.last())
    }

    /// Can a star on it be spelled out, so that no private column stands among it?
    pub fn can_be_spelled(&self) -> bool {
        if self.parts.is_empty() {
            self.is_whole() || !self.has_twins()
        } else {
            self.parts.iter().all(|part| part.can_be_spelled())
        }
    }

    /// A query or function with a name: nothing private is in it, and its own star will do.
    pub fn is_whole(&self) -> bool {
        self.source == Source::Derived && !self.qualifier.is_empty() && !self.columns.iter().any(|c| c.computed)
    }
}

/// A common table expression in force.
#[derive(Debug, Clone)]
pub struct Cte {
    /// Its name.
    pub name: String,
    /// Its columns; `None` while its own query is being read and it is not recursive yet.
    pub columns: Option<Vec<Col>>,
    /// Has anything named it?
    pub named: Cell<bool>,
    /// It writes, and the check of what it wrote is its first column, of this name, that nothing may show.
    pub check: Option<String>,
}

impl Cte {
    /// A common table expression that nothing has named yet.
    pub fn new(name: &str, columns: Option<Vec<Col>>) -> Self {
        Self {
            name: name.to_owned(),
            columns,
            named: Cell::new(false),
            check: None,
        }
    }
}

/// One query level and the levels around it.
#[derive(Debug, Default)]
pub struct Scope<'p> {
    /// The items of FROM.
    pub items: Vec<Rc<Item>>,
    /// Common table expressions of this level.
    pub ctes: Vec<Rc<Cte>>,
    /// The level around.
    pub parent: Option<&'p Scope<'p>>,
    /// Is what is being read after the grouping of this level?
    pub grouped: bool,
    /// Has a query inside looked for a name here?
    pub asked: Cell<bool>,
}

/// What a column name was found to mean.
#[derive(Debug, Clone)]
pub enum Found {
    /// A column: its item and index.
    Column(Rc<Item>, usize),
    /// A system column of this item.
    System(Rc<Item>),
    /// Some column of an item whose columns are not all known.
    Opaque,
    /// Some column of an item whose columns are not all known, or one of a level around: nobody knows here.
    Unclear,
    /// More than one.
    Ambiguous,
}

/// The system columns of every table.
pub const SYSTEM_COLUMNS: [&str; 6] = ["ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"];

impl<'p> Scope<'p> {
    /// A level inside another.
    pub fn inside(parent: Option<&'p Scope<'p>>) -> Self {
        Self {
            parent,
            ..Self::default()
        }
    }

    /// This level and those around it.
    pub fn levels(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |scope| scope.parent)
    }

    /// The level around, which learns that it was asked.
    fn around(&self) -> Option<&'p Scope<'p>> {
        self.parent.inspect(|p| p.asked.set(true))
    }

    /// The common table expression of a name, innermost first.
    pub fn cte(&self, name: &str) -> Option<Rc<Cte>> {
        self.ctes
            .iter()
            .rev()
            .find(|c| c.name == name)
            .inspect(|c| c.named.set(true))
            .cloned()
            .or_else(|| self.parent.and_then(|p| p.cte(name)))
    }

    /// What an unqualified name means as a column, innermost level first (PostgreSQL's `colNameToVar`).
    pub fn column(&self, name: &str) -> Option<Found> {
        let mut found = None;
        let mut opaque = false;
        for item in self.items.iter().filter(|i| i.columns_visible) {
            if let Some(hit) = column_of(item, name) {
                if matches!(hit, Found::Opaque) {
                    opaque = true;
                } else if found.replace(hit).is_some() {
                    return Some(Found::Ambiguous);
                }
            }
        }
        let around = || self.around().and_then(|p| p.column(name));
        match (found, opaque) {
            (Some(found), _) => Some(found),
            (None, false) => around(),
            (None, true) => Some(if around().is_some() {
                Found::Unclear
            } else {
                Found::Opaque
            }),
        }
    }

    /// Does an expression that holds no query name a column of this very level? (PostgreSQL takes a name for a whole row only
    /// where no level has a column of it.)
    pub fn names_own_column(&self, inside: &Census) -> bool {
        let here = Scope {
            items: self.items.clone(),
            ..Scope::default()
        };
        let is_own = |column: &ColumnReference| match column.parts.as_slice() {
            [name] => match here.column(name) {
                Some(Found::Column(..) | Found::System(_) | Found::Ambiguous) => true,
                Some(Found::Opaque | Found::Unclear) => false,
                None => self.column(name).is_none() && here.item(None, name).is_some(),
            },
            [.., table, _] => here.item(None, table).is_some(),
            [] => false,
        };
        inside.queries == 0 && inside.columns.iter().any(is_own)
    }

    /// Does a guard stand in a level around this one that is grouped, so that its flag cannot be named here?
    pub fn grouped_above(&self, guard: GuardId) -> bool {
        let holds = |i: &Rc<Item>| {
            matches!(i.source, Source::Guard(g) | Source::Target(g) if g == guard)
                || i.columns.iter().any(|c| c.reach.direct.contains(&guard))
        };
        let mut above = self.levels().skip(1);
        above.any(|scope| scope.grouped && scope.items.iter().any(holds))
    }

    /// The item that a qualifier names, innermost level first.
    pub fn item(&self, schema: Option<&str>, name: &str) -> Option<Result<Rc<Item>, Ambiguous>> {
        let mut hits = self
            .items
            .iter()
            .filter(|i| i.name_visible && i.name == name && schema.is_none_or(|s| i.schema.as_deref() == Some(s)));
        if let Some(item) = hits.next() {
            if hits.next().is_some() {
                return Some(Err(Ambiguous));
            }
            return Some(Ok(Rc::clone(item)));
        }
        self.around()?.item(schema, name)
    }
}

/// What a name means as a column of one item.
pub fn column_of(item: &Rc<Item>, name: &str) -> Option<Found> {
    let mut hits = item.columns.iter().enumerate().filter(|(_, c)| c.name == name);
    if let Some((index, _)) = hits.next() {
        if hits.next().is_some() {
            return Some(Found::Ambiguous);
        }
        return Some(Found::Column(Rc::clone(item), index));
    }
    if SYSTEM_COLUMNS.contains(&name)
        && matches!(item.source, Source::Guard(_) | Source::Target(_) | Source::Relation(_))
    {
        return Some(Found::System(Rc::clone(item)));
    }
    item.opaque.then_some(Found::Opaque)
}

/// Two items of one level answer to a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ambiguous;
