//! MERGE.
use super::{Place, Wrote};
use crate::refusal::Refusal;
use crate::sql::resolve::scope::Scope;
use crate::sql::resolve::{Analysis, writes_later};
use pg_query::protobuf::MergeStmt;

impl Analysis<'_> {
    /// Reads MERGE.
    pub(super) fn merge(
        &mut self,
        _merge: &MergeStmt,
        _parent: Option<&Scope<'_>>,
        _place: Place,
    ) -> Result<Wrote, Refusal> {
        Err(writes_later("MERGE"))
    }
}
