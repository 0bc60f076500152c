//! A session's own temporary tables: made from secured queries, then free to use.

use super::{judged, storing};
use crate::catalog::{Relation, TypeKind};
use crate::gate::{Effect, Judged};
use crate::name::quote_ident;
use crate::refusal::{Refusal, SqlState};
use crate::sql::resolve::scope::Scope;
use crate::sql::resolve::{Analysis, lost, name_parts, oid, only_temporary, unsupported};
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::NodeEnum;
use pg_query::protobuf::{
    ColumnDef, ConstrType, CreateStmt, CreateTableAsStmt, DropStmt, IndexStmt, IntoClause, Node, ObjectType, RangeVar,
    SelectStmt, Token, VacuumStmt,
};
use std::sync::Arc;

fn temp_allowed(analysis: &Analysis<'_>) -> Result<(), Refusal> {
    if analysis.rights.temp_tables {
        return Ok(());
    }
    Err(
        Refusal::forbidden("temp-table", "permission denied to create temporary tables")
            .hint("Ask the administrator of rowgate for temp_tables among your role's rights."),
    )
}

/// A new temporary table's name: TEMP is written, and no schema but `pg_temp`.
fn new_name(analysis: &mut Analysis<'_>, var: &RangeVar) -> Result<(), Refusal> {
    temp_allowed(analysis)?;
    let in_temp = var.schemaname == "pg_temp";
    let elsewhere = !var.catalogname.is_empty() || !(var.schemaname.is_empty() || in_temp);
    if elsewhere || !(in_temp || var.relpersistence == "t") {
        return Err(
            Refusal::forbidden("create-table", "permission denied to create a table")
                .hint("Only temporary tables may be created: write CREATE TEMP TABLE."),
        );
    }
    // every table is a type too, and PostgreSQL looks for types among temporary ones first
    let element = var.relname.strip_prefix('_').unwrap_or(&var.relname);
    let is_type = |name: &str| {
        analysis
            .world
            .catalog
            .types
            .values()
            .any(|t| t.name.name == name && t.kind != TypeKind::Composite)
    };
    if is_type(&var.relname) || is_type(element) {
        return Err(Refusal::unsupported(
            "temp-table-type",
            format!("a temporary table may not be named {}", var.relname),
        )
        .detail("A data type has that name.")
        .hint("Choose another name."));
    }
    let written = analysis.written(var)?;
    analysis.qualify(var, &written, "pg_temp")
}

fn into(analysis: &mut Analysis<'_>, into: &IntoClause) -> Result<(), Refusal> {
    if !into.options.is_empty() || !into.table_space_name.is_empty() || into.view_query.is_some() {
        return Err(unsupported("storage options of a temporary table"));
    }
    new_name(analysis, into.rel.as_ref().ok_or_else(lost)?)
}

/// `SELECT … INTO TEMP t`
pub fn select_into(analysis: &mut Analysis<'_>, select: &SelectStmt) -> Result<Judged, Refusal> {
    let clause = select
        .into_clause
        .as_deref()
        .ok_or_else(|| unsupported("SELECT INTO with UNION"))?;
    into(analysis, clause)?;
    stored_query(analysis, select)
}

/// What is stored must have types; a row of which columns are hidden has none.
fn stored_query(analysis: &mut Analysis<'_>, select: &SelectStmt) -> Result<Judged, Refusal> {
    super::writes_nothing(select, "storing the result of a query that writes in its WITH")?;
    let columns = analysis.query_outermost(select)?;
    if columns.iter().any(|c| c.ty == Some(oid::RECORD)) {
        return Err(unsupported("storing a row of which columns are hidden"));
    }
    Ok(storing(analysis, "SELECT", Effect::TempRelations))
}

