//! COPY … FROM STDIN.

use super::{judged, temporary};
use crate::gate::{Effect, Judged};
use crate::refusal::Refusal;
use crate::sql::resolve::{Analysis, lost, unsupported};
use pg_query::NodeEnum;
use pg_query::protobuf::CopyStmt;

/// `COPY t (columns) FROM STDIN`
pub fn copy_from(analysis: &mut Analysis<'_>, copy: &CopyStmt) -> Result<Judged, Refusal> {
    options(copy)?;
    if copy.where_clause.is_some() {
        return Err(unsupported("WHERE in COPY FROM").hint("Leave the rows out of the data."));
    }
    let var = copy.relation.as_ref().ok_or_else(lost)?;
    temporary::own_temp(analysis, var, "COPY FROM")?;
    Ok(Judged {
        writes: true,
        ..judged(analysis, "COPY", Effect::CopyIn)
    })
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
