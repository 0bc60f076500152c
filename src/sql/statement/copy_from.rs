//! COPY … FROM STDIN: into the table itself where a WHERE over the rows can hold them to the policy, else by way of a
//! temporary table that only this statement knows.

use super::judged;
use crate::catalog::{Column, Relation, RelationKind};
use crate::gate::{Effect, Judged, SessionView, Staged};
use crate::name::{QualifiedName, quote_ident};
use crate::policy::Writes;
use crate::policy::writes::CopyCheck;
use crate::refusal::{Refusal, SqlState};
use crate::sql::raise::column_denied;
use crate::sql::resolve::write::Doing;
use crate::sql::resolve::{Analysis, lost, string_of, unsupported};
use crate::sql::rewrite::splice::SpliceKind;
use crate::sql::verify;
use pg_query::NodeEnum;
use pg_query::protobuf::{CopyStmt, RangeVar};
use std::collections::BTreeSet;
use std::sync::Arc;

/// `COPY t (columns) FROM STDIN`
pub fn copy_from(analysis: &mut Analysis<'_>, copy: &CopyStmt) -> Result<Judged, Refusal> {
    options(copy)?;
    if copy.where_clause.is_some() {
        return Err(unsupported("WHERE in COPY FROM").hint("Leave the rows out of the data."));
    }
    let var = copy.relation.as_ref().ok_or_else(lost)?;
    let (relation, temp) = analysis.find_relation(var)?;
    let mut staged = None;
    if temp {
        analysis.qualify_target(var, "pg_temp")?;
    } else {
        plain_table(&relation)?;
        match analysis.write_rights(&relation, var, Doing::Insert)? {
            None => {
                analysis.note_read(&relation, None);
                analysis.qualify_target(var, &relation.name.schema)?;
            }
            Some((view, writes)) => {
                analysis.note_read(&relation, Some(&view));
                staged = guarded(analysis, copy, var, &relation, &writes)?;
            }
        }
    }
    Ok(Judged {
        writes: true,
        touches_protected: !temp,
        staged,
        ..judged(analysis, "COPY", Effect::CopyIn)
    })
}

/// Holds a COPY to what the person may write.
fn guarded(
    analysis: &mut Analysis<'_>,
    copy: &CopyStmt,
    var: &RangeVar,
    relation: &Relation,
    writes: &Writes,
) -> Result<Option<Arc<Staged>>, Refusal> {
    let given = columns(copy, relation, writes)?;
    let set: BTreeSet<usize> = given.iter().copied().collect();
    if let Some(column) = writes.unsettable(&set) {
        return Err(column_denied(&relation.name.name, &column.name));
    }
    let check = writes.copy_check(relation, &set);
    if check == CopyCheck::Staged {
        let staged = stage(analysis, relation, &given)?;
        analysis.notes.push(format!(
            "{}: the data goes into a temporary table, and from there by this statement: {}",
            relation.name,
            staged.1.insert.text.text()
        ));
        into(analysis, var, &staged.0.to_sql(), None)?;
        return Ok(Some(Arc::new(staged.1)));
    }
    let listed = copy.attlist.is_empty().then(|| names(relation, &given));
    into(analysis, var, &relation.name.to_sql(), listed.as_deref())?;
    if let CopyCheck::Where(condition) = check {
        let tokens = analysis.tokens()?;
        let first = tokens.at_location(var.location).ok_or_else(lost)?;
        let end = tokens.statement_end(first)?;
        let at = tokens.bytes(first..end).ok_or_else(lost)?.end;
        analysis.write_at(at, format!("WHERE ({condition})"), SpliceKind::Check)?;
    }
    Ok(None)
}

/// Puts a table's name in place of the client's, and a column list where they wrote none.
fn into(analysis: &mut Analysis<'_>, var: &RangeVar, name: &str, listed: Option<&str>) -> Result<(), Refusal> {
    let tokens = analysis.tokens()?;
    let first = tokens.at_location(var.location).ok_or_else(lost)?;
    let at = tokens.bytes(first..tokens.name_end(first)).ok_or_else(lost)?;
    let text = listed.map_or_else(|| name.to_owned(), |columns| format!("{name} ({columns})"));
    analysis.unit_mut()?.splices.replace(at, text, SpliceKind::Copy);
    Ok(())
}

