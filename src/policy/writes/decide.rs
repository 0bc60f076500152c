//! What a person may write, decided from all their roles together.

use super::{ColumnRight, Reference, Same, Seat, Update, Writes};
use crate::catalog::{Catalog, Column, ForeignKey, Oid, Relation};
use crate::identity::directory::Directory;
use crate::identity::{Attribute, Principal};
use crate::name::quote_literal;
use crate::policy::PolicySet;
use crate::policy::bound::Cover;
use crate::policy::decision::{Access, ColumnView, ROW_ALIAS, Rows, TableView};
use crate::policy::print::{self, Family};
use crate::policy::scope::{Pred, Scopes};
use crate::policy::written::{ColumnRule, RoleRule, RoleTable, Scope, ScopeWord, Show, TableRule};
use crate::sql::census::census;
use crate::sql::raise::Raise;
use std::collections::BTreeSet;

/// One of the person's roles with what it says of the table.
struct Says<'a> {
    role: &'a RoleRule,
    said: &'a RoleTable,
    view: Pred,
    edit: Pred,
    insert: Pred,
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
        let scopes = Scopes {
            written: &self.written,
            bound: &self.bound,
            catalog,
            who,
            by_key: false,
        };
        let says: Vec<Says<'_>> = who
            .roles
            .iter()
            .filter_map(|name| self.written.roles.get(name))
            .filter_map(|role| Some((role, role.tables.get(&table.name.text)?)))
            .map(|(role, said)| Says {
                role,
                said,
                view: scopes.rows(role, table, &said.view, 0),
                edit: scopes.rows(role, table, &said.edit, 0),
                insert: scopes.rows(role, table, &said.insert, 0),
            })
            .collect();
        Some(self.decide_writes(&scopes, table, relation, &view, &says, people))
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
        let reached = both_rows(&views, &edits);
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
        let transfers = transfer_columns(self, table);
        let through_masks = mask_inputs(relation, view);
        let columns = relation
            .columns
            .iter()
            .zip(&view.columns)
            .map(|(column, shown)| {
                let update = if transfers.contains(&column.name) {
                    Update::Transfer(self.transfers(scopes, table, says, column, people))
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
                    shown: match shown {
                        ColumnView::Masked { sql, .. } => sql.clone(),
                        ColumnView::Clear | ColumnView::Hidden => own,
                    },
                    same,
                }
            })
            .collect();
        Writes {
            table: relation.name.clone(),
            edit: reached,
            delete: both_rows(&views, &deletes),
            view: view.rows.clone(),
            columns,
            seats,
            gains: gains.iter().filter_map(|p| where_of(&p.rows())).collect(),
            references: self.references(scopes, relation),
            before_insert: family_has(scopes.catalog, relation, |r| r.before_insert),
            before_update: family_has(scopes.catalog, relation, |r| r.before_update),
        }
    }

    fn column_rule<'s>(&self, says: &'s Says<'_>, column: &Column) -> Option<&'s ColumnRule> {
        says.said
            .columns
            .get(&column.name)
            .or_else(|| says.said.columns.get("*"))
    }

    /// The rows on which a role shows a column in clear.
    fn clear_rows(&self, scopes: &Scopes<'_>, table: &TableRule, says: &Says<'_>, column: &Column) -> Pred {
        match self.column_rule(says, column) {
            None if self.written.defaults.columns_clear => Pred::All,
            None => Pred::none(),
            Some(rule) if rule.show == Show::Clear => Pred::All,
            Some(rule) => scopes.rows(says.role, table, &rule.except, 0),
        }
    }

    /// The rows on which a role lets a column be set. Columns that decide scopes are judged by the insert scopes in
    /// an INSERT.
    fn settable(&self, scopes: &Scopes<'_>, table: &TableRule, says: &Says<'_>, column: &Column, insert: bool) -> Pred {
        let rule = self.column_rule(says, column);
        match rule.and_then(|r| r.edit) {
            Some(false) => Pred::none(),
            Some(true) if rule.is_some_and(|r| !matches!(r.show, Show::Hidden)) => Pred::All,
            Some(true) | None => {
                let decides = insert && rule.is_some_and(|r| r.transfer.is_some());
                if decides && rule.is_some_and(|r| r.show == Show::Clear) {
                    return Pred::All;
                }
                self.clear_rows(scopes, table, says, column)
            }
        }
    }

    /// From which rows to which rows a column may hand a row over, role by role.
    fn transfers(
        &self,
        scopes: &Scopes<'_>,
        table: &TableRule,
        says: &[Says<'_>],
        column: &Column,
        people: &Directory,
    ) -> Vec<(Rows, Rows)> {
        let mut ways = Vec::new();
        for s in says {
            let words = self.column_rule(s, column).and_then(|r| r.transfer.as_ref());
            let to = words.into_iter().flatten().fold(Pred::none(), |all, word| {
                all.or(handed_to(scopes, s.role, table, column, word, people))
            });
            if !to.is_none() && !s.edit.is_none() {
                ways.push((s.edit.rows(), to.rows()));
            }
        }
        ways
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

    /// The foreign keys of a relation to rows of which the person does not see all.
    fn references(&self, scopes: &Scopes<'_>, relation: &Relation) -> Vec<Reference> {
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
            Access::Guarded(view) => match &view.rows {
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
        for (mine, theirs) in key.columns.iter().zip(&key.target_columns) {
            let mine = relation.column_by_number(*mine)?;
            let theirs = target.column_by_number(*theirs)?;
            let own = print::column(&row, &mine.name);
            let (mine, _) = print::comparable(scopes.catalog, &own, mine)?;
            let (theirs, _) = print::comparable(scopes.catalog, &print::column(seen, &theirs.name), theirs)?;
            present.push(format!("{own} IS NOT NULL"));
            same.push(format!("({theirs} OPERATOR(pg_catalog.=) {mine})"));
        }
        // the condition is over the row's own alias, so the target is looked at under it, one level further in
        let visible = format!(
            "EXISTS (SELECT FROM {} AS {seen} WHERE {} AND EXISTS (SELECT FROM (SELECT {seen}.*) AS {row} WHERE ({condition})))",
            target.name.to_sql(),
            same.join(" AND ")
        );
        Some(Reference {
            columns,
            dangling: format!("({} AND NOT {visible})", present.join(" AND ")),
            raise: Raise::Reference {
                table: relation.name.clone(),
                constraint: key.name.clone(),
            },
        })
    }
}

/// The rows whose column names somebody whom a word of `transfer` means: of the owner column a person, of the team
/// column a team, of the column of a parent a row there.
fn handed_to(
    scopes: &Scopes<'_>,
    role: &RoleRule,
    table: &TableRule,
    column: &Column,
    word: &ScopeWord,
    people: &Directory,
) -> Pred {
    let who = scopes.who;
    let is = |named: &Option<crate::policy::file::Word>| named.as_ref().is_some_and(|w| w.text == column.name);
    let value = print::column(&print::alias(0), &column.name);
    let equals = |values: Option<&Attribute>| {
        let condition = values.and_then(|values| {
            let (sql, family) = print::comparable(scopes.catalog, &value, column)?;
            print::equals_any(&sql, &family, values)
        });
        condition.map_or_else(Pred::none, |c| Pred::one(Some(c)))
    };
    let (of_owner, of_team) = (is(&table.owner), is(&table.team));
    let of_parent = table
        .parent
        .as_ref()
        .is_some_and(|p| p.column.iter().any(|w| w.text == column.name));
    match &word.scope {
        _ if word.up > 0 => scopes.rows(role, table, std::slice::from_ref(word), 0),
        Scope::All => Pred::All,
        Scope::Own if of_owner => equals(who.user_id.as_ref()),
        Scope::Reports if of_owner => equals(who.reports.as_ref()),
        Scope::Team if of_owner => equals(colleagues(people, who, who.team_id.as_ref()).as_ref()),
        Scope::TeamTree if of_owner => equals(colleagues(people, who, who.team_tree.as_ref()).as_ref()),
        Scope::Team if of_team => equals(who.team_id.as_ref()),
        Scope::TeamTree if of_team => equals(who.team_tree.as_ref()),
        Scope::Own | Scope::Team | Scope::TeamTree | Scope::Reports | Scope::Member if of_parent => {
            let above = ScopeWord { up: 1, ..word.clone() };
            scopes.rows(role, table, std::slice::from_ref(&above), 0)
        }
        Scope::Own | Scope::Team | Scope::TeamTree | Scope::Reports => Pred::none(),
        Scope::Member | Scope::Parent | Scope::Delegated | Scope::Named(_) => {
            scopes.rows(role, table, std::slice::from_ref(word), 0)
        }
    }
}

/// The others whose team is one of these.
fn colleagues(people: &Directory, who: &Principal, teams: Option<&Attribute>) -> Option<Attribute> {
    let teams: BTreeSet<&str> = teams?.values.iter().map(String::as_str).collect();
    let own = who.user_id.as_ref()?;
    let in_team = |p: &&std::sync::Arc<Principal>| {
        let team = p.team_id.as_ref().and_then(|t| t.values.first());
        p.login != who.login && team.is_some_and(|t| teams.contains(t.as_str()))
    };
    let ids = people
        .people()
        .filter(in_team)
        .filter_map(|p| p.user_id.as_ref()?.values.first());
    Some(Attribute {
        type_sql: own.type_sql.clone(),
        values: ids.collect::<BTreeSet<_>>().into_iter().cloned().collect(),
        is_list: true,
    })
}

fn where_of(rows: &Rows) -> Option<String> {
    match rows {
        Rows::Where(sql) => Some(sql.clone()),
        Rows::All | Rows::None => None,
    }
}

/// The rows of both, printed as the decision for reading prints them.
fn both_rows(a: &Pred, b: &Pred) -> Rows {
    a.and(b)
}

/// The columns that a row's owner, team, parent or key are: handing over is a right of its own.
fn transfer_columns(set: &PolicySet, table: &TableRule) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    let text = |w: &crate::policy::file::Word| w.text.clone();
    names.extend(table.owner.iter().map(text));
    names.extend(table.team.iter().map(text));
    names.extend(table.parent.iter().flat_map(|p| p.column.iter().map(text)));
    let is_parent = set
        .written
        .tables
        .values()
        .any(|t| t.parent.as_ref().is_some_and(|p| p.table.text == table.name.text));
    if table.members.is_some() || is_parent {
        names.extend(table.key.iter().map(text));
    }
    for other in set.written.tables.values() {
        if let Some(members) = other
            .members
            .as_ref()
            .filter(|m| m.relation.text == table.relation.text)
        {
            names.extend(members.row.iter().chain(&members.user).chain(&members.team).map(text));
        }
    }
    names
}

/// Columns that the masks of other columns look at: to change them would change what shows.
fn mask_inputs(relation: &Relation, view: &TableView) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (column, shown) in relation.columns.iter().zip(&view.columns) {
        if let ColumnView::Masked { sql, mask, .. } = shown
            && mask.split('|').any(|word| word == "sql")
        {
            names.extend(row_columns(sql).unwrap_or_else(|| relation.columns.iter().map(|c| c.name.clone()).collect()));
            names.remove(&column.name);
        }
    }
    names
}

