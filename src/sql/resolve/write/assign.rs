//! SET: which columns get which values, and the form that holds them to what may be stored.

use super::target::{Doing, Target};
use crate::catalog::{Column, Relation};
use crate::name::quote_ident;
use crate::policy::Writes;
use crate::policy::writes::NEW_ALIAS;
use crate::refusal::{Refusal, SqlState};
use crate::sql::raise::column_denied;
use crate::sql::resolve::facts::Facts;
use crate::sql::resolve::scope::Scope;
use crate::sql::resolve::{Analysis, lost, unsupported};
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::NodeEnum;
use pg_query::protobuf::{Node, ResTarget, Token};
use std::collections::BTreeSet;
use std::ops::Range;

/// One assignment, or several from one source: `a = 1`, `(a, b) = (1, 2)`, `(a, b) = (SELECT …)`.
pub struct Assignment<'n> {
    columns: Vec<&'n ResTarget>,
    values: Values<'n>,
}

enum Values<'n> {
    /// One expression for each column.
    Each(Vec<&'n Node>),
    /// A query that yields them all.
    Query(&'n Node),
}

/// Reads the list of a SET.
pub fn read(list: &[Node]) -> Result<Vec<Assignment<'_>>, Refusal> {
    let mut read: Vec<Assignment<'_>> = Vec::new();
    let mut open = 0;
    for node in list {
        let Some(NodeEnum::ResTarget(column)) = node.node.as_ref() else {
            return Err(lost());
        };
        let value = column.val.as_deref().ok_or_else(lost)?;
        let Some(NodeEnum::MultiAssignRef(several)) = value.node.as_ref() else {
            read.push(Assignment {
                columns: vec![column],
                values: Values::Each(vec![value]),
            });
            continue;
        };
        if open > 0 {
            open -= 1;
            read.last_mut().ok_or_else(lost)?.columns.push(column);
            continue;
        }
        open = several.ncolumns - 1;
        let source = several.source.as_deref().ok_or_else(lost)?;
        let values = match source.node.as_ref().ok_or_else(lost)? {
            NodeEnum::RowExpr(row) => Values::Each(row.args.iter().collect()),
            NodeEnum::SubLink(_) => Values::Query(source),
            _ => {
                return Err(unsupported("this source for several columns of an UPDATE"));
            }
        };
        read.push(Assignment {
            columns: vec![column],
            values,
        });
    }
    Ok(read)
}

