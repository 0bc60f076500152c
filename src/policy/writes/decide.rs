//! What a person may write, decided from all their roles together.

use super::deciding::{Deciding, mask_inputs};
use super::{ColumnRight, MADE_ALIAS, Made, Same, Seat, Update, Writes};
use crate::catalog::{Catalog, Column, Relation, RelationKind};
use crate::identity::Principal;
use crate::identity::directory::Directory;
use crate::name::{QualifiedName, quote_ident, quote_literal};
use crate::policy::PolicySet;
use crate::policy::bound::Cover;
use crate::policy::decision::{Access, ColumnView, Rows, TableView};
use crate::policy::print::{self, Family};
use crate::policy::qualify;
use crate::policy::scope::{Pred, Scopes, Wording};
use crate::policy::written::{RoleRule, RoleTable, Scope, Show, TableRule};
use std::sync::Arc;

/// One of the person's roles with what it says of the table.
pub(super) struct Says<'a> {
    pub role: &'a RoleRule,
    pub said: &'a RoleTable,
    pub view: Pred,
    pub edit: Pred,
    pub insert: Pred,
}

impl PolicySet {
    /// What this person may write to a protected relation that they may view; `None` where it is not protected or
    /// they may view nothing of it.
    ///
    /// `people` are all that the directory knows: a row is handed over to one of them.
    pub fn writes(
        &self,
        who: &Principal,
        relation: &Relation,
        catalog: &Catalog,
        people: &Directory,
    ) -> Option<Writes> {
        let Some(Cover::Table(name)) = self.bound.cover(relation.oid) else {
            return None;
        };
        let Access::Guarded(view) = self.access(who, relation, catalog) else {
            return None;
        };
        let table = self.written.tables.get(name)?;
        let roles = self.roles_of(who);
        let in_words = |wording: Wording| {
            let scopes = Scopes {
                written: &self.written,
                bound: &self.bound,
                catalog,
                who,
                wording,
                closed: &self.closed,
                roles: &roles,
            };
            let few = view.by_key.as_ref().filter(|_| wording == Wording::ByKey);
            self.writes_in_words(&scopes, table, relation, few.unwrap_or(&view), people)
        };
        let mut writes = in_words(Wording::Sets);
        let by_key = in_words(Wording::ByKey);
        if by_key != writes {
            writes.by_key = Some(Arc::new(by_key));
        }
        Some(writes)
    }

    /// The same in one of its wordings.
    fn writes_in_words(
        &self,
        scopes: &Scopes<'_>,
        table: &TableRule,
        relation: &Relation,
        view: &TableView,
        people: &Directory,
    ) -> Writes {
        let says: Vec<Says<'_>> = scopes
            .says(table)
            .map(|(role, said)| Says {
                role,
                said,
                view: scopes.rows(role, table, &said.view, 0),
                edit: scopes.rows(role, table, &said.edit, 0),
                insert: scopes.rows(role, table, &said.insert, 0),
            })
            .collect();
        self.decide_writes(scopes, table, relation, view, &says, people)
    }