/// The columns that the data holds, by their places in the relation.
fn columns(copy: &CopyStmt, relation: &Relation, writes: &Writes) -> Result<Vec<usize>, Refusal> {
    let shows = |at: usize| writes.columns.get(at).is_some_and(|c| c.shows);
    if copy.attlist.is_empty() {
        let all = relation.columns.iter().enumerate();
        return Ok(all
            .filter(|(at, c)| !c.is_generated && shows(*at))
            .map(|(at, _)| at)
            .collect());
    }
    let mut columns = Vec::new();
    for node in &copy.attlist {
        let name = string_of(node).ok_or_else(lost)?;
        let found = relation.columns.iter().position(|c| c.name == name);
        let at = found.filter(|at| shows(*at)).ok_or_else(|| {
            let table = &relation.name.name;
            let message = format!("column \"{name}\" of relation \"{table}\" does not exist");
            Refusal::new("no-column", SqlState::UndefinedColumn, message)
        })?;
        if relation.columns.get(at).is_some_and(|c| c.is_generated) {
            let message = format!("column \"{name}\" is a generated column");
            return Err(
                Refusal::new("copy-generated", SqlState::InvalidColumnReference, message)
                    .detail("Generated columns cannot be used in COPY."),
            );
        }
        columns.push(at);
    }
    Ok(columns)
}

fn names(relation: &Relation, given: &[usize]) -> String {
    let columns = given.iter().filter_map(|at| relation.columns.get(*at));
    columns.map(|c| quote_ident(&c.name)).collect::<Vec<_>>().join(", ")
}

/// The way by a temporary table: its name, and what surrounds the COPY into it. What is inserted from there is judged
/// as if the client had written it.
fn stage(analysis: &Analysis<'_>, relation: &Relation, given: &[usize]) -> Result<(QualifiedName, Staged), Refusal> {
    let held: Vec<Column> = given
        .iter()
        .filter_map(|at| relation.columns.get(*at))
        .cloned()
        .collect();
    let (name, create, drop) = verify::staging(&held);
    // what the policy fills in is filled in where this INSERT leaves it out
    let listed = names(relation, given);
    let insert = format!(
        "INSERT INTO {} ({listed}) OVERRIDING SYSTEM VALUE SELECT {listed} FROM {}",
        relation.name.to_sql(),
        name.to_sql()
    );
    let mut session: SessionView = analysis.session.clone();
    session.temp_relations.push(Arc::new(Relation {
        name: name.clone(),
        kind: RelationKind::Table,
        columns: held,
        primary_key: Vec::new(),
        parents: Vec::new(),
        children: Vec::new(),
        is_partition: false,
        unique: std::collections::BTreeMap::new(),
        unique_indexes: Vec::new(),
        unique_columns: Vec::new(),
        before_insert: BTreeSet::new(),
        has_triggers: false,
        before_update: BTreeSet::new(),
        ..relation.clone()
    }));
    let insert = crate::sql::secure(&insert, analysis.who, &session, &[], analysis.world)?;
    let staged = Staged {
        create,
        insert,
        drop,
        place: name.name.clone(),
        table: relation.name.name.clone(),
    };
    Ok((name, staged))
}

/// A table that holds its rows itself.
fn plain_table(relation: &Relation) -> Result<(), Refusal> {
    let what = match relation.kind {
        RelationKind::Table | RelationKind::PartitionedTable => return Ok(()),
        RelationKind::View => "view",
        RelationKind::MaterializedView => "materialized view",
        RelationKind::Sequence => "sequence",
        RelationKind::ForeignTable => return Err(unsupported("COPY into a foreign table")),
        RelationKind::Toast | RelationKind::CompositeType | RelationKind::Index => "non-table relation",
    };
    let message = format!("cannot copy to {what} \"{}\"", relation.name.name);
    Err(Refusal::new("copy-kind", SqlState::WrongObjectType, message))
}

/// The options that say how the data is written.
fn options(copy: &CopyStmt) -> Result<(), Refusal> {
    for option in &copy.options {
        let Some(NodeEnum::DefElem(option)) = option.node.as_ref() else {
            return Err(lost());
        };
        match option.defname.as_str() {
            "format" | "header" | "delimiter" | "null" | "quote" | "escape" | "force_not_null" | "force_null" => {}
            "encoding" => {
                let is_utf8 = |v: &str| v.eq_ignore_ascii_case("utf8") || v.eq_ignore_ascii_case("utf-8");
                if !super::value_of(option).is_some_and(is_utf8) {
                    return Err(unsupported("COPY in an encoding other than UTF8"));
                }
            }
            other => return Err(unsupported(&format!("COPY option {}", other.to_uppercase()))),
        }
    }
    Ok(())
}
