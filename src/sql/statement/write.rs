//! INSERT, UPDATE, DELETE, MERGE and TRUNCATE.

use super::{judged, origins, storing};
use crate::gate::{Effect, Judged};
use crate::refusal::Refusal;
use crate::sql::resolve::{Analysis, lost};
use pg_query::NodeEnum;
use pg_query::protobuf::{DropBehavior, TruncateStmt};

/// A statement that writes rows.
pub fn write(analysis: &mut Analysis<'_>, node: &NodeEnum) -> Result<Judged, Refusal> {
    let kind = match node {
        NodeEnum::InsertStmt(_) => "INSERT",
        NodeEnum::UpdateStmt(_) => "UPDATE",
        NodeEnum::DeleteStmt(_) => "DELETE",
        NodeEnum::MergeStmt(_) => "MERGE",
        _ => return Err(lost()),
    };
    let wrote = analysis.write(node, None)?;
    let limit = analysis.row_limit.clone();
    let mut statement = if wrote.temp {
        storing(analysis, kind, Effect::None)
    } else {
        judged(analysis, kind, Effect::None)
    };
    statement.origins = origins(analysis, &wrote.columns);
    statement.returned = wrote.returned;
    // rows that are read and not returned are no result
    statement.row_limit = limit.filter(|_| !wrote.columns.is_empty());
    statement.touches_protected = true;
    Ok(statement)
}

/// `TRUNCATE t`: only where the person may delete every row, of each table that CASCADE reaches too.
pub fn truncate(analysis: &mut Analysis<'_>, truncate: &TruncateStmt) -> Result<Judged, Refusal> {
    let cascades = truncate.behavior() == DropBehavior::DropCascade;
    for node in &truncate.relations {
        let Some(NodeEnum::RangeVar(var)) = node.node.as_ref() else {
            return Err(lost());
        };
        analysis.truncate(var, cascades)?;
    }
    let mut statement = judged(analysis, "TRUNCATE TABLE", Effect::None);
    statement.touches_protected = true;
    Ok(statement)
}
