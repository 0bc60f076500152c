//! The analysis: every name of a statement resolved, every place that must change found, every expression that
//! could tell of hidden rows noted. It changes nothing itself; `rewrite` prints what it found.

mod columns;
mod condition;
mod expression;
pub mod facts;
mod first_rows;
mod from;
mod functions;
mod grouping;
mod json;
mod json_table;
mod keys;
mod label;
mod operators;
mod output;
mod relation;
pub mod scope;
mod search;
mod select;
mod targets;
mod types;
mod with;
pub mod write;
mod xml_table;

pub use condition::Clause;
pub use relation::{Guard, GuardSource, Wants, target_item};
pub use search::search_column;
pub use types::oid;

use crate::catalog::Oid;
use crate::gate::{Leaves, Read, RowLimit, SessionView};
use crate::policy::RoleRights;
use crate::refusal::{Refusal, SqlState};
use crate::sql::rewrite::splice::Splices;
use crate::sql::tokens::Tokens;
use crate::world::World;
use crate::world::standing::Asker;
use pg_query::protobuf::{Node, Token};
use scope::GuardId;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// One text under analysis: the client's, or a view's definition.
#[derive(Debug)]
pub struct Unit {
    /// The text.
    pub text: Arc<str>,
    /// Its tokens.
    pub tokens: Tokens,
    /// What changes in it, guards and stars aside.
    pub splices: Splices,
    /// Stars that must be spelled out if a guard among them gets private columns.
    pub stars: Vec<Star>,
    /// Schemas that unqualified names of this text are looked up in.
    pub search_path: Vec<String>,
}

/// A `*` of a select list.
#[derive(Debug, Clone)]
pub struct Star {
    /// Its bytes, qualifier included.
    pub at: std::ops::Range<usize>,
    /// What it stands for, as SQL.
    pub columns: Vec<String>,
    /// Guards among its items.
    pub guards: Vec<GuardId>,
    /// A private column stands among them whatever the guards get.
    pub private: bool,
}

/// The state of one analysis.
pub struct Analysis<'w> {
    /// What is judged against.
    pub world: &'w World,
    /// Who asks.
    pub who: &'w Asker<'w>,
    /// Their session.
    pub session: &'w SessionView,
    /// What their roles allow beside tables.
    pub rights: Arc<RoleRights>,
    /// Types of parameters where the client gave them.
    pub parameters: Vec<Oid>,
    /// How often each parameter is written in the client's text.
    pub parameter_uses: HashMap<i32, usize>,
    /// The client's text first, then every expanded view's.
    pub units: Vec<Unit>,
    /// Guards of all units.
    pub guards: Vec<Guard>,
    /// Which columns of guards are given, so that few rows are looked at.
    pub keys: keys::Keys,
    /// Guards of which PostgreSQL shows some rows and stops.
    pub soon_over: BTreeSet<GuardId>,
    /// Columns of guards that were named at the level being read, where grouping matters.
    pub used: BTreeSet<(GuardId, usize)>,
    /// Columns of guards that were named anywhere: a guard shows no others.
    pub named: BTreeSet<(GuardId, usize)>,
    /// Relations with hidden rows whose columns were named, and whether in sight of their guard.
    pub seen: BTreeSet<(GuardId, bool)>,
    /// Has an expression been read that may raise, guarded or not? Harmless where its query is run once; where a
    /// condition runs it as a subquery, whether it raises tells which rows were tried.
    pub raises: bool,
    /// Does the query that was read last yield one row at most, by its form?
    pub one_row: bool,
    /// What is read, for the audit.
    pub reads: Vec<Read>,
    /// How many rows a result may have, because of all relations read.
    pub row_limit: Option<RowLimit>,
    /// A relation that may not be exported, if one is read.
    pub not_exportable: Option<String>,
    /// What the statement may leave on its connection.
    pub leaves: Leaves,
    /// How it was judged, a line each.
    pub notes: Vec<String>,
    /// Which unit is being read.
    pub unit: usize,
    /// Counts splices that change what a result column would be called.
    pub renames: usize,
    /// How many views deep the analysis stands.
    pub depth: usize,
    /// The first guard that belongs to the query being read or to queries inside it.
    pub first_own: GuardId,
    /// An aggregate was met whose level is not known: any level may be grouped.
    pub stray_aggregate: bool,
    /// A whole row stands as a record, because columns are hidden.
    pub record_rows: bool,
    /// Columns that the statement's write targets do not show in clear: no reference by name alone may stay.
    pub veiled: BTreeSet<String>,
    /// Common table expressions that write, whose check is a column that no star may show.
    pub checks: usize,
}

/// How many views deep an expansion may go.
const MAX_VIEW_DEPTH: usize = 32;