/// The places in a relation of the columns that a SET names; names that it has not are left out.
pub fn indexes(list: &[Assignment<'_>], relation: &Relation) -> BTreeSet<usize> {
    let names = list.iter().flat_map(|a| a.columns.iter().map(|c| c.name.as_str()));
    names
        .filter_map(|name| relation.columns.iter().position(|c| c.name == name))
        .collect()
}

/// 42703 for a column that the table that is written does not have.
pub fn no_such_column(relation: &Relation, name: &str) -> Refusal {
    let message = format!(
        "column \"{name}\" of relation \"{}\" does not exist",
        relation.name.name
    );
    Refusal::new("no-column", SqlState::UndefinedColumn, message)
}

fn is_default(node: &Node) -> bool {
    matches!(node.node.as_ref(), Some(NodeEnum::SetToDefault(_)))
}

impl Analysis<'_> {
    /// Reads a SET and holds it to what may be stored; the places of the columns that it names. `checked`: the new row
    /// is checked with it.
    pub fn assign(
        &mut self,
        list: &[Assignment<'_>],
        target: &Target,
        scope: &Scope<'_>,
        checked: bool,
    ) -> Result<BTreeSet<usize>, Refusal> {
        let mut facts: Vec<(usize, Facts)> = Vec::new();
        for assignment in list {
            for column in &assignment.columns {
                let at = self.assigned(target, column, Doing::Update)?;
                self.place_in_value(column, scope)?;
                facts.push((at, Facts::default()));
            }
            let first = facts.len() - assignment.columns.len();
            match &assignment.values {
                Values::Each(values) => {
                    if values.len() != assignment.columns.len() {
                        let message = "number of columns does not match number of values";
                        return Err(Refusal::new("column-count", SqlState::SyntaxError, message));
                    }
                    for (value, slot) in values.iter().zip(first..) {
                        let read = self.stored_value(value, scope, "UPDATE")?;
                        facts.get_mut(slot).ok_or_else(lost)?.1 = read;
                    }
                }
                Values::Query(query) => {
                    self.expression(query, scope)?;
                }
            }
        }
        let set: BTreeSet<usize> = facts.iter().map(|(at, _)| *at).collect();
        let free = |w: &Writes| w.assigns_freely(&set) && !(checked && w.update_check(&set).is_some());
        self.default_of_view(list, target)?;
        if let Some(writes) = target.writes().filter(|w| !free(w)) {
            self.hold(list, target, writes, &facts, checked)?;
            return Ok(set);
        }
        for (column, (at, _)) in list.iter().flat_map(|a| &a.columns).zip(&facts) {
            self.rename_assigned(target, column, *at)?;
        }
        Ok(set)
    }

    /// An UPDATE through a view takes DEFAULT for the view's default, and NULL where it has none.
    fn default_of_view(&mut self, list: &[Assignment<'_>], target: &Target) -> Result<(), Refusal> {
        let Some(through) = &target.through else {
            return Ok(());
        };
        let mut defaults = Vec::new();
        for assignment in list {
            let Values::Each(values) = &assignment.values else {
                continue;
            };
            if !values.iter().any(|value| is_default(value)) {
                continue;
            }
            let (_, value) = self.assignment_tokens(assignment)?;
            let mut at = self.value_tokens(assignment, value)?;
            for (column, value) in assignment.columns.iter().zip(values) {
                let tokens = self.tokens()?;
                let end = tokens.item_end(at);
                let bytes = tokens.bytes(at..end).ok_or_else(lost)?;
                at = end + 1;
                if !is_default(value) {
                    continue;
                }
                if through.has_default(&column.name) || !column.indirection.is_empty() {
                    let refusal = unsupported("DEFAULT of a view's own in an UPDATE").hint("Give the column a value.");
                    return Err(self.place(refusal, column.location));
                }
                defaults.push(bytes);
            }
        }
        for bytes in defaults {
            let splices = &mut self.unit_mut()?.splices;
            splices.replace(bytes, "NULL".to_owned(), SpliceKind::Assignment);
        }
        Ok(())
    }

    /// An expression whose value is stored: no aggregate may stand in it, and no window function.
    pub fn stored_value(&mut self, value: &Node, scope: &Scope<'_>, statement: &str) -> Result<Facts, Refusal> {
        let facts = self.expression(value, scope)?;
        self.note(&facts);
        let what = match (facts.aggregate, facts.window, facts.set_returning) {
            (true, _, _) => "aggregate functions are",
            (_, true, _) => "window functions are",
            (_, _, true) => "set-returning functions are",
            (false, false, false) => return Ok(facts),
        };
        Err(Refusal::new(
            "stored-aggregate",
            SqlState::GroupingError,
            format!("{what} not allowed in {statement}"),
        ))
    }

    /// Reads the subscripts of an assignment to a part of a column.
    fn place_in_value(&mut self, column: &ResTarget, scope: &Scope<'_>) -> Result<(), Refusal> {
        for part in &column.indirection {
            match part.node.as_ref().ok_or_else(lost)? {
                NodeEnum::AIndices(indices) => {
                    for bound in [indices.lidx.as_deref(), indices.uidx.as_deref()].into_iter().flatten() {
                        self.stored_value(bound, scope, "UPDATE")?;
                    }
                }
                NodeEnum::String(_) => {}
                _ => return Err(lost()),
            }
        }
        Ok(())
    }

    /// `SET a = 1, b = $1` becomes `SET (a, b) = (SELECT … FROM (what the client wants) …)`, where each value passes
    /// through what the policy says of its column.
    fn hold(
        &mut self,
        list: &[Assignment<'_>],
        target: &Target,
        writes: &Writes,
        facts: &[(usize, Facts)],
        checked: bool,
    ) -> Result<(), Refusal> {
        let mut held = Held::default();
        let mut facts = facts.iter();
        for (source, assignment) in (1..).zip(list) {
            let (start, value) = self.assignment_tokens(assignment)?;
            let tokens = self.tokens()?;
            let whole = tokens.bytes(value..tokens.item_end(value)).ok_or_else(lost)?;
            held.start.get_or_insert(start);
            held.end = whole.end;
            let columns = assignment.columns.iter().zip(facts.by_ref());
            match &assignment.values {
                Values::Query(_) => {
                    for (column, (at, _)) in columns {
                        self.whole_column(column, target)?;
                        held.columns.push(*at);
                    }
                    held.pieces.push(Piece {
                        opening: " LEFT JOIN".to_owned(),
                        at: whole,
                        closing: format!(" AS \"rowgate:set:{source}\" ON TRUE"),
                    });
                }
                Values::Each(values) => {
                    let begun = held.pieces.len();
                    let mut places = self.value_tokens(assignment, value)?;
                    for ((column, (at, read)), expression) in columns.zip(values) {
                        let tokens = self.tokens()?;
                        let end = tokens.item_end(places);
                        let bytes = tokens.bytes(places..end).ok_or_else(lost)?;
                        places = end + 1;
                        if is_default(expression) && target.through.is_none() {
                            held.defaults.push_str(&self.default_of(column, *at, target, writes)?);
                            continue;
                        }
                        self.whole_column(column, target)?;
                        let catalogued = target.relation.columns.get(*at).ok_or_else(lost)?;
                        self.check_assignable(catalogued, read, column.location)?;
                        let opening = if held.pieces.len() > begun {
                            ", ("
                        } else {
                            " CROSS JOIN (SELECT ("
                        };
                        held.columns.push(*at);
                        held.pieces.push(Piece {
                            opening: opening.to_owned(),
                            at: bytes,
                            closing: format!(")::{}", writes.columns.get(*at).ok_or_else(lost)?.base_sql),
                        });
                    }
                    if let Some(last) = held.pieces.get_mut(begun..).and_then(|new| new.last_mut()) {
                        last.closing.push_str(&format!(") AS \"rowgate:set:{source}\""));
                    }
                }
            }
        }
        held.place(writes, self, checked)
    }

    /// The token at which the first value of an assignment begins, brackets around several left out.
    fn value_tokens(&self, assignment: &Assignment<'_>, value: usize) -> Result<usize, Refusal> {
        let tokens = self.tokens()?;
        let first = assignment.columns.first().ok_or_else(lost)?;
        let name = tokens.at_location(first.location).ok_or_else(lost)?;
        let several = name > 0 && tokens.kind(name - 1) == Some(Token::Ascii40);
        if !several {
            return Ok(value);
        }
        let row = usize::from(tokens.kind(value) == Some(Token::Row));
        Ok(value + row + 1)
    }

    /// `DEFAULT` for a column that may get it.
    fn default_of(&self, column: &ResTarget, at: usize, target: &Target, writes: &Writes) -> Result<String, Refusal> {
        if writes.assigns_freely(&[at].into()) {
            let name = target.relation.columns.get(at).map(|c| quote_ident(&c.name));
            return Ok(format!(", {} = DEFAULT", name.ok_or_else(lost)?));
        }
        let refusal = column_denied(&target.relation.name.name, &column.name).detail("Its default may not be stored.");
        Err(self.place(refusal, column.location))
    }

    /// Where an assignment begins (a byte), and the token at which its value begins.
    fn assignment_tokens(&self, assignment: &Assignment<'_>) -> Result<(usize, usize), Refusal> {
        let tokens = self.tokens()?;
        let first = assignment.columns.first().ok_or_else(lost)?;
        let mut start = tokens.at_location(first.location).ok_or_else(lost)?;
        if start > 0 && tokens.kind(start - 1) == Some(Token::Ascii40) {
            start -= 1;
        }
        let mut equals = start;
        while tokens.kind(equals).ok_or_else(lost)? != Token::Ascii61 {
            equals = tokens.step(equals);
        }
        let at = tokens.bytes(start..start + 1).ok_or_else(lost)?.start;
        Ok((at, equals + 1))
    }

    /// A column that is held to a policy is assigned as a whole.
    fn whole_column(&self, column: &ResTarget, target: &Target) -> Result<(), Refusal> {
        if column.indirection.is_empty() {
            return Ok(());
        }
        let refusal = unsupported("assigning to a part of a column beside columns that the policy holds")
            .detail(format!(
                "Column {} of table {}.",
                column.name, target.relation.name.name
            ))
            .hint("Assign to the part in a statement of its own.");
        Err(self.place(refusal, column.location))
    }

    /// 42804 where PostgreSQL would not assign a value of this type: the cast that rowgate writes is an explicit one.
    fn check_assignable(&self, column: &Column, value: &Facts, location: i32) -> Result<(), Refusal> {
        let Some(from) = value.ty.filter(|_| !value.untyped) else {
            return Ok(());
        };
        let types = &self.world.catalog.types;
        let base = |oid| {
            let mut at = oid;
            while let Some(ty) = types.get(&at).filter(|t| t.base != 0) {
                at = ty.base;
            }
            at
        };
        let (from, to) = (base(from), base(column.type_oid));
        let category = |oid| types.get(&oid).map(|t| t.category);
        let fits = from == to
            || match self.world.catalog.casts.get(&(from, to)) {
                Some(cast) => cast.context != 'e',
                // anything is assigned to a string through its text form
                None => category(to) == Some('S') || category(from).is_none_or(|c| !matches!(c, 'S' | 'N' | 'B' | 'D')),
            };
        if fits {
            return Ok(());
        }
        let name = |oid| types.get(&oid).map_or("unknown", |t| t.name.name.as_str());
        let message = format!(
            "column \"{}\" is of type {} but expression is of type {}",
            column.name,
            name(to),
            name(from)
        );
        let refusal = Refusal::new("assignment-type", SqlState::DatatypeMismatch, message)
            .hint("You will need to rewrite or cast the expression.");
        Err(self.place(refusal, location))
    }
}

/// A value of the client's, and what rowgate writes on both sides of it.
struct Piece {
    opening: String,
    at: Range<usize>,
    closing: String,
}

/// A SET in the form that holds it.
#[derive(Default)]
struct Held {
    start: Option<usize>,
    end: usize,
    columns: Vec<usize>,
    pieces: Vec<Piece>,
    defaults: String,
}

impl Held {
    fn place(self, writes: &Writes, analysis: &mut Analysis<'_>, checked: bool) -> Result<(), Refusal> {
        let names = self.columns.iter().filter_map(|at| writes.columns.get(*at));
        let names: Vec<String> = names.map(|c| quote_ident(&c.name)).collect();
        let mut text = format!(
            "({}) = (SELECT {} FROM ((SELECT) AS \"rowgate:set\"",
            names.join(", "),
            writes.assignments(&self.columns, checked).join(", ")
        );
        let splices = &mut analysis.unit_mut()?.splices;
        let mut from = self.start.ok_or_else(lost)?;
        for piece in self.pieces {
            text.push_str(&piece.opening);
            splices.replace(from..piece.at.start, std::mem::take(&mut text), SpliceKind::Assignment);
            text = piece.closing;
            from = piece.at.end;
        }
        let places: Vec<String> = (1..=self.columns.len()).map(|n| format!("\"{n}\"")).collect();
        text.push_str(&format!(
            ") AS {}({})){}",
            quote_ident(NEW_ALIAS),
            places.join(", "),
            self.defaults
        ));
        splices.replace(from..self.end, text, SpliceKind::Assignment);
        Ok(())
    }
}
