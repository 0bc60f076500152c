//! Expressions of the DBA's, read by PostgreSQL's grammar and printed again with every name qualified, so that
//! they mean the same in every session; what cannot be qualified is refused.

mod attributes;
mod columns;
mod expression;
mod names;
mod operation;
mod select;
mod total;
mod zone;

use super::template::{Piece, Template};
use crate::catalog::{Catalog, Relation};
use expression::Printer;
use pg_query::NodeEnum;
use pg_query::protobuf::Node;

/// Stands for the row's alias in printed text until the text is cut into pieces.
const ROW_MARK: char = '\u{1}';
/// Stands on both sides of an attribute's name.
const ATTRIBUTE_MARK: char = '\u{2}';

/// A condition or mask expression over one row of `relation`, as a template. The error is for the DBA.
pub(super) fn template(text: &str, catalog: &Catalog, relation: &Relation) -> Result<Template, String> {
    if text.contains([ROW_MARK, ATTRIBUTE_MARK, '\0']) {
        return Err("it holds a control character".to_owned());
    }
    let (numbered, names) = attributes::number(text)?;
    let node = parse_expression(&numbered)?;
    let mut printer = Printer::for_policy(catalog, relation, &names);
    Ok(pieces(&printer.expression(&node)?))
}

/// An expression's tree, and the attribute behind each of its parameters.
pub(super) fn parsed(text: &str) -> Option<(Node, Vec<String>)> {
    let (numbered, names) = attributes::number(text).ok()?;
    Some((parse_expression(&numbered).ok()?, names))
}

/// A text with its attributes made parameters, so that PostgreSQL's grammar reads it.
pub(super) fn numbered(text: &str) -> Option<String> {
    attributes::number(text).ok().map(|(numbered, _)| numbered)
}

/// The attributes that a text names, in the order of their first use.
pub(super) fn attributes_of(text: &str) -> Vec<String> {
    attributes::number(text).map(|(_, names)| names).unwrap_or_default()
}

/// A generation expression over inputs that may be masked: only operators and functions that give a result for
/// every value of their arguments; `None` for any other.
pub(super) fn total_expression(
    text: &str,
    catalog: &Catalog,
    relation: &Relation,
    input: &dyn Fn(&str) -> Option<String>,
) -> Option<String> {
    let node = parse_expression(text).ok()?;
    Printer::for_generated(catalog, relation, input).expression(&node).ok()
}

fn parse_expression(text: &str) -> Result<Node, String> {
    let complain = |error: pg_query::Error| match error {
        pg_query::Error::Parse(message) => format!("PostgreSQL cannot read it: {message}"),
        other => format!("it cannot be read: {other}"),
    };
    let parsed =
        pg_query::parse(&format!("SELECT (\n{text}\n)"), pg_query::ParserOptions::DEFAULT).map_err(complain)?;
    let mut statements = parsed.protobuf.stmts.into_iter();
    let statement = statements.next().and_then(|s| s.stmt).and_then(|s| s.node);
    if statements.next().is_some() {
        return Err("it is more than one expression".to_owned());
    }
    let Some(NodeEnum::SelectStmt(select)) = statement else {
        return Err("it is not an expression".to_owned());
    };
    let plain = select.from_clause.is_empty()
        && select.where_clause.is_none()
        && select.group_clause.is_empty()
        && select.having_clause.is_none()
        && select.window_clause.is_empty()
        && select.sort_clause.is_empty()
        && select.limit_count.is_none()
        && select.limit_offset.is_none()
        && select.locking_clause.is_empty()
        && select.distinct_clause.is_empty()
        && select.into_clause.is_none()
        && select.larg.is_none()
        && select.rarg.is_none()
        && select.values_lists.is_empty();
    let mut targets = select.target_list.into_iter();
    match (targets.next().and_then(|t| t.node), targets.next()) {
        (Some(NodeEnum::ResTarget(target)), None) if plain && target.name.is_empty() => {
            target.val.map(|v| *v).ok_or_else(|| "it is empty".to_owned())
        }
        _ => Err("it is not one expression".to_owned()),
    }
}

fn pieces(text: &str) -> Template {
    let mut pieces = Vec::new();
    for (at, part) in text.split(ATTRIBUTE_MARK).enumerate() {
        if at % 2 == 1 {
            pieces.push(Piece::Attribute(part.to_owned()));
            continue;
        }
        for (nth, sql) in part.split(ROW_MARK).enumerate() {
            if nth > 0 {
                pieces.push(Piece::Row);
            }
            if !sql.is_empty() {
                pieces.push(Piece::Sql(sql.to_owned()));
            }
        }
    }
    Template(pieces)
}