/// The columns of the row that an expression names; `None` where it names the whole row or cannot be read.
fn row_columns(sql: &str) -> Option<BTreeSet<String>> {
    let tree = pg_query::parse(&format!("SELECT ({sql})"), pg_query::ParserOptions::DEFAULT).ok()?;
    let mut names = BTreeSet::new();
    for column in census(&tree.protobuf).columns {
        if column.parts.first().is_some_and(|p| p == ROW_ALIAS) {
            match column.parts.as_slice() {
                [_, name] if name != "*" => names.insert(name.clone()),
                _ => return None,
            };
        }
    }
    Some(names)
}

/// Which columns the conditions on a row look at.
struct Deciding {
    names: Option<BTreeSet<String>>,
}

impl Deciding {
    fn of(predicates: &[String], relation: &Relation) -> Self {
        let mut names = BTreeSet::new();
        for sql in predicates {
            let Some(found) = row_columns(sql) else {
                return Self { names: None };
            };
            names.extend(found);
        }
        for column in relation.columns.iter().filter(|c| c.is_generated) {
            if names.contains(&column.name) {
                let inputs = column
                    .generated_from
                    .iter()
                    .filter_map(|n| relation.column_by_number(*n));
                let inputs: Vec<String> = inputs.map(|c| c.name.clone()).collect();
                names.extend(inputs);
            }
        }
        Self { names: Some(names) }
    }

    fn has(&self, column: &Column) -> bool {
        self.names.as_ref().is_none_or(|names| names.contains(&column.name))
    }
}

fn base_sql(catalog: &Catalog, column: &Column) -> String {
    catalog
        .types
        .get(&column.type_oid)
        .map_or_else(|| column.type_sql.clone(), |t| t.name.to_sql())
}

/// Does a relation, or one below it, have this?
fn family_has(catalog: &Catalog, relation: &Relation, has: fn(&Relation) -> bool) -> bool {
    let mut open: Vec<Oid> = relation.children.clone();
    let mut seen: BTreeSet<Oid> = BTreeSet::new();
    let mut found = has(relation);
    while let Some(oid) = open.pop() {
        if seen.insert(oid)
            && let Some(child) = catalog.relations.get(&oid)
        {
            found |= has(child);
            open.extend(&child.children);
        }
    }
    found
}