/// `CREATE TEMP TABLE t AS …`
pub fn create_table_as(analysis: &mut Analysis<'_>, create: &CreateTableAsStmt) -> Result<Judged, Refusal> {
    if create.objtype() != ObjectType::ObjectTable {
        return Err(super::refuse_kind(&NodeEnum::CreateTableAsStmt(Box::new(
            create.clone(),
        ))));
    }
    into(analysis, create.into.as_deref().ok_or_else(lost)?)?;
    let Some(NodeEnum::SelectStmt(select)) = create.query.as_ref().and_then(|q| q.node.as_ref()) else {
        return Err(unsupported("CREATE TABLE AS EXECUTE"));
    };
    stored_query(analysis, select)
}

/// `CREATE TEMP TABLE t (…)`
pub fn create_table(analysis: &mut Analysis<'_>, create: &CreateStmt) -> Result<Judged, Refusal> {
    let plain = create.inh_relations.is_empty()
        && create.partbound.is_none()
        && create.partspec.is_none()
        && create.of_typename.is_none()
        && create.options.is_empty()
        && create.tablespacename.is_empty()
        && create.access_method.is_empty();
    if !plain {
        return Err(unsupported(
            "a temporary table that inherits, is partitioned, typed or has storage options",
        ));
    }
    new_name(analysis, create.relation.as_ref().ok_or_else(lost)?)?;
    for element in create.table_elts.iter().chain(&create.constraints) {
        match element.node.as_ref().ok_or_else(lost)? {
            NodeEnum::ColumnDef(column) => self::column(analysis, column)?,
            NodeEnum::Constraint(_) => constraint(analysis, element)?,
            _ => return Err(unsupported("LIKE in a temporary table")),
        }
    }
    Ok(judged(analysis, "CREATE TABLE", Effect::TempRelations))
}

fn column(analysis: &mut Analysis<'_>, column: &ColumnDef) -> Result<(), Refusal> {
    let name = column.type_name.as_ref().ok_or_else(lost)?;
    let parts = name_parts(&name.names).unwrap_or_default();
    if !matches!(
        parts.as_slice(),
        ["serial" | "serial4" | "serial8" | "bigserial" | "smallserial" | "serial2"]
    ) {
        analysis.type_name(name)?;
    }
    column.constraints.iter().try_for_each(|c| constraint(analysis, c))
}

fn constraint(analysis: &mut Analysis<'_>, node: &Node) -> Result<(), Refusal> {
    let Some(NodeEnum::Constraint(constraint)) = node.node.as_ref() else {
        return Err(lost());
    };
    match constraint.contype() {
        ConstrType::ConstrNull
        | ConstrType::ConstrNotnull
        | ConstrType::ConstrIdentity
        | ConstrType::ConstrPrimary
        | ConstrType::ConstrUnique
        | ConstrType::ConstrAttrDeferrable
        | ConstrType::ConstrAttrNotDeferrable
        | ConstrType::ConstrAttrDeferred
        | ConstrType::ConstrAttrImmediate => Ok(()),
        ConstrType::ConstrDefault => {
            let empty = Scope::default();
            analysis
                .expression(constraint.raw_expr.as_deref().ok_or_else(lost)?, &empty)
                .map(|_| ())
        }
        _ => Err(unsupported(
            "a CHECK, FOREIGN KEY, EXCLUDE or generated column in a temporary table",
        )),
    }
}

/// The session's own temporary table that a name means; anything else is refused.
pub(super) fn own_temp(analysis: &mut Analysis<'_>, var: &RangeVar, what: &str) -> Result<Arc<Relation>, Refusal> {
    let (relation, temp) = analysis.find_relation(var)?;
    if !temp {
        return Err(only_temporary(what));
    }
    let written = analysis.written(var)?;
    analysis.qualify(var, &written, "pg_temp")?;
    Ok(relation)
}

