//! Sort keys that are result columns.

use super::{Analysis, string_of};
use crate::refusal::Refusal;
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::NodeEnum;
use pg_query::protobuf::{AConst, ColumnRef, Node, a_const::Val};

impl Analysis<'_> {
    /// Which of these result columns is a sort key the name of? A name that could also mean what does not show of a table
    /// that is written gives way to the column's place.
    pub(super) fn sorts_output<'l>(
        &mut self,
        sort: &Node,
        mut labels: impl Iterator<Item = &'l str>,
    ) -> Result<Option<usize>, Refusal> {
        let Some((name, reference)) = output_name(sort) else {
            return Ok(None);
        };
        let mut known = true;
        let found = labels.position(|label| {
            // the columns behind an empty label are not all known
            known &= !label.is_empty();
            label == name
        });
        let Some(place) = found else { return Ok(None) };
        if known && self.unit == 0 && self.veiled.contains(name) {
            let bytes = self.reference_bytes(reference)?;
            let text = (place + 1).to_string();
            self.unit_mut()?.splices.replace(bytes, text, SpliceKind::Column);
        }
        Ok(Some(place))
    }
}

/// The result column that a sort key is the number of.
pub(super) fn output_number(sort: &Node) -> Option<usize> {
    let inner = match sort.node.as_ref()? {
        NodeEnum::SortBy(sort) => sort.node.as_deref()?,
        _ => sort,
    };
    match inner.node.as_ref()? {
        NodeEnum::AConst(AConst {
            val: Some(Val::Ival(number)),
            ..
        }) => usize::try_from(number.ival).ok()?.checked_sub(1),
        _ => None,
    }
}

/// The one name that a sort key is.
fn output_name(sort: &Node) -> Option<(&str, &ColumnRef)> {
    let inner = match sort.node.as_ref()? {
        NodeEnum::SortBy(sort) => sort.node.as_deref()?,
        _ => sort,
    };
    match inner.node.as_ref()? {
        NodeEnum::ColumnRef(reference) => match reference.fields.as_slice() {
            [one] => string_of(one).map(|name| (name, reference)),
            _ => None,
        },
        _ => None,
    }
}
