//! Definitions of views in the catalogue, read for what a view is of the row of the table below.

use super::broken;
use super::walk::Walk;
use crate::catalog::Relation;
use crate::name::QualifiedName;
use crate::refusal::Refusal;
use crate::sql::census::{Census, census};
use crate::sql::resolve::string_of;
use pg_query::protobuf::{ScanToken, SelectStmt, SetOperation, Token};
use pg_query::{NodeEnum, ParserOptions};
use std::ops::Range;
use std::sync::Arc;

/// A column of a view over the row of the table.
pub(super) struct Shown {
    pub name: String,
    /// What it is, as SQL.
    pub text: String,
    /// The column of the table that it is, if it is one.
    pub place: Option<usize>,
}

/// A view's definition, of which PostgreSQL writes to the relation below.
pub(super) struct Definition {
    pub view: Arc<Relation>,
    text: String,
    select: Box<SelectStmt>,
    census: Census,
    pub below: QualifiedName,
}

impl Definition {
    pub fn read(view: &Arc<Relation>) -> Result<Self, Refusal> {
        let other = || broken("a view that PostgreSQL would not write through");
        let text = view.definition.as_deref().ok_or_else(other)?;
        let text = text.trim_end().trim_end_matches(';').to_owned();
        let tree = pg_query::parse(&text, ParserOptions::DEFAULT).map_err(|_| other())?;
        let census = census(&tree.protobuf);
        let mut statements = tree.protobuf.stmts.into_iter();
        let statement = statements.next().and_then(|s| s.stmt).and_then(|s| s.node);
        let (Some(NodeEnum::SelectStmt(select)), None) = (statement, statements.next()) else {
            return Err(other());
        };
        let plain = select.op() == SetOperation::SetopNone
            && select.distinct_clause.is_empty()
            && select.group_clause.is_empty()
            && select.having_clause.is_none()
            && select.window_clause.is_empty()
            && select.with_clause.is_none()
            && select.limit_count.is_none()
            && select.limit_offset.is_none()
            && select.locking_clause.is_empty()
            && select.values_lists.is_empty()
            && census.queries == 1;
        let below = match select.from_clause.as_slice() {
            [from] => match from.node.as_ref() {
                Some(NodeEnum::RangeVar(var)) if var.inh && !var.schemaname.is_empty() => {
                    Some(QualifiedName::new(&var.schemaname, &var.relname))
                }
                Some(_) | None => None,
            },
            _ => None,
        };
        Ok(Self {
            view: Arc::clone(view),
            text,
            below: below.filter(|_| plain).ok_or_else(other)?,
            select,
            census,
        })
    }

    /// The condition over the table's row.
    pub fn condition(&self, below: &[Shown]) -> Result<Option<String>, Refusal> {
        let scanned = self.scanned()?;
        let walk = Walk::new(&self.text, &scanned);
        if self.select.where_clause.is_none() {
            return Ok(None);
        }
        let place = walk.top_level(0, scanned.len(), Token::Where);
        let place = place.ok_or_else(|| broken("a view's condition at no place"))?;
        let end = walk
            .top_level(place, scanned.len(), Token::Order)
            .unwrap_or(scanned.len());
        let bytes = walk.start(place + 1)..walk.finish(end - 1);
        self.over_row(bytes, below, &walk).map(Some)
    }

    /// The columns over the table's row.
    pub fn columns(&self, below: &[Shown]) -> Result<Vec<Shown>, Refusal> {
        let scanned = self.scanned()?;
        let walk = Walk::new(&self.text, &scanned);
        if self.select.target_list.len() != self.view.columns.len() {
            return Err(broken("a view of other columns"));
        }
        let mut columns = Vec::new();
        for (node, column) in self.select.target_list.iter().zip(&self.view.columns) {
            let Some(NodeEnum::ResTarget(target)) = node.node.as_ref() else {
                return Err(broken("a view's column of an unknown kind"));
            };
            let value = target.val.as_ref().and_then(|v| v.node.as_ref());
            let plain = match value {
                Some(NodeEnum::ColumnRef(reference)) => reference.fields.last().and_then(string_of),
                Some(_) | None => None,
            };
            let (text, place) = match plain {
                Some(name) => {
                    let found = below.iter().find(|c| c.name == name);
                    let found = found.ok_or_else(|| broken("a view of a column that does not show"))?;
                    (found.text.clone(), found.place)
                }
                None => {
                    let start = usize::try_from(target.location).ok().and_then(|at| walk.at(at));
                    let start = start.ok_or_else(|| broken("a view's column at no place"))?;
                    let mut end = start;
                    while !matches!(walk.kind(end), None | Some(Token::As | Token::Ascii44 | Token::From)) {
                        end = walk.step(end);
                    }
                    let bytes = walk.start(start)..walk.finish(end - 1);
                    (format!("({})", self.over_row(bytes, below, &walk)?), None)
                }
            };
            columns.push(Shown {
                name: column.name.clone(),
                text,
                place,
            });
        }
        Ok(columns)
    }

    fn scanned(&self) -> Result<Vec<ScanToken>, Refusal> {
        let scanned = pg_query::scan(&self.text).map_err(|_| broken("a view that cannot be scanned"))?;
        Ok(scanned.tokens)
    }

    /// Part of the definition with what each column is of the table's row in its place.
    fn over_row(&self, bytes: Range<usize>, below: &[Shown], walk: &Walk<'_>) -> Result<String, Refusal> {
        let mut references: Vec<_> = self
            .census
            .columns
            .iter()
            .filter_map(|c| Some((usize::try_from(c.location).ok()?, c)))
            .filter(|(at, _)| bytes.contains(at))
            .collect();
        references.sort_by_key(|(at, _)| *at);
        let (mut out, mut done) = (String::new(), bytes.start);
        for (at, reference) in references {
            let column = below.iter().find(|c| Some(&c.name) == reference.parts.last());
            let column = column.ok_or_else(|| broken("a view of a column that does not show"))?;
            let first = walk.at(at).ok_or_else(|| broken("a view's column at no place"))?;
            out.push_str(self.text.get(done..at).unwrap_or_default());
            out.push_str(&column.text);
            done = walk.finish(first + 2 * (reference.parts.len() - 1));
        }
        out.push_str(self.text.get(done..bytes.end).unwrap_or_default());
        Ok(out)
    }
}
