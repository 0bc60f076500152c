//! Foreign keys to rows of which a person does not see all.

use super::Reference;
use crate::catalog::{Catalog, Column, ForeignKey, Relation, RelationKind, Type, TypeKind};
use crate::policy::PolicySet;
use crate::policy::decision::{Access, ColumnView, Rows};
use crate::policy::print;
use crate::policy::scope::{Scopes, Wording};
use crate::sql::raise::Raise;

/// Is the target's column what the row's own refers to? Where it is not known how that is told, no row that shows counts as
/// the target.
fn equal(catalog: &Catalog, (target, theirs): (&str, &Column), (own, mine): (&str, &Column)) -> String {
    let words = print::comparable(catalog, target, theirs).zip(print::comparable(catalog, own, mine));
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

/// The alias of a target that is looked for.
const SEEN: &str = "\"rowgate:target\"";

/// What is asked of a row and of a target, column by column.
#[derive(Default)]
struct Terms {
    /// The row refers to something.
    present: Vec<String>,
    /// The target is what it refers to.
    same: Vec<String>,
    /// The row itself is.
    itself: Vec<String>,
}

impl Terms {
    fn of(catalog: &Catalog, mine: &[Option<&Column>], theirs: &[(&Column, Option<&ColumnView>)]) -> Self {
        let row = print::alias(0);
        let mut terms = Self::default();
        for (mine, (theirs, shown)) in mine.iter().zip(theirs) {
            // a column that only the relation below has: what it holds is not known here
            let Some(mine) = mine else {
                terms.same.push("FALSE".to_owned());
                continue;
            };
            let own = print::column(&row, &mine.name);
            let is = |target: &str| equal(catalog, (target, theirs), (&own, mine));
            terms.present.push(format!("{own} IS NOT NULL"));
            terms.same.push(is(&print::column(SEEN, &theirs.name)));
            match shown {
                None | Some(ColumnView::Clear) => {}
                Some(ColumnView::Hidden) => terms.same.push("FALSE".to_owned()),
                // whether a value is there must not tell more of it than what shows
                Some(ColumnView::Masked { sql, .. }) => {
                    terms
                        .same
                        .push(is(&format!("(SELECT {sql} FROM (SELECT {SEEN}.*) AS {row})")));
                }
            }
            terms.itself.push(is(&print::column(&row, &theirs.name)));
        }
        terms
    }
}

/// The columns of a relation by which a row of it changes what it refers to: those that refer, and those that they are
/// generated from.
fn touching(relation: &Relation, mine: &[Option<&Column>]) -> Vec<usize> {
    let place = |number: &i16| relation.columns.iter().position(|c| c.number == *number);
    let numbers = mine
        .iter()
        .flatten()
        .flat_map(|c| c.generated_from.iter().chain([&c.number]));
    numbers.filter_map(place).collect()
}

impl PolicySet {
    /// The foreign keys of a relation to rows of which the person does not see all.
    pub(super) fn references(&self, scopes: &Scopes<'_>, relation: &Relation) -> Vec<Reference> {
        let keys = scopes.catalog.keys_of(relation).into_iter();
        keys.filter_map(|(holder, key)| self.reference(scopes, relation, holder, key))
            .collect()
    }

    /// A foreign key that `holder` has, the relation itself or one below it.
    fn reference(
        &self,
        scopes: &Scopes<'_>,
        relation: &Relation,
        holder: &Relation,
        key: &ForeignKey,
    ) -> Option<Reference> {
        let target = scopes.catalog.relations.get(&key.target)?;
        self.bound.cover(key.target)?;
        let shown = match self.access(scopes.who, target, scopes.catalog) {
            Access::Guarded(view) => Some(view),
            Access::Open => return None,
            Access::Denied => None,
        };
        let few = shown.as_ref().and_then(|view| view.by_key.as_ref());
        let view = few.filter(|_| scopes.wording == Wording::ByKey).or(shown.as_ref());
        let of_target = |number: &i16| {
            let at = target.columns.iter().position(|c| c.number == *number)?;
            Some((target.columns.get(at)?, view.and_then(|view| view.columns.get(at))))
        };
        let theirs: Vec<(&Column, Option<&ColumnView>)> =
            key.target_columns.iter().map(of_target).collect::<Option<_>>()?;
        let all_clear = theirs.iter().all(|(_, shown)| *shown == Some(&ColumnView::Clear));
        let condition = match view.map_or(&Rows::None, |view| &view.rows) {
            Rows::All if all_clear => return None,
            Rows::All => "TRUE".to_owned(),
            Rows::None => "FALSE".to_owned(),
            Rows::Where(sql) => sql.clone(),
        };
        let own = |number: &i16| relation.column(&holder.column_by_number(*number)?.name);
        let mine: Vec<Option<&Column>> = key.columns.iter().map(own).collect();
        let columns = touching(relation, &mine);
        if columns.is_empty() {
            return None;
        }
        let (row, seen) = (print::alias(0), SEEN);
        let Terms { present, same, itself } = Terms::of(scopes.catalog, &mine, &theirs);
        // a foreign key is satisfied by no row of a table that inherits from its target
        let has_heirs = target.kind == RelationKind::Table && !target.children.is_empty();
        let only = if has_heirs { "ONLY " } else { "" };
        // the condition is over the row's own alias, so the target is looked at under it, one level further in
        let visible = format!(
            "EXISTS (SELECT FROM {only}{} AS {seen} WHERE {} AND EXISTS (SELECT FROM (SELECT {seen}.*) AS {row} WHERE ({condition})))",
            target.name.to_sql(),
            same.join(" AND ")
        );
        let refers_to_itself = if target.oid == relation.oid && holder.oid == relation.oid && all_clear {
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
