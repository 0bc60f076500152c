//! A view as the table that a statement writes: PostgreSQL writes to the table below it, and so does what is sent.
//!
//! What may be written is what PostgreSQL itself writes through (`view_query_is_auto_updatable` in rewriteHandler.c), as
//! long as the view's condition and columns read nothing but the row.

use super::target::Doing;
use super::through::Through;
use super::updatable::{NOT_SINGLE, computes, not_updatable, query_fault};
use crate::catalog::{CheckOption, Relation, RelationKind};
use crate::gate::Origin;
use crate::name::QualifiedName;
use crate::policy::Rows;
use crate::refusal::Refusal;
use crate::sql::census::census;
use crate::sql::parse::parse;
use crate::sql::resolve::facts::Reach;
use crate::sql::resolve::relation::collation_of;
use crate::sql::resolve::scope::{Col, Found, GuardId, Item, Scope, column_of};
use crate::sql::resolve::{Analysis, MAX_VIEW_DEPTH, Unit, lost, name_parts, unsupported};
use crate::sql::rewrite::splice::Splices;
use crate::sql::tokens::Tokens;
use pg_query::NodeEnum;
use pg_query::protobuf::{ResTarget, SelectStmt, Token};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

/// A view's definition, read.
struct Definition {
    view: Arc<Relation>,
    text: Arc<str>,
    tokens: Tokens,
    select: Box<SelectStmt>,
    /// By what the definition refers to the relation below.
    refname: String,
}

/// The views between the one that a statement names and the table that it writes.
pub(super) struct Chain {
    /// The outermost first.
    definitions: Vec<Definition>,
    /// The table.
    pub base: Arc<Relation>,
}

impl Chain {
    /// Does one of the views keep what the client asks from rows that it does not show?
    pub fn has_barrier(&self) -> bool {
        self.definitions.iter().any(|d| d.view.security_barrier)
    }
}

