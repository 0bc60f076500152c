//! Views through which a text writes: found from what the client named and from the catalogue's definitions alone, and
//! looked for in the text word for word.

use super::definitions::{Definition, Shown};
use super::walk::Walk;
use super::writes::{Writing, columns_in_order};
use super::{Check, broken};
use crate::catalog::{CheckOption, Relation, RelationKind};
use crate::name::{QualifiedName, quote_ident};
use crate::policy::decision::ROW_ALIAS;
use crate::policy::{ColumnView, Rows, TableView};
use crate::refusal::Refusal;
use crate::sql::raise::Raise;
use pg_query::NodeEnum;
use pg_query::protobuf::{InsertStmt, Node, OnConflictClause, RangeVar, Token};
use std::sync::Arc;

/// How many views may stand between a statement and its table.
const DEEPEST: usize = 32;

/// What a view that is written stands for.
pub(super) struct Through {
    columns: Vec<Shown>,
    /// View, WITH CHECK OPTION, condition; the innermost first.
    views: Vec<(String, Option<CheckOption>, Option<String>)>,
}

impl Through {
    /// The check of a new row behind that of the policy.
    pub(super) fn check(&self, policy: Option<String>) -> Option<String> {
        let mut cascades = false;
        let mut cases = Vec::new();
        for (view, option, condition) in self.views.iter().rev() {
            let held = cascades || option.is_some();
            cascades = cascades || *option == Some(CheckOption::Cascaded);
            if let (true, Some(condition)) = (held, condition) {
                let raise = Raise::View { view: view.clone() };
                cases.insert(0, format!(" WHEN ({condition}) IS NOT TRUE THEN {}", raise.sql()));
            }
        }
        match (policy, cases.is_empty()) {
            (policy, true) => policy,
            (None, false) => Some(format!("CASE{} END", cases.concat())),
            (Some(policy), false) => Some(format!(
                "CASE WHEN ({policy}) IS NULL THEN (CASE{} END) END",
                cases.concat()
            )),
        }
    }

    /// Can a reference by name alone mean a column of the table that it does not mean through the view?
    pub(super) fn veils(&self, name: &str, relation: &Relation) -> bool {
        let own = self.columns.iter().find(|c| c.name == name).and_then(|c| c.place);
        let below = relation.columns.iter().position(|c| c.name == name);
        below.is_some() && own != below
    }

    /// What a column of the view is, over the table's row.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.columns.iter().find(|c| c.name == name).map(|c| c.text.as_str())
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.columns.iter().find(|c| c.name == name)?.place
    }
}

