//! Foreign keys to rows of which a person does not see all.

use super::Reference;
use crate::catalog::{Catalog, Column, ForeignKey, Relation, RelationKind, Type, TypeKind};
use crate::policy::PolicySet;
use crate::policy::decision::{Access, Rows};
use crate::policy::print;
use crate::policy::scope::{Scopes, Wording};
use crate::sql::raise::Raise;

/// Is the target's column what the row's own refers to? Where it is not known how that is told, no row that shows counts as
/// the target.
fn equal(catalog: &Catalog, (seen, theirs): (&str, &Column), (own, mine): (&str, &Column)) -> String {
    let target = print::column(seen, &theirs.name);
    let words = print::comparable(catalog, &target, theirs).zip(print::comparable(catalog, own, mine));
    // `=` of arrays and of ranges is one for all of them
    let polymorphic = || {
        let ty = catalog.types.get(&print::base_type(catalog, theirs.type_oid));
        let is_one = |t: &Type| t.element != 0 || matches!(t.kind, TypeKind::Range | TypeKind::Multirange);
        ty.is_some_and(|t| is_one(t))
            && print::base_type(catalog, theirs.type_oid) == print::base_type(catalog, mine.type_oid)
    };
    match words {
        Some(((theirs, _), (mine, _))) => format!("({theirs} OPERATOR(pg_catalog.=) {mine})"),
        None if polymorphic() => format!("({target} OPERATOR(pg_catalog.=) {own})"),
        None => "FALSE".to_owned(),
    }
}

impl PolicySet {
    /// The foreign keys of a relation to rows of which the person does not see all.
    pub(super) fn references(&self, scopes: &Scopes<'_>, relation: &Relation) -> Vec<Reference> {
        let keys = scopes.catalog.foreign_keys.get(&relation.oid);
        keys.into_iter()
            .flatten()
            .filter_map(|key| self.reference(scopes, relation, key))
            .collect()
    }

    fn reference(&self, scopes: &Scopes<'_>, relation: &Relation, key: &ForeignKey) -> Option<Reference> {
        let target = scopes.catalog.relations.get(&key.target)?;
        self.bound.cover(key.target)?;
        let condition = match self.access(scopes.who, target, scopes.catalog) {
            Access::Guarded(view) => match &view
                .by_key
                .as_ref()
                .filter(|_| scopes.wording == Wording::ByKey)
                .unwrap_or(&view)
                .rows
            {
                Rows::All => return None,
                Rows::None => "FALSE".to_owned(),
                Rows::Where(sql) => sql.clone(),
            },
            Access::Open => return None,
            Access::Denied => "FALSE".to_owned(),
        };
        let at = |number: &i16| relation.columns.iter().position(|c| c.number == *number);
        let columns: Vec<usize> = key.columns.iter().map(at).collect::<Option<_>>()?;
        let (row, seen) = (print::alias(0), "\"rowgate:target\"");
        let mut present = Vec::new();
        let mut same = Vec::new();
        let mut itself = Vec::new();
        for (mine, theirs) in key.columns.iter().zip(&key.target_columns) {
            let mine = relation.column_by_number(*mine)?;
            let theirs = target.column_by_number(*theirs)?;
            let own = print::column(&row, &mine.name);
            present.push(format!("{own} IS NOT NULL"));
            same.push(equal(scopes.catalog, (seen, theirs), (&own, mine)));
            itself.push(equal(scopes.catalog, (&row, theirs), (&own, mine)));
        }
        // a foreign key is satisfied by no row of a table that inherits from its target
        let has_heirs = target.kind == RelationKind::Table && !target.children.is_empty();
        let only = if has_heirs { "ONLY " } else { "" };
        // the condition is over the row's own alias, so the target is looked at under it, one level further in
        let visible = format!(
            "EXISTS (SELECT FROM {only}{} AS {seen} WHERE {} AND EXISTS (SELECT FROM (SELECT {seen}.*) AS {row} WHERE ({condition})))",
            target.name.to_sql(),
            same.join(" AND ")
        );
        let refers_to_itself = if target.oid == relation.oid {
            format!(" AND ({}) IS NOT TRUE", itself.join(" AND "))
        } else {
            String::new()
        };
        Some(Reference {
            columns,
            dangling: format!("({} AND NOT {visible}{refers_to_itself})", present.join(" AND ")),
            raise: Raise::Reference {
                table: relation.name.clone(),
                constraint: key.name.clone(),
            },
        })
    }
}