    fn decide_writes(
        &self,
        scopes: &Scopes<'_>,
        table: &TableRule,
        relation: &Relation,
        view: &TableView,
        says: &[Says<'_>],
        people: &Directory,
    ) -> Writes {
        let union = |pick: &dyn Fn(&Says<'_>) -> Pred| says.iter().fold(Pred::none(), |all, s| all.or(pick(s)));
        let views = union(&|s| s.view.clone());
        let edits = union(&|s| s.edit.clone());
        let deletes = union(&|s| scopes.rows(s.role, table, &s.said.delete, 0));
        let exports = union(&|s| scopes.rows(s.role, table, &s.said.export, 0));
        let clear = |column: &Column| union(&|s| self.clear_rows(scopes, table, s, column).both(&s.view));
        let mut gains: Vec<Pred> = vec![deletes.clone(), exports];
        for (column, shown) in relation.columns.iter().zip(&view.columns) {
            if !matches!(shown, ColumnView::Clear) {
                gains.push(clear(column));
            }
        }
        // what every row that may be edited has anyway is no gain
        gains.retain(|gain| !gain.is_none() && *gain != Pred::All && !edits.within(gain) && !views.within(gain));
        let reached = views.and(&edits);
        let seats: Vec<Seat> = says
            .iter()
            .filter(|s| !s.insert.is_none())
            .map(|s| Seat {
                rows: self.without_self(scopes, table, relation, s.insert.rows()),
                settable: relation
                    .columns
                    .iter()
                    .map(|c| self.settable(scopes, table, s, c, true).rows())
                    .collect(),
            })
            .collect();
        let mut predicates: Vec<String> = gains.iter().filter_map(|p| where_of(&p.rows())).collect();
        gains.sort_by_key(|p| where_of(&p.rows()));
        gains.dedup();
        predicates.extend([&reached, &view.rows].into_iter().filter_map(where_of));
        predicates.extend(seats.iter().filter_map(|s| where_of(&s.rows)));
        let deciding = Deciding::of(&predicates, relation);
        let handing = self.handing_columns(table, relation);
        let through_masks = mask_inputs(relation, view);
        let columns = relation
            .columns
            .iter()
            .zip(&view.columns)
            .map(|(column, shown)| {
                let hands = handing.iter().filter(|(by, _)| by.number == column.number);
                let mut ways = hands.map(|(_, over)| self.transfers(scopes, table, says, over, people));
                let update = if let Some(first) = ways.next() {
                    // what several columns are computed from hands over only as all of them may
                    Update::Transfer(ways.fold(first, |all, more| {
                        all.into_iter().filter(|w| more.contains(w)).collect()
                    }))
                } else if through_masks.contains(&column.name) || column.is_generated {
                    Update::On(Rows::None)
                } else {
                    let allowed = union(&|s| s.edit.both(&self.settable(scopes, table, s, column, false)));
                    let plain = matches!(shown, ColumnView::Clear) || edits.within(&clear(column));
                    if plain && edits.within(&allowed) {
                        Update::Free
                    } else {
                        Update::On(allowed.rows())
                    }
                };
                let own = print::column(&print::alias(0), &column.name);
                let same = match print::family(scopes.catalog, column.type_oid) {
                    Some(Family::Text) => Same::Text,
                    Some(_) => Same::Equal,
                    None => Same::Printed,
                };
                ColumnRight {
                    name: column.name.clone(),
                    shows: *shown != ColumnView::Hidden,
                    update,
                    default: says.iter().find_map(|s| self.default(scopes, s, column)),
                    type_sql: column.type_sql.clone(),
                    base_sql: base_sql(scopes.catalog, column),
                    decides: deciding.has(column),
                    has_default: column.has_default,
                    made: made(scopes.catalog, relation, column),
                    shown: match shown {
                        ColumnView::Masked { sql, .. } => sql.clone(),
                        ColumnView::Clear | ColumnView::Hidden => own,
                    },
                    same,
                }
            })
            .collect();
        let changes = |function: &QualifiedName| !table.harmless_triggers.iter().any(|(name, _)| name == function);
        Writes {
            table: relation.name.clone(),
            edit: reached,
            delete: views.and(&deletes),
            view: view.rows.clone(),
            columns,
            seats,
            gains: gains.iter().filter_map(|p| where_of(&p.rows())).collect(),
            references: self.references(scopes, relation),
            before_insert: family_has(scopes.catalog, relation, |r| r.before_insert.iter().any(changes)),
            // a row that goes to another partition is inserted there
            before_update: family_has(scopes.catalog, relation, |r| {
                let moves = relation.kind == RelationKind::PartitionedTable;
                let before = r.before_insert.iter().filter(|_| moves);
                r.before_update.iter().chain(before).any(changes)
            }),
            by_key: None,
        }
    }

    /// The rows on which a role shows a column in clear.
    fn clear_rows(&self, scopes: &Scopes<'_>, table: &TableRule, says: &Says<'_>, column: &Column) -> Pred {
        match says.said.column(&column.name) {
            None if self.written.defaults.columns_clear => Pred::All,
            None => Pred::none(),
            Some(rule) if rule.given || rule.show == Show::Clear => Pred::All,
            Some(rule) => scopes.rows(says.role, table, &rule.except, 0),
        }
    }

    /// The rows on which a role lets a column be set. Columns that decide scopes are judged by the insert scopes in
    /// an INSERT.
    fn settable(&self, scopes: &Scopes<'_>, table: &TableRule, says: &Says<'_>, column: &Column, insert: bool) -> Pred {
        let rule = says.said.column(&column.name);
        match rule.and_then(|r| r.edit) {
            Some(false) => Pred::none(),
            Some(true) if rule.is_some_and(|r| !matches!(r.show, Show::Hidden)) => Pred::All,
            Some(true) | None => {
                let decides = insert && rule.is_some_and(|r| r.transfer.is_some());
                if decides && rule.is_some_and(|r| r.show == Show::Clear) {
                    return Pred::All;
                }
                match rule.filter(|r| r.given && r.show != Show::Clear) {
                    // that it shows for a time is no right to write it
                    Some(rule) => scopes.rows(says.role, table, &rule.except, 0),
                    None => self.clear_rows(scopes, table, says, column),
                }
            }
        }
    }

    fn default(&self, scopes: &Scopes<'_>, says: &Says<'_>, column: &Column) -> Option<String> {
        let rule = says.said.columns.get(&column.name)?;
        let value = match rule.default.as_ref()? {
            Scope::Own => scopes.who.user_id.as_ref()?,
            Scope::Team => scopes.who.team_id.as_ref()?,
            Scope::TeamTree
            | Scope::Reports
            | Scope::Member
            | Scope::Parent
            | Scope::Delegated
            | Scope::All
            | Scope::Named(_) => return None,
        };
        let text = value.values.first()?;
        Some(format!("({}::{})", quote_literal(text), column.type_sql))
    }

    /// Nobody makes themselves a collaborator: of these rows of a relation of collaborators, those that name the
    /// person or their team are left out.
    fn without_self(&self, scopes: &Scopes<'_>, table: &TableRule, relation: &Relation, rows: Rows) -> Rows {
        let mut own = Vec::new();
        for rule in self.written.tables.values().filter_map(|t| t.members.as_ref()) {
            if rule.relation.text != table.relation.text {
                continue;
            }
            for (column, value) in [(&rule.user, &scopes.who.user_id), (&rule.team, &scopes.who.team_id)] {
                let named = column
                    .as_ref()
                    .and_then(|c| relation.column(&c.text))
                    .zip(value.as_ref());
                let condition = named.and_then(|(column, value)| {
                    let sql = print::column(&print::alias(0), &column.name);
                    let (sql, family) = print::comparable(scopes.catalog, &sql, column)?;
                    print::equals_any(&sql, &family, value)
                });
                own.extend(condition);
            }
        }
        if own.is_empty() {
            return rows;
        }
        let others = format!("({}) IS NOT TRUE", own.join(" OR "));
        match rows {
            Rows::None => Rows::None,
            Rows::All => Rows::Where(format!("({others})")),
            Rows::Where(sql) => Rows::Where(format!("({sql} AND {others})")),
        }
    }
}

fn where_of(rows: &Rows) -> Option<String> {
    match rows {
        Rows::Where(sql) => Some(sql.clone()),
        Rows::All | Rows::None => None,
    }
}

fn base_sql(catalog: &Catalog, column: &Column) -> String {
    catalog
        .types
        .get(&column.type_oid)
        .map_or_else(|| column.type_sql.clone(), |t| t.name.to_sql())
}

/// How a generated column is computed from the others.
fn made(catalog: &Catalog, relation: &Relation, column: &Column) -> Option<Made> {
    if !column.is_generated {
        return None;
    }
    let place = |number: &i16| relation.columns.iter().position(|c| c.number == *number);
    let input = |name: &str| Some(print::column(&quote_ident(MADE_ALIAS), name));
    let expression = catalog.generation_expressions.get(&(relation.oid, column.number));
    Some(Made {
        inputs: column.generated_from.iter().filter_map(place).collect(),
        sql: expression.and_then(|sql| qualify::total_expression(sql, catalog, relation, &input)),
    })
}

/// Does a relation, or one below it, have this?
fn family_has(catalog: &Catalog, relation: &Relation, has: impl Fn(&Relation) -> bool) -> bool {
    std::iter::once(relation).chain(catalog.below(relation)).any(has)
}