impl Check<'_> {
    /// The view that the client named where a table is written in place; nothing where they named the table.
    pub(super) fn through(
        &self,
        named: &RangeVar,
        relation: &Relation,
        view: &TableView,
    ) -> Result<Option<Through>, Refusal> {
        let catalog = &self.world.catalog;
        let find = |schema: &str| catalog.relation(&QualifiedName::new(schema, &named.relname));
        let is_temp = self.session.temp_relations.iter().any(|t| t.name.name == named.relname);
        let found = match named.schemaname.as_str() {
            "" if is_temp => None,
            "" => find("pg_catalog").or_else(|| self.session.search_path.iter().find_map(|s| find(s))),
            schema => find(schema),
        };
        let found = found.ok_or_else(|| broken("a write to something that the client did not name"))?;
        if found.oid == relation.oid {
            return Ok(None);
        }
        let mut through = Through {
            columns: Vec::new(),
            views: Vec::new(),
        };
        through.columns = self.shown(found, relation, view, &mut through.views)?;
        Ok(Some(through))
    }

    /// The columns of a relation between the named view and the table, over the table's row.
    fn shown(
        &self,
        at: &Arc<Relation>,
        base: &Relation,
        view: &TableView,
        views: &mut Vec<(String, Option<CheckOption>, Option<String>)>,
    ) -> Result<Vec<Shown>, Refusal> {
        let mut definitions = Vec::new();
        let mut next = Arc::clone(at);
        while next.oid != base.oid {
            if next.kind != RelationKind::View || next.has_rules || next.instead_of || definitions.len() >= DEEPEST {
                return Err(broken("a write to another relation than the client named"));
            }
            let definition = Definition::read(&next)?;
            let below = self.world.catalog.relation(&definition.below);
            next = Arc::clone(below.ok_or_else(|| broken("a view over nothing that is known"))?);
            definitions.push(definition);
        }
        let row = quote_ident(ROW_ALIAS);
        let of_table = base.columns.iter().zip(&view.columns).enumerate();
        let mut columns: Vec<Shown> = of_table
            .filter_map(|(at, (column, shown))| {
                let text = match shown {
                    ColumnView::Clear => format!("{row}.{}", quote_ident(&column.name)),
                    ColumnView::Masked { sql, .. } => sql.clone(),
                    ColumnView::Hidden => return None,
                };
                Some(Shown {
                    name: column.name.clone(),
                    text,
                    place: Some(at),
                })
            })
            .collect();
        for definition in definitions.iter().rev() {
            let condition = definition.condition(&columns)?;
            columns = definition.columns(&columns)?;
            let view = &definition.view;
            views.push((view.name.name.clone(), view.check_option, condition));
        }
        Ok(columns)
    }

    /// The conditions of the views stand under the rows of the policy, before what the client asks. Both together.
    pub(super) fn through_rows(
        &self,
        through: &Through,
        rows: &Rows,
        walk: &Walk<'_>,
        first: usize,
        end: usize,
    ) -> Result<Option<String>, Refusal> {
        let conditions: Vec<&String> = through.views.iter().filter_map(|(_, _, c)| c.as_ref()).collect();
        if conditions.is_empty() {
            return Ok(None);
        }
        let missing = || broken("a write through a view without its condition");
        let place = walk.top_level(first, end, Token::Where).ok_or_else(missing)?;
        let mut close = walk.top_level(place, end, Token::Returning).unwrap_or(end);
        let (head, mut reached) = match rows {
            Rows::All => ("WHERE ".to_owned(), None),
            Rows::None => ("WHERE (FALSE) AND (".to_owned(), Some("FALSE".to_owned())),
            Rows::Where(sql) => (format!("WHERE ({sql}) AND ("), Some(sql.clone())),
        };
        let mut at = walk.start(place);
        let eat = |at: &mut usize, piece: &str| {
            let found = self.text.get(*at..).is_some_and(|t| t.starts_with(piece));
            *at += if found { piece.len() } else { 0 };
            found
        };
        if !eat(&mut at, &head) {
            return Err(missing());
        }
        for (number, condition) in conditions.into_iter().enumerate() {
            if number > 0 && !eat(&mut at, " AND ") {
                return Err(missing());
            }
            let plain = format!("({condition})");
            let guarded = reached
                .as_ref()
                .map(|rows| format!("(CASE WHEN ({rows}) IS TRUE THEN ({condition}) END)"));
            let written = if eat(&mut at, &plain) {
                plain
            } else {
                guarded.filter(|guarded| eat(&mut at, guarded)).ok_or_else(missing)?
            };
            reached = Some(match reached {
                Some(rows) => format!("({rows}) AND {written}"),
                None => written,
            });
        }
        if *rows != Rows::All {
            close -= 1;
        }
        // nothing follows, or a bracket to the end
        if walk.finish(close - 1) <= at {
            return Ok(reached);
        }
        let bracket = eat(&mut at, " AND (").then(|| walk.at(at - 1)).flatten();
        match bracket {
            Some(open) if walk.step(open) == close => Ok(reached),
            Some(_) | None => Err(broken("a condition that is not under its view")),
        }
    }

    /// The columns that are assigned are those that the client named, by the table's names for them.
    pub(super) fn through_columns(
        &self,
        through: &Through,
        client: &NodeEnum,
        writing: &Writing<'_>,
        relation: &Relation,
    ) -> Result<(), Refusal> {
        let mapped = |list: &[Node]| -> Result<Vec<usize>, Refusal> {
            list.iter()
                .map(|node| match node.node.as_ref() {
                    Some(NodeEnum::ResTarget(column)) => through
                        .place(&column.name)
                        .ok_or_else(|| broken("a column that the view does not have")),
                    Some(_) | None => Err(broken("a column of an unknown kind")),
                })
                .collect()
        };
        let sorted = |mut places: Vec<usize>| {
            places.sort_unstable();
            places
        };
        let same = match (client, writing.node()) {
            (NodeEnum::UpdateStmt(theirs), NodeEnum::UpdateStmt(ours)) => {
                sorted(mapped(&theirs.target_list)?) == sorted(columns_in_order(&ours.target_list, relation)?)
            }
            (NodeEnum::DeleteStmt(_), NodeEnum::DeleteStmt(_)) => true,
            (NodeEnum::InsertStmt(theirs), NodeEnum::InsertStmt(ours)) => {
                let list = columns_in_order(&ours.cols, relation)?;
                let named = if theirs.cols.is_empty() {
                    let places = through.columns.iter().map_while(|c| c.place);
                    places.take(width(theirs)).collect()
                } else {
                    mapped(&theirs.cols)?
                };
                let common = list.iter().zip(&named).all(|(ours, theirs)| ours == theirs);
                let conflict = match (&theirs.on_conflict_clause, &ours.on_conflict_clause) {
                    (Some(theirs), Some(ours)) => {
                        sorted(mapped(&theirs.target_list)?) == sorted(columns_in_order(&ours.target_list, relation)?)
                            && inferred(theirs, |name| through.place(name))
                                == inferred(ours, |name| relation.columns.iter().position(|c| c.name == name))
                    }
                    (None, None) => true,
                    (Some(_), None) | (None, Some(_)) => false,
                };
                // what the policy fills in follows
                common && conflict && (theirs.cols.is_empty() || list.len() >= named.len())
            }
            _ => false,
        };
        if same {
            Ok(())
        } else {
            Err(broken("a write through a view to other columns"))
        }
    }
}

/// The places of the columns by which a conflict is looked for, where they are named.
fn inferred(conflict: &OnConflictClause, place: impl Fn(&str) -> Option<usize>) -> Vec<Option<usize>> {
    let elements = conflict.infer.iter().flat_map(|infer| &infer.index_elems);
    let named = elements.filter_map(|node| match node.node.as_ref() {
        Some(NodeEnum::IndexElem(element)) if !element.name.is_empty() => Some(place(&element.name)),
        Some(_) | None => None,
    });
    named.collect()
}

/// How many columns an INSERT gives values to that names none, where that can be told.
fn width(insert: &InsertStmt) -> usize {
    let rows = match insert.select_stmt.as_ref().and_then(|s| s.node.as_ref()) {
        None => return 0,
        Some(NodeEnum::SelectStmt(select)) => &select.values_lists,
        Some(_) => return usize::MAX,
    };
    let widths = rows.iter().map(|row| match row.node.as_ref() {
        Some(NodeEnum::List(list)) => list.items.len(),
        Some(_) | None => 0,
    });
    widths.max().unwrap_or(usize::MAX)
}
