//! MERGE: rows that do not show are neither matched nor missed, rows that may not be written fail, and what is proposed is
//! checked, since nothing returns it before PostgreSQL 17.

use super::assign;
use super::target::{Doing, Target};
use super::{Place, Wrote};
use crate::policy::Rows;
use crate::refusal::Refusal;
use crate::sql::raise::Raise;
use crate::sql::resolve::scope::Scope;
use crate::sql::resolve::{Analysis, Clause, lost, unsupported};
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::NodeEnum;
use pg_query::protobuf::{CmdType, MergeMatchKind, MergeStmt, MergeWhenClause, Token};
use std::collections::BTreeSet;
use std::rc::Rc;

impl Analysis<'_> {
    /// Reads MERGE.
    pub(super) fn merge(
        &mut self,
        merge: &MergeStmt,
        parent: Option<&Scope<'_>>,
        place: Place,
    ) -> Result<Wrote, Refusal> {
        // before that PostgreSQL knows none, as it knows no RETURNING and no rows that the source does not match
        if place == Place::Cte && self.world.catalog.server_version < 170_000 {
            return Err(unsupported("MERGE in WITH"));
        }
        let var = merge.relation.as_ref().ok_or_else(lost)?;
        let mut source = Scope::inside(parent);
        if let Some(with) = &merge.with_clause {
            self.with_clause(with, &mut source)?;
        }
        let target = self.write_target(var, Doing::Merge, |relation, view, writes| {
            let all: BTreeSet<usize> = (0..relation.columns.len()).collect();
            !view.hides_rows()
                && view.all_columns_clear()
                && writes.edit == Rows::All
                && writes.delete == Rows::All
                && writes.assigns_freely(&all)
                && writes.update_check(&all).is_none()
                && writes.insert_check(&all, false).is_none()
                && writes.unsettable(&all).is_none()
                && writes.columns.iter().all(|c| c.default.is_none())
        })?;
        let from = merge.source_relation.as_deref().ok_or_else(lost)?;
        self.from_clause(std::slice::from_ref(from), &mut source)?;
        let joined = Scope {
            items: std::iter::once(&target.item)
                .chain(&source.items)
                .map(Rc::clone)
                .collect(),
            ctes: source.ctes.clone(),
            parent,
            ..Scope::default()
        };
        let own = Scope {
            items: vec![Rc::clone(&target.item)],
            ctes: source.ctes.clone(),
            parent,
            ..Scope::default()
        };
        let condition = merge.join_condition.as_deref().ok_or_else(lost)?;
        self.condition(condition, &joined, Clause::On)?;
        self.matched_rows(&target)?;
        let mut at = target.first;
        for node in &merge.merge_when_clauses {
            let Some(NodeEnum::MergeWhenClause(clause)) = node.node.as_ref() else {
                return Err(lost());
            };
            let tokens = self.tokens()?;
            let when = tokens
                .top_level(at, tokens.statement_end(target.first)?, Token::When)
                .ok_or_else(lost)?;
            at = when + 1;
            let rows = match clause.match_kind() {
                MergeMatchKind::MergeWhenMatched => &joined,
                MergeMatchKind::MergeWhenNotMatchedByTarget => &source,
                MergeMatchKind::MergeWhenNotMatchedBySource => &own,
                MergeMatchKind::Undefined => return Err(lost()),
            };
            let returns = merge.returning_clause.is_some();
            self.when(clause, when, &target, rows, returns)?;
        }
        // its star is the source's columns and then the target's
        let returned = Scope {
            items: source.items.iter().chain([&target.item]).map(Rc::clone).collect(),
            ctes: source.ctes.clone(),
            parent,
            ..Scope::default()
        };
        self.returning(merge.returning_clause.as_ref(), &target, &returned, None, place)
    }

    /// Rows that the person does not view are not matched.
    fn matched_rows(&mut self, target: &Target) -> Result<(), Refusal> {
        let view = match target.writes().map(|w| &w.view) {
            None | Some(Rows::All) => return Ok(()),
            Some(Rows::None) => "FALSE".to_owned(),
            Some(Rows::Where(sql)) => sql.clone(),
        };
        let tokens = self.tokens()?;
        let end = tokens.statement_end(target.first)?;
        let when = tokens.top_level(target.first, end, Token::When).ok_or_else(lost)?;
        let mut on = tokens.top_level(target.first, when, Token::On).ok_or_else(lost)?;
        while let Some(next) = tokens.top_level(on + 1, when, Token::On) {
            on = next;
        }
        let word = tokens.bytes(on..on + 1).ok_or_else(lost)?;
        let last = tokens.bytes(on..when).ok_or_else(lost)?.end;
        self.unit_mut()?
            .splices
            .replace(word, format!("ON ({view}) AND ("), SpliceKind::Filter);
        self.write_at(last, ")".to_owned(), SpliceKind::Filter)
    }

    fn when(
        &mut self,
        clause: &MergeWhenClause,
        when: usize,
        target: &Target,
        scope: &Scope<'_>,
        returns: bool,
    ) -> Result<(), Refusal> {
        if let Some(condition) = clause.condition.as_deref() {
            self.stored_value(condition, scope, "MERGE WHEN conditions")?;
        }
        let relation = target.relation.name.name.clone();
        let allowed = match clause.command_type() {
            CmdType::CmdNothing if clause.condition.is_none() => return Ok(()),
            CmdType::CmdNothing => None,
            CmdType::CmdUpdate => {
                let list = assign::read(&clause.target_list)?;
                let set = self.assign(&list, target, scope, true)?;
                let Some(writes) = target.writes() else { return Ok(()) };
                if writes.edit == Rows::None {
                    return Err(self.denied_to(&target.relation, Doing::Update));
                }
                if writes.changes_before() && writes.update_check(&set).is_some() {
                    return Err(changed_before(&relation));
                }
                may_write(&writes.edit, &relation)
            }
            CmdType::CmdDelete => {
                let Some(writes) = target.writes() else { return Ok(()) };
                if writes.delete == Rows::None {
                    return Err(self.denied_to(&target.relation, Doing::Delete));
                }
                may_write(&writes.delete, &relation)
            }
            CmdType::CmdInsert => self.proposed(clause, when, target, scope, returns)?,
            CmdType::Undefined | CmdType::CmdUnknown | CmdType::CmdSelect | CmdType::CmdMerge | CmdType::CmdUtility => {
                return Err(lost());
            }
        };
        // rows that do not show are not matched, and must not be found for that
        let shows = match (clause.match_kind(), target.writes().map(|w| &w.view)) {
            (MergeMatchKind::MergeWhenNotMatchedBySource, Some(Rows::Where(sql))) => Some(sql.clone()),
            (MergeMatchKind::MergeWhenNotMatchedBySource, Some(Rows::None)) => Some("FALSE".to_owned()),
            (_, _) => None,
        };
        self.when_only(clause, when, shows, allowed)
    }

    /// Adds conditions to a WHEN: the rows that show are looked at before the client's own, and what holds or raises
    /// behind it.
    fn when_only(
        &mut self,
        clause: &MergeWhenClause,
        when: usize,
        shows: Option<String>,
        allowed: Option<String>,
    ) -> Result<(), Refusal> {
        if shows.is_none() && allowed.is_none() {
            return Ok(());
        }
        let hidden = shows.map(|rows| format!("WHEN ({rows}) IS NOT TRUE THEN FALSE "));
        let allowed = allowed.unwrap_or_else(|| "TRUE".to_owned());
        let tokens = self.tokens()?;
        let end = tokens.statement_end(when)?;
        let then = tokens.top_level(when, end, Token::Then).ok_or_else(lost)?;
        let last = tokens.bytes(when..then).ok_or_else(lost)?.end;
        if clause.condition.is_none() {
            let text = match hidden {
                Some(hidden) => format!("AND CASE {hidden}ELSE {allowed} END"),
                None => format!("AND {allowed}"),
            };
            return self.write_at(last, text, SpliceKind::Filter);
        }
        let and = tokens.top_level(when, then, Token::And).ok_or_else(lost)?;
        let word = tokens.bytes(and..and + 1).ok_or_else(lost)?;
        let opening = format!("AND CASE {}WHEN (", hidden.unwrap_or_default());
        self.unit_mut()?.splices.replace(word, opening, SpliceKind::Filter);
        self.write_at(last, format!(") THEN {allowed} ELSE FALSE END"), SpliceKind::Filter)
    }
}

/// True on rows that may be written; on others it raises.
fn may_write(rows: &Rows, table: &str) -> Option<String> {
    let raise = Raise::Target {
        table: table.to_owned(),
    };
    match rows {
        Rows::All => None,
        Rows::None => Some(format!("({})::pg_catalog.bool", raise.sql())),
        Rows::Where(sql) => Some(format!(
            "CASE WHEN ({sql}) IS NOT TRUE THEN ({})::pg_catalog.bool ELSE TRUE END",
            raise.sql()
        )),
    }
}

pub(super) fn changed_before(table: &str) -> Refusal {
    unsupported("MERGE into a table whose triggers change rows before they are stored")
        .detail(format!(
            "Table {table}: what is proposed says nothing of the row that would be stored."
        ))
        .hint("Use INSERT and UPDATE.")
}
