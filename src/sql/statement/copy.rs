//! COPY … TO STDOUT: of a query as it stands, of a table as the query that shows its stored columns.

use super::judged;
use crate::catalog::RelationKind;
use crate::gate::{Effect, Judged};
use crate::name::quote_ident;
use crate::policy::{Access, ColumnView};
use crate::refusal::{Refusal, SqlState};
use crate::sql::resolve::{Analysis, lost, unsupported};
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::NodeEnum;
use pg_query::protobuf::{CopyStmt, RangeVar, Token};

/// `COPY`
pub fn copy(analysis: &mut Analysis<'_>, copy: &CopyStmt) -> Result<Judged, Refusal> {
    if copy.is_program || !copy.filename.is_empty() {
        return Err(
            Refusal::forbidden("copy-file", "permission denied to COPY to or from a file or program")
                .hint("Use COPY … TO STDOUT, or \\copy in psql."),
        );
    }
    if copy.is_from {
        return super::copy_from::copy_from(analysis, copy);
    }
    for option in &copy.options {
        let Some(NodeEnum::DefElem(option)) = option.node.as_ref() else {
            return Err(lost());
        };
        let name = option.defname.as_str();
        if !matches!(
            name,
            "format" | "header" | "delimiter" | "null" | "quote" | "escape" | "force_quote" | "encoding"
        ) {
            return Err(unsupported(&format!("COPY option {}", name.to_uppercase())));
        }
        if name == "encoding"
            && !super::value_of(option)
                .is_some_and(|v| v.eq_ignore_ascii_case("utf8") || v.eq_ignore_ascii_case("utf-8"))
        {
            return Err(unsupported("COPY in an encoding other than UTF8"));
        }
    }
    match (&copy.query, &copy.relation) {
        (Some(query), _) => {
            let Some(NodeEnum::SelectStmt(select)) = query.node.as_ref() else {
                return Err(unsupported("COPY of a statement that writes"));
            };
            if select.into_clause.is_some() {
                return Err(unsupported("SELECT INTO in COPY"));
            }
            analysis.query_outermost(select)?;
        }
        (None, Some(relation)) => table(analysis, copy, relation)?,
        (None, None) => return Err(lost()),
    }
    if let Some(relation) = analysis.not_exportable.take() {
        return Err(
            Refusal::forbidden("export", format!("permission denied to export from {relation}"))
                .hint("Ask the administrator of rowgate for the export right on it."),
        );
    }
    analysis.row_limit = None;
    Ok(judged(analysis, "COPY", Effect::CopyOut))
}

/// From this version on COPY takes materialized views, too.
const FIRST_WITH_MATERIALIZED_VIEWS: u32 = 180_000;

/// `COPY t (columns) TO`: stored columns of the table alone, generated ones and children left out.
fn table(analysis: &mut Analysis<'_>, copy: &CopyStmt, var: &RangeVar) -> Result<(), Refusal> {
    let (relation, temp) = analysis.find_relation(var)?;
    let wrong = |what: &str| {
        Refusal::new(
            "copy-kind",
            SqlState::WrongObjectType,
            format!("cannot copy from {what} \"{}\"", relation.name.name),
        )
        .hint("Try the COPY (SELECT ...) TO variant.")
    };
    match relation.kind {
        RelationKind::Table => {}
        RelationKind::View => return Err(wrong("view")),
        RelationKind::MaterializedView if analysis.world.catalog.server_version >= FIRST_WITH_MATERIALIZED_VIEWS => {}
        RelationKind::MaterializedView => return Err(wrong("materialized view")),
        RelationKind::ForeignTable => return Err(wrong("foreign table")),
        RelationKind::Sequence => return Err(wrong("sequence")),
        RelationKind::PartitionedTable => return Err(wrong("partitioned table")),
        RelationKind::Toast | RelationKind::CompositeType | RelationKind::Index => {
            return Err(wrong("non-table relation"));
        }
    }
    let hidden = match analysis.who.access(&relation) {
        Access::Guarded(view) if !temp => view.columns.iter().map(|c| matches!(c, ColumnView::Hidden)).collect(),
        Access::Guarded(_) | Access::Open | Access::Denied => vec![false; relation.columns.len()],
    };
    let shown = |name: &str| {
        relation
            .columns
            .iter()
            .zip(&hidden)
            .find(|(c, h)| c.name == name && !**h)
            .map(|(c, _)| c)
    };
    let mut columns = Vec::new();
    for node in &copy.attlist {
        let name = crate::sql::resolve::string_of(node).ok_or_else(lost)?;
        let column = shown(name).ok_or_else(|| {
            Refusal::new(
                "no-column",
                SqlState::UndefinedColumn,
                format!(
                    "column \"{name}\" of relation \"{}\" does not exist",
                    relation.name.name
                ),
            )
        })?;
        if column.is_generated {
            return Err(Refusal::new(
                "copy-generated",
                SqlState::InvalidColumnReference,
                format!("column \"{name}\" is a generated column"),
            )
            .detail("Generated columns cannot be used in COPY."));
        }
        columns.push(quote_ident(name));
    }
    if copy.attlist.is_empty() {
        let stored = relation
            .columns
            .iter()
            .zip(&hidden)
            .filter(|(c, hidden)| !c.is_generated && !**hidden);
        columns.extend(stored.map(|(c, _)| quote_ident(&c.name)));
    }
    let source = if temp {
        format!("pg_temp.{}", quote_ident(&relation.name.name))
    } else {
        relation.name.to_sql()
    };
    let query = format!("SELECT {} FROM ONLY {source}", columns.join(", "));
    // the query is a text like a client's: it goes through the same stages before it stands in the statement
    let secured = analysis.secure_inner(&query)?;
    let tokens = analysis.tokens()?;
    let first = tokens.at_location(var.location).ok_or_else(lost)?;
    let mut end = tokens.name_end(first);
    if tokens.kind(end) == Some(Token::Ascii40) {
        end = tokens.past_closing(end).ok_or_else(lost)?;
    }
    let at = tokens.bytes(first..end).ok_or_else(lost)?;
    analysis
        .unit_mut()?
        .splices
        .replace(at, format!("({secured})"), SpliceKind::Copy);
    Ok(())
}
