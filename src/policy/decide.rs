//! The decision: what one person gets of one relation, from all their roles together.

use super::PolicySet;
use super::bound::Cover;
use super::columns::{self, Outcome, Say};
use super::decision::{Access, ColumnView, MostRows, Rows, TableView};
use super::scope::{Pred, Scopes, Wording};
use super::written::{ColumnRule, OverMaxRows, RoleRule, RoleTable, Show, TableRule};
use super::{generated, given, mask, print};
use crate::catalog::{Catalog, Column, Relation};
use crate::identity::Principal;
use std::sync::Arc;

/// One of the person's roles with the rows of the table that it shows.
pub(super) struct Seat<'a> {
    pub role: &'a RoleRule,
    pub table: &'a RoleTable,
    pub rows: Pred,
}

impl PolicySet {
    /// What this person may do with this relation, decided from their roles; partitions and inheritance
    /// children answer as their protected ancestor does.
    ///
    /// Catalogue relations (`pg_catalog`, `information_schema`) are `Open` here: which of them hold data is not
    /// the policy's question. A view that is `Open` may be named; what it reads is judged for itself.
    ///
    /// `catalog` is the one that the set was tied to: the same world's.
    pub fn access(&self, who: &Principal, relation: &Relation, catalog: &Catalog) -> Access {
        match self.bound.cover(relation.oid) {
            Some(Cover::Closed) => Access::Denied,
            Some(Cover::Table(name)) => {
                if self.bound.is_broken(name) || self.closed.contains(name) {
                    return Access::Denied;
                }
                let Some(table) = self.written.tables.get(name) else {
                    return Access::Denied;
                };
                self.memo.get_or(who, relation.oid, || {
                    self.guarded(who, table, relation, catalog)
                        .map_or(Access::Denied, |view| Access::Guarded(Arc::new(view)))
                })
            }
            None => self.unprotected(relation),
        }
    }

    /// What anybody may do with a relation that no policy is about.
    pub fn unprotected(&self, relation: &Relation) -> Access {
        let schema = relation.name.schema.as_str();
        if matches!(schema, "pg_catalog" | "information_schema") {
            return Access::Open;
        }
        if schema == mask::OWN_SCHEMA || schema == "pg_toast" {
            return Access::Denied;
        }
        let open = self.written.defaults.unprotected.names(&relation.name);
        if open { Access::Open } else { Access::Denied }
    }

    /// May a relation that no policy protects be written, as far as the database lets rowgate's own role?
    pub fn writes_unprotected(&self, relation: &Relation) -> bool {
        self.bound.cover(relation.oid).is_none()
            && self.unprotected(relation) == Access::Open
            && !matches!(
                relation.name.schema.as_str(),
                "pg_catalog" | "information_schema" | mask::OWN_SCHEMA
            )
            && self.written.defaults.unprotected_writes.names(&relation.name)
    }

    fn guarded(&self, who: &Principal, table: &TableRule, relation: &Relation, catalog: &Catalog) -> Option<TableView> {
        let roles = self.roles_of(who);
        let scopes = |wording| Scopes {
            written: &self.written,
            bound: &self.bound,
            catalog,
            who,
            wording,
            closed: &self.closed,
            roles: &roles,
        };
        let mut view = self.view_of(&scopes(Wording::Sets), table, relation)?;
        let by_key = self.view_of(&scopes(Wording::ByKey), table, relation)?;
        // verification tells the wordings apart by their rows
        if by_key.rows != view.rows {
            view.by_key = Some(Arc::new(by_key));
            let most = scopes(Wording::Sets).most_row_by_row(table, relation);
            if most > 0 {
                let words = self.view_of(&scopes(Wording::RowByRow), table, relation)?;
                view.row_by_row = Some((Arc::new(words), most));
            }
        }
        Some(view)
    }

    fn view_of(&self, scopes: &Scopes<'_>, table: &TableRule, relation: &Relation) -> Option<TableView> {
        let seats: Vec<Seat<'_>> = scopes
            .says(table)
            .filter(|(_, said)| !said.view.is_empty())
            .map(|(role, said)| Seat {
                role,
                table: said,
                rows: scopes.rows(role, table, &said.view, 0),
            })
            .collect();
        if seats.is_empty() {
            return None;
        }
        let union = |pick: fn(&RoleTable) -> &Vec<super::written::ScopeWord>| {
            scopes.says(table).fold(Pred::none(), |all, (role, said)| {
                all.or(scopes.rows(role, table, pick(said), 0))
            })
        };
        let rows = seats.iter().fold(Pred::none(), |all, seat| all.or(seat.rows.clone()));
        let edit = union(|said| &said.edit);
        let export = union(|said| &said.export);
        let mut because: Vec<String> = seats.iter().map(why_rows).collect();
        because.extend(given::because(scopes.who, &table.name.text));
        let mut columns = self.columns(scopes, &seats, table, relation, &mut because);
        let shown = rows.rows();
        for (column, view) in relation.columns.iter().zip(&mut columns) {
            generated::keep_to_rows(column, &shown, view);
        }
        let max_rows = seats
            .iter()
            .filter(|seat| rows.is_none() || !seat.rows.is_none())
            .map(|seat| Some((seat.table.max_rows?, seat.table.over_max_rows == OverMaxRows::Refuse)))
            .reduce(|a, b| {
                let (a, b) = (a?, b?);
                Some((a.0.max(b.0), a.1 && b.1))
            })
            .flatten()
            .map(|(rows, refuses)| MostRows {
                table: table.name.text.clone(),
                rows,
                refuses,
            });
        Some(TableView {
            relation: relation.oid,
            lockable: rows.and(&edit),
            export: !rows.is_none() && rows.within(&export),
            max_rows,
            rows: shown,
            columns,
            because,
            by_key: None,
            row_by_row: None,
        })
    }