impl Analysis<'_> {
    /// The views below a view, down to the table; 55000 where PostgreSQL would not write through one of them.
    pub(super) fn chain(&self, view: &Arc<Relation>, doing: Doing) -> Result<Chain, Refusal> {
        let mut definitions = Vec::new();
        let mut next = Arc::clone(view);
        loop {
            if definitions.len() >= MAX_VIEW_DEPTH {
                return Err(unsupported("writing through views nested so deeply"));
            }
            if next.has_rules || next.instead_of {
                return Err(unsupported("writing through a view with rules or INSTEAD OF triggers"));
            }
            let (definition, below) = self.definition(&next, doing)?;
            definitions.push(definition);
            let kind = below.kind;
            next = below;
            match kind {
                RelationKind::View => {}
                RelationKind::Table | RelationKind::PartitionedTable | RelationKind::ForeignTable => break,
                RelationKind::MaterializedView
                | RelationKind::Sequence
                | RelationKind::Toast
                | RelationKind::CompositeType
                | RelationKind::Index => return Err(not_updatable(view, doing, NOT_SINGLE)),
            }
        }
        Ok(Chain {
            definitions,
            base: next,
        })
    }

    fn definition(&self, view: &Arc<Relation>, doing: Doing) -> Result<(Definition, Arc<Relation>), Refusal> {
        let text = view.definition.as_deref().ok_or_else(lost)?;
        let parsed = parse(text.trim_end().trim_end_matches(';'))?;
        let queries = census(&parsed.tree).queries;
        let mut statements = parsed.tree.stmts.into_iter();
        let statement = statements.next().and_then(|s| s.stmt).and_then(|s| s.node);
        let Some(NodeEnum::SelectStmt(select)) = statement else {
            return Err(lost());
        };
        if let Some(why) = query_fault(&select) {
            return Err(not_updatable(view, doing, why));
        }
        let [from] = select.from_clause.as_slice() else {
            return Err(not_updatable(view, doing, NOT_SINGLE));
        };
        let var = match from.node.as_ref() {
            Some(NodeEnum::RangeVar(var)) => var,
            Some(NodeEnum::RangeTableSample(_)) => {
                return Err(not_updatable(
                    view,
                    doing,
                    "Views containing TABLESAMPLE are not automatically updatable.",
                ));
            }
            Some(_) | None => return Err(not_updatable(view, doing, NOT_SINGLE)),
        };
        if queries != 1 || !select.locking_clause.is_empty() {
            return Err(
                unsupported("writing through a view with subqueries or locks").hint("Write to the table itself.")
            );
        }
        let renamed = var.alias.as_ref().is_some_and(|a| !a.colnames.is_empty());
        if !var.inh || renamed || var.schemaname.is_empty() {
            return Err(unsupported(
                "writing through a view of ONLY a table, or of one whose columns it renames",
            ));
        }
        let name = QualifiedName::new(&var.schemaname, &var.relname);
        let below = self.world.catalog.relation(&name).ok_or_else(lost)?;
        let refname = var
            .alias
            .as_ref()
            .map_or_else(|| var.relname.clone(), |a| a.aliasname.clone());
        let below = Arc::clone(below);
        let definition = Definition {
            view: Arc::clone(view),
            text: parsed.text,
            tokens: parsed.tokens,
            select,
            refname,
        };
        Ok((definition, below))
    }

    /// Reads the definitions over the table's own row, which `row` names: what names the view in the statement, and
    /// what it stands for. `rows`: those of the policy that the statement reaches.
    pub(super) fn read_chain(
        &mut self,
        chain: Chain,
        id: GuardId,
        row: &Item,
        rows: &Rows,
        doing: Doing,
    ) -> Result<(Item, Through, Rows), Refusal> {
        let view = chain
            .definitions
            .first()
            .map(|d| Arc::clone(&d.view))
            .ok_or_else(lost)?;
        let place = |c: &Col| chain.base.columns.iter().position(|b| b.name == c.name);
        let mut level = Level {
            item: row.clone(),
            places: row.columns.iter().map(place).collect(),
        };
        let mut reached = match rows {
            Rows::All => None,
            Rows::None => Some("FALSE".to_owned()),
            Rows::Where(sql) => Some(sql.clone()),
        };
        let mut conditions = Vec::new();
        let mut predicates = Vec::new();
        let options: Vec<Option<CheckOption>> = chain.definitions.iter().map(|d| d.view.check_option).collect();
        for definition in chain.definitions.into_iter().rev() {
            let above = Arc::clone(&definition.view);
            let read = self.read_definition(definition, id, level, reached.is_some(), doing)?;
            level = read.level;
            if let Some((predicate, total)) = &read.predicate {
                let condition = match &reached {
                    Some(rows) if !total => format!("(CASE WHEN ({rows}) IS TRUE THEN ({predicate}) END)"),
                    Some(_) | None => format!("({predicate})"),
                };
                reached = Some(match reached {
                    Some(rows) => format!("({rows}) AND {condition}"),
                    None => condition.clone(),
                });
                conditions.push(condition);
            }
            predicates.push((above.name.name.clone(), read.predicate.map(|(sql, _)| sql)));
        }
        let mut cascades = false;
        let mut checks = Vec::new();
        for (option, (name, predicate)) in options.iter().zip(predicates.into_iter().rev()) {
            let held = cascades || option.is_some();
            cascades |= *option == Some(CheckOption::Cascaded);
            if let Some(predicate) = predicate.filter(|_| held) {
                checks.push((name, predicate));
            }
        }
        checks.reverse();
        if level.places.iter().all(Option::is_none) {
            let why = "Views that have no updatable columns are not automatically updatable.";
            return Err(not_updatable(&view, doing, why));
        }
        let through = Through {
            view,
            places: level.places,
            conditions,
            checks,
        };
        Ok((level.item, through, reached.map_or(Rows::All, Rows::Where)))
    }

    /// Reads one definition over what is below it.
    fn read_definition(
        &mut self,
        definition: Definition,
        id: GuardId,
        below: Level,
        guarded: bool,
        doing: Doing,
    ) -> Result<Read, Refusal> {
        let Definition {
            view,
            text,
            tokens,
            select,
            refname,
        } = definition;
        let unit = self.units.len();
        self.units.push(Unit {
            text,
            tokens,
            splices: Splices::default(),
            stars: Vec::new(),
            search_path: Vec::new(),
        });
        let outer = std::mem::replace(&mut self.unit, unit);
        self.depth += 1;
        let read = self.read_select(&view, &select, id, &below, &refname, guarded, doing);
        self.depth -= 1;
        self.unit = outer;
        read
    }

    #[allow(clippy::too_many_arguments)]
    fn read_select(
        &mut self,
        view: &Arc<Relation>,
        select: &SelectStmt,
        id: GuardId,
        below: &Level,
        refname: &str,
        guarded: bool,
        doing: Doing,
    ) -> Result<Read, Refusal> {
        let item = Rc::new(Item {
            name: refname.to_owned(),
            ..below.item.clone()
        });
        let scope = Scope {
            items: vec![Rc::clone(&item)],
            ..Scope::default()
        };
        let mut predicate = None;
        if let Some(condition) = select.where_clause.as_deref() {
            let facts = self.expression(condition, &scope)?;
            self.note(&facts);
            let tokens = self.tokens()?;
            let place = tokens
                .top_level(0, tokens.list().len(), Token::Where)
                .ok_or_else(lost)?;
            let end = tokens.clause_end(place + 1);
            let bytes = tokens.bytes(place + 1..end).ok_or_else(lost)?;
            predicate = Some((self.over_row(bytes)?, facts.total));
        }
        if select.target_list.len() != view.columns.len() {
            return Err(lost());
        }
        let mut columns = Vec::new();
        let mut places = Vec::new();
        for (node, column) in select.target_list.iter().zip(&view.columns) {
            let Some(NodeEnum::ResTarget(target)) = node.node.as_ref() else {
                return Err(lost());
            };
            let facts = self.expression(target.val.as_deref().ok_or_else(lost)?, &scope)?;
            if facts.aggregate || facts.window || facts.set_returning {
                return Err(not_updatable(view, doing, computes(&facts)));
            }
            let (text, place) = match plain(target, &item) {
                Some(at) => (
                    item.columns.get(at).map(|c| c.text.clone()).ok_or_else(lost)?,
                    below.places.get(at).copied().flatten(),
                ),
                None if guarded && !facts.total => {
                    return Err(
                        unsupported("writing through a view that computes a column which may raise")
                            .detail(format!("Column {} of view {}.", column.name, view.name.name))
                            .hint("Write to the table itself."),
                    );
                }
                None => {
                    let bytes = self.target_bytes(target)?;
                    (format!("({})", self.over_row(bytes)?), None)
                }
            };
            places.push(place);
            let mut reach = Reach::default();
            if self.guard_mut(id)?.hides {
                reach.direct.insert(id);
            }
            columns.push(Col {
                name: column.name.clone(),
                text,
                ty: Some(column.type_oid),
                typmod: column.typmod,
                collation: collation_of(column),
                distant: false,
                edge: false,
                origin: Some(Origin {
                    table: view.oid,
                    column: column.number,
                }),
                origin_lost: true,
                reach,
                ..Col::default()
            });
        }
        let item = Item {
            columns,
            ..below.item.clone()
        };
        Ok(Read {
            level: Level { item, places },
            predicate,
        })
    }

    /// Part of the definition being read, its columns replaced by what they are of the table's row.
    fn over_row(&self, bytes: Range<usize>) -> Result<String, Refusal> {
        let unit = self.unit()?;
        unit.splices.of_columns(&unit.text, bytes).ok_or_else(|| {
            unsupported("writing through a view whose definition names more than columns")
                .hint("Write to the table itself.")
        })
    }
}

/// One view, or the table, as the view above it names it.
struct Level {
    item: Item,
    places: Vec<Option<usize>>,
}

/// A definition that was read.
struct Read {
    level: Level,
    /// Its condition, and whether it can neither raise nor tell anything.
    predicate: Option<(String, bool)>,
}

/// Which column of the relation below a column of a view is.
fn plain(target: &ResTarget, below: &Rc<Item>) -> Option<usize> {
    let Some(NodeEnum::ColumnRef(reference)) = target.val.as_ref()?.node.as_ref() else {
        return None;
    };
    let name = *name_parts(&reference.fields)?.last()?;
    match column_of(below, name)? {
        Found::Column(_, at) => Some(at),
        Found::System(_) | Found::Opaque | Found::Unclear | Found::Ambiguous => None,
    }
}
