//! Handing rows over: which columns do it, and to whom a person may.

use super::decide::Says;
use crate::catalog::{Column, Relation};
use crate::identity::directory::Directory;
use crate::identity::{Attribute, Principal};
use crate::policy::PolicySet;
use crate::policy::decision::Rows;
use crate::policy::print;
use crate::policy::scope::{Pred, Scopes};
use crate::policy::written::{RoleRule, Scope, ScopeWord, TableRule};
use std::collections::BTreeSet;

impl PolicySet {
    /// The columns whose change hands a row over, each with the one that says to whom: itself, or one that is computed from it.
    pub(super) fn handing_columns<'r>(
        &self,
        table: &TableRule,
        relation: &'r Relation,
    ) -> Vec<(&'r Column, &'r Column)> {
        let names = transfer_columns(self, table);
        let over = relation.columns.iter().filter(|c| names.contains(&c.name));
        over.flat_map(|over| {
            let inputs = over.generated_from.iter().filter_map(|n| relation.column_by_number(*n));
            inputs.chain(std::iter::once(over)).map(move |by| (by, over))
        })
        .collect()
    }

    /// From which rows to which rows a column may hand a row over, role by role.
    pub(super) fn transfers(
        &self,
        scopes: &Scopes<'_>,
        table: &TableRule,
        says: &[Says<'_>],
        column: &Column,
        people: &Directory,
    ) -> Vec<(Rows, Rows)> {
        let mut ways = Vec::new();
        for s in says {
            let words = s.said.column(&column.name).and_then(|r| r.transfer.as_ref());
            let to = words.into_iter().flatten().fold(Pred::none(), |all, word| {
                all.or(handed_to(scopes, s.role, table, column, word, people))
            });
            if !to.is_none() && !s.edit.is_none() {
                ways.push((s.edit.rows(), to.rows()));
            }
        }
        ways
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
        .listed()
        .filter(|p| !people.is_suspended(&p.login))
        .filter(in_team)
        .filter_map(|p| p.user_id.as_ref()?.values.first());
    Some(Attribute {
        type_sql: own.type_sql.clone(),
        values: ids.collect::<BTreeSet<_>>().into_iter().cloned().collect(),
        is_list: true,
    })
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