/// `DROP TABLE t`
pub fn drop(analysis: &mut Analysis<'_>, drop: &DropStmt) -> Result<Judged, Refusal> {
    if drop.remove_type() != ObjectType::ObjectTable {
        return Err(super::refuse_kind(&NodeEnum::DropStmt(drop.clone())));
    }
    for (index, object) in drop.objects.iter().enumerate() {
        let Some(NodeEnum::List(list)) = object.node.as_ref() else {
            return Err(lost());
        };
        let parts = name_parts(&list.items).ok_or_else(lost)?;
        match parts.as_slice() {
            ["pg_temp", _] => {}
            [name] => {
                let var = RangeVar {
                    relname: (*name).to_owned(),
                    location: -1,
                    ..RangeVar::default()
                };
                match analysis.find_relation(&var) {
                    Ok((_, true)) => {}
                    Ok((_, false)) => return Err(not_owner(name)),
                    Err(_) if drop.missing_ok => {}
                    Err(_) => {
                        let message = format!("table \"{name}\" does not exist");
                        return Err(Refusal::new("no-relation", SqlState::UndefinedTable, message));
                    }
                }
                qualify_dropped(analysis, index, name)?;
            }
            [.., name] => return Err(not_owner(name)),
            [] => return Err(lost()),
        }
    }
    Ok(judged(analysis, "DROP TABLE", Effect::TempRelations))
}

fn not_owner(name: &str) -> Refusal {
    Refusal::forbidden("drop-table", format!("must be owner of table {name}"))
        .hint("Only own temporary tables may be dropped.")
}

/// Names the own temporary table in place `index` of DROP's list, whose nodes have no place in the text.
fn qualify_dropped(analysis: &mut Analysis<'_>, index: usize, name: &str) -> Result<(), Refusal> {
    let tokens = analysis.tokens()?;
    let mut drops = (0..tokens.list().len()).filter(|&i| tokens.kind(i) == Some(Token::Drop));
    let (Some(first), None) = (drops.next(), drops.next()) else {
        return Err(unsupported("DROP TABLE of a name without a schema beside another DROP")
            .hint("Write DROP TABLE pg_temp.name."));
    };
    let mut at = first + 2;
    if tokens.kind(at) == Some(Token::IfP) {
        at += 2;
    }
    for _ in 0..index {
        at = tokens.name_end(at) + 1;
    }
    let bytes = tokens.bytes(at..tokens.name_end(at)).ok_or_else(lost)?;
    let text = format!("pg_temp.{}", quote_ident(name));
    analysis.unit_mut()?.splices.replace(bytes, text, SpliceKind::Qualifier);
    Ok(())
}

/// `CREATE INDEX ON t (columns)`
pub fn create_index(analysis: &mut Analysis<'_>, index: &IndexStmt) -> Result<Judged, Refusal> {
    own_temp(analysis, index.relation.as_ref().ok_or_else(lost)?, "CREATE INDEX")?;
    let plain = index.where_clause.is_none()
        && index.options.is_empty()
        && index.exclude_op_names.is_empty()
        && !index.concurrent
        && index.index_params.iter().all(|p| match p.node.as_ref() {
            Some(NodeEnum::IndexElem(e)) => e.expr.is_none() && e.opclass.is_empty() && e.collation.is_empty(),
            Some(_) | None => false,
        });
    if !plain {
        return Err(unsupported("an index of a temporary table on anything but columns"));
    }
    Ok(judged(analysis, "CREATE INDEX", Effect::None))
}

/// `ANALYZE t`
pub fn analyze(analysis: &mut Analysis<'_>, vacuum: &VacuumStmt) -> Result<Judged, Refusal> {
    if vacuum.is_vacuumcmd || vacuum.rels.is_empty() || !vacuum.options.is_empty() {
        return Err(super::refuse_kind(&NodeEnum::VacuumStmt(vacuum.clone())));
    }
    for node in &vacuum.rels {
        let Some(NodeEnum::VacuumRelation(relation)) = node.node.as_ref() else {
            return Err(lost());
        };
        own_temp(analysis, relation.relation.as_ref().ok_or_else(lost)?, "ANALYZE")?;
    }
    Ok(judged(analysis, "ANALYZE", Effect::None))
}