    fn columns(
        &self,
        scopes: &Scopes<'_>,
        seats: &[Seat<'_>],
        table: &TableRule,
        relation: &Relation,
        because: &mut Vec<String>,
    ) -> Vec<ColumnView> {
        let alias = print::alias(0);
        let mut views: Vec<Option<ColumnView>> = relation
            .columns
            .iter()
            .map(|column| {
                (!column.is_generated).then(|| {
                    let says: Vec<(&Pred, Say)> = seats
                        .iter()
                        .map(|seat| (&seat.rows, self.say(scopes, seat, table, column)))
                        .collect();
                    columns::unite(&says, column, &print::column(&alias, &column.name))
                })
            })
            .collect();
        for at in 0..relation.columns.len() {
            let Some(column) = relation.columns.get(at).filter(|c| c.is_generated) else {
                continue;
            };
            let inherited = generated::outcome(scopes.catalog, relation, column, &views);
            let says: Vec<(&Pred, Say)> = seats
                .iter()
                .map(|seat| {
                    let say = generated::say(self, seat, relation, column, &inherited, || {
                        self.say(scopes, seat, table, column)
                    });
                    (&seat.rows, say)
                })
                .collect();
            let view = columns::unite(&says, column, &print::column(&alias, &column.name));
            if let Some(slot) = views.get_mut(at) {
                *slot = Some(view);
            }
        }
        let views: Vec<ColumnView> = views.into_iter().map(|v| v.unwrap_or(ColumnView::Hidden)).collect();
        for (column, view) in relation.columns.iter().zip(&views) {
            match view {
                ColumnView::Clear => {}
                ColumnView::Masked { mask, search, .. } => {
                    let searchable = if search.is_some() {
                        ", an exact match uses the value itself"
                    } else {
                        ""
                    };
                    because.push(format!(
                        "column {}: {mask}{}{searchable}",
                        column.name,
                        exceptions(seats, column)
                    ))
                }
                ColumnView::Hidden => because.push(format!("column {}: hidden", column.name)),
            }
        }
        views
    }

    /// What a role's rule says of a column that is not computed from others.
    fn say(&self, scopes: &Scopes<'_>, seat: &Seat<'_>, table: &TableRule, column: &Column) -> Say {
        let Some(rule) = self.rule(seat, column) else {
            return if self.written.defaults.columns_clear {
                Say::Shows {
                    outcome: Outcome::Clear,
                    except: Pred::none(),
                }
            } else {
                Say::Hidden
            };
        };
        let outcome = match &rule.show {
            _ if rule.given => Outcome::Clear,
            Show::Clear => Outcome::Clear,
            Show::Hidden if rule.except.is_empty() => return Say::Hidden,
            Show::Hidden => Outcome::Null,
            Show::Mask(mask_rule) => {
                let expression = self
                    .bound
                    .expression(&seat.role.name, &table.name.text, &rule.name.text)
                    .and_then(|template| template.render(&print::alias(0), scopes.who));
                let constant = self.bound.constant(&seat.role.name, &table.name.text, &column.name);
                let given = mask::Given { expression, constant };
                match mask::sql(mask_rule, column, &print::alias(0), scopes.catalog, given) {
                    Ok(sql) => Outcome::Masked {
                        sql,
                        word: mask_rule.word().to_owned(),
                        searchable: rule.searchable,
                    },
                    Err(_) => Outcome::Null,
                }
            }
        };
        Say::Shows {
            outcome,
            except: scopes.rows(seat.role, table, &rule.except, 0),
        }
    }

    /// The rule for a column: its own, or that of `*`.
    pub(super) fn rule<'s>(&self, seat: &'s Seat<'_>, column: &Column) -> Option<&'s ColumnRule> {
        seat.table.column(&column.name)
    }
}

fn why_rows(seat: &Seat<'_>) -> String {
    let words: Vec<String> = seat.table.view.iter().map(super::written::ScopeWord::written).collect();
    let note = match seat.rows.rows() {
        Rows::None => " (no row for this person)",
        Rows::All => " (every row)",
        Rows::Where(_) => "",
    };
    format!("role {}: view = {}{note}", seat.role.name, words.join(", "))
}

fn exceptions(seats: &[Seat<'_>], column: &Column) -> String {
    let mut words = Vec::new();
    for rule in seats.iter().filter_map(|s| s.table.columns.get(&column.name)) {
        words.extend(rule.except.iter().map(super::written::ScopeWord::written));
    }
    if words.is_empty() {
        String::new()
    } else {
        format!(", in clear on {}", words.join(", "))
    }
}
