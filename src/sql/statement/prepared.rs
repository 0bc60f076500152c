//! PREPARE, EXECUTE and DECLARE CURSOR: the query inside is secured where it stands.

use super::{judge_one, judged};
use crate::gate::{Bound, Effect, Judged};
use crate::refusal::Refusal;
use crate::sql::census::extent;
use crate::sql::resolve::scope::Scope;
use crate::sql::resolve::{Analysis, lost, unsupported};
use pg_query::NodeEnum;
use pg_query::protobuf::{DeclareCursorStmt, ExecuteStmt, PrepareStmt, Token};

/// `CURSOR_OPT_HOLD` of PostgreSQL's parsenodes.h.
const HOLD: i32 = 0x20;

/// `PREPARE name (types) AS query`
pub fn prepare(analysis: &mut Analysis<'_>, prepare: &PrepareStmt) -> Result<Judged, Refusal> {
    analysis.parameters.clear();
    for ty in &prepare.argtypes {
        let Some(NodeEnum::TypeName(name)) = ty.node.as_ref() else {
            return Err(lost());
        };
        let ty = analysis.type_name(name)?;
        analysis.parameters.push(ty.unwrap_or(0));
    }
    let inner = prepare.query.as_ref().and_then(|q| q.node.as_ref()).ok_or_else(lost)?;
    if !is_data_statement(inner) {
        return Err(unsupported("PREPARE of anything but a query or a write"));
    }
    let statement = text_after_as(analysis, prepare)?;
    let inner = judge_one(analysis, inner)?;
    Ok(Judged {
        kind: "PREPARE",
        effect: Effect::Prepare {
            name: prepare.name.clone(),
            statement,
        },
        ..inner
    })
}

fn is_data_statement(node: &NodeEnum) -> bool {
    matches!(
        node,
        NodeEnum::SelectStmt(_)
            | NodeEnum::InsertStmt(_)
            | NodeEnum::UpdateStmt(_)
            | NodeEnum::DeleteStmt(_)
            | NodeEnum::MergeStmt(_)
    )
}

fn text_after_as(analysis: &Analysis<'_>, prepare: &PrepareStmt) -> Result<String, Refusal> {
    let query = prepare.query.as_deref().ok_or_else(lost)?;
    let tokens = analysis.tokens()?;
    let Some((at, last)) = extent(query) else {
        return Ok(String::new());
    };
    let inside = tokens.list().iter().position(|t| t.start >= at).ok_or_else(lost)?;
    // the first AS of the statement ends PREPARE's own head: names and types hold none
    let mut start = inside;
    for i in (0..=inside).rev() {
        match tokens.kind(i) {
            Some(Token::Prepare) => break,
            Some(Token::As) => start = i + 1,
            Some(_) | None => {}
        }
    }
    let mut end = tokens.list().iter().position(|t| t.start >= last).ok_or_else(lost)?;
    while tokens.kind(end).is_some_and(|k| k != Token::Ascii59) {
        end += 1;
    }
    let bytes = tokens.bytes(start..end).ok_or_else(lost)?;
    Ok(tokens.slice(bytes).to_owned())
}

/// `EXECUTE name (values)`
pub fn execute(analysis: &mut Analysis<'_>, execute: &ExecuteStmt) -> Result<Judged, Refusal> {
    let empty = Scope::default();
    for value in &execute.params {
        analysis.expression(value, &empty)?;
    }
    Ok(judged(
        analysis,
        "EXECUTE",
        Effect::Execute {
            name: execute.name.clone(),
        },
    ))
}

/// `DECLARE name CURSOR FOR query`
pub fn declare(analysis: &mut Analysis<'_>, cursor: &DeclareCursorStmt) -> Result<Judged, Refusal> {
    let inner = cursor.query.as_ref().and_then(|q| q.node.as_ref()).ok_or_else(lost)?;
    let NodeEnum::SelectStmt(select) = inner else {
        return Err(unsupported("DECLARE CURSOR for anything but a query"));
    };
    if select.into_clause.is_some() {
        return Err(unsupported("SELECT INTO in a cursor"));
    }
    super::writes_nothing(select, "a cursor for a query that writes in its WITH")?;
    if cursor.options & HOLD != 0 {
        analysis.leaves.bound.insert(Bound::HeldCursor);
    }
    let inner = judge_one(analysis, inner)?;
    Ok(Judged {
        kind: "DECLARE CURSOR",
        effect: Effect::DeclareCursor {
            name: cursor.portalname.clone(),
        },
        ..inner
    })
}