impl<'w> Analysis<'w> {
    /// Begins the analysis of the client's text.
    pub fn new(
        world: &'w World,
        who: &'w Asker<'w>,
        session: &'w SessionView,
        parameters: &'w [Oid],
        text: Arc<str>,
        tokens: Tokens,
    ) -> Self {
        let mut parameter_uses = HashMap::new();
        for token in tokens.list().iter().filter(|t| t.kind == Token::Param) {
            let number = tokens.slice(token.start + 1..token.end).parse().unwrap_or(0);
            *parameter_uses.entry(number).or_insert(0) += 1;
        }
        let unit = Unit {
            text,
            tokens,
            splices: Splices::default(),
            stars: Vec::new(),
            search_path: session.search_path.clone(),
        };
        Self {
            world,
            who,
            session,
            rights: who.rights(),
            parameters: parameters.to_vec(),
            parameter_uses,
            units: vec![unit],
            guards: Vec::new(),
            keys: keys::Keys::default(),
            soon_over: BTreeSet::new(),
            used: BTreeSet::new(),
            named: BTreeSet::new(),
            seen: BTreeSet::new(),
            raises: false,
            one_row: false,
            reads: Vec::new(),
            row_limit: None,
            not_exportable: None,
            leaves: Leaves::default(),
            notes: Vec::new(),
            unit: 0,
            renames: 0,
            depth: 0,
            first_own: 0,
            stray_aggregate: false,
            record_rows: false,
            veiled: BTreeSet::new(),
            checks: 0,
        }
    }

    /// The unit being read.
    pub fn unit(&self) -> Result<&Unit, Refusal> {
        self.units.get(self.unit).ok_or_else(lost)
    }

    /// The unit being read, to note changes in.
    pub fn unit_mut(&mut self) -> Result<&mut Unit, Refusal> {
        self.units.get_mut(self.unit).ok_or_else(lost)
    }

    /// The tokens of the unit being read.
    pub fn tokens(&self) -> Result<&Tokens, Refusal> {
        Ok(&self.unit()?.tokens)
    }

    /// The guard of an id.
    pub fn guard_mut(&mut self, id: GuardId) -> Result<&mut Guard, Refusal> {
        self.guards.get_mut(id).ok_or_else(lost)
    }

    /// Where a location of the tree stands in the client's text; nothing while a view is being read.
    pub fn offset(&self, location: i32) -> Option<usize> {
        (self.unit == 0).then(|| usize::try_from(location).ok()).flatten()
    }

    /// Adds where in the client's text a refusal is about.
    pub fn place(&self, refusal: Refusal, location: i32) -> Refusal {
        match self.offset(location) {
            Some(offset) => refusal.at(offset),
            None => refusal,
        }
    }

    /// Takes a query that rowgate made of a statement through the same stages, and prints it.
    pub fn secure_inner(&mut self, query: &str) -> Result<String, Refusal> {
        let parsed = crate::sql::parse::parse(query)?;
        let [statement] = parsed.tree.stmts.as_slice() else {
            return Err(lost());
        };
        let Some(pg_query::NodeEnum::SelectStmt(select)) = statement.stmt.as_ref().and_then(|s| s.node.as_ref()) else {
            return Err(lost());
        };
        let (unit, outer) = (self.units.len(), self.unit);
        self.units.push(Unit {
            text: parsed.text.clone(),
            tokens: parsed.tokens,
            splices: Splices::default(),
            stars: Vec::new(),
            search_path: Vec::new(),
        });
        self.unit = unit;
        let read = self.query_outermost(select);
        self.unit = outer;
        read?;
        Ok(crate::sql::rewrite::print_unit(self, unit)?.0)
    }

    /// Notes whether an expression may raise, in case a condition runs its query as a subquery.
    pub fn note(&mut self, facts: &facts::Facts) {
        self.raises |= !facts.total || facts.joins_unsafe || facts.edge;
    }

    /// The guards behind these columns show all that is permitted: their columns count by place or by name.
    pub fn want_all(&mut self, columns: &[scope::Col]) -> Result<(), Refusal> {
        for (id, _) in columns.iter().filter_map(|c| c.home) {
            self.guard_mut(id)?.wants.all = true;
        }
        Ok(())
    }

    /// Every relation in `guards` is fenced: its rows are filtered before anything outside sees them.
    pub fn fence(&mut self, guards: &BTreeSet<GuardId>, why: &str) -> Result<(), Refusal> {
        for &id in guards {
            let guard = self.guard_mut(id)?;
            if matches!(guard.source, GuardSource::Target { .. }) {
                return Err(unsupported(&format!("{why} in this place of a statement that writes")));
            }
            if !guard.wants.fence {
                guard.wants.fence = true;
                let name = guard.refname.clone();
                self.notes
                    .push(format!("{name}: filtered first (OFFSET 0), because of {why}"));
            }
        }
        Ok(())
    }
}

/// The text of a node list whose members are all strings: a dotted name.
pub fn name_parts(nodes: &[Node]) -> Option<Vec<&str>> {
    nodes.iter().map(string_of).collect()
}

/// The string that a node is.
pub fn string_of(node: &Node) -> Option<&str> {
    match node.node.as_ref()? {
        pg_query::NodeEnum::String(s) => Some(s.sval.as_str()),
        _ => None,
    }
}

/// A refusal for a construct that rowgate does not secure.
pub fn unsupported(what: &str) -> Refusal {
    Refusal::unsupported("not-secured", format!("{what} is not supported"))
        .hint("Ask the administrator of rowgate if you need it, or write the statement another way.")
}

/// A refusal for what only the session's own temporary tables may be used for.
pub fn only_temporary(what: &str) -> Refusal {
    Refusal::forbidden("not-temporary", format!("permission denied for {what}"))
        .detail("Only own temporary tables may be used for it.")
}

/// A refusal for a tree that is not what the grammar promises; nothing goes through on a guess.
pub fn lost() -> Refusal {
    Refusal::new(
        "lost",
        SqlState::InternalError,
        "statement could not be followed to its end",
    )
}
