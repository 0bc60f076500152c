//! MERGE: rows that do not show are not matched, rows that may not be written fail, and what is proposed is checked,
//! since nothing returns it before PostgreSQL 17.

use super::assign;
use super::target::{Doing, Target};
use super::{Place, Wrote};
use crate::gate::Returned;
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
        if place == Place::Cte || merge.returning_clause.is_some() {
            return Err(unsupported("MERGE with RETURNING or in WITH"));
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
            self.when(clause, when, &target, &joined, &source)?;
        }
        Ok(Wrote {
            columns: Vec::new(),
            returned: Returned::AsIs,
            temp: target.temp,
            check: None,
        })
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
        joined: &Scope<'_>,
        source: &Scope<'_>,
    ) -> Result<(), Refusal> {
        let scope = match clause.match_kind() {
            MergeMatchKind::MergeWhenMatched => joined,
            MergeMatchKind::MergeWhenNotMatchedByTarget => source,
            MergeMatchKind::MergeWhenNotMatchedBySource => {
                return Err(unsupported("WHEN NOT MATCHED BY SOURCE"));
            }
            MergeMatchKind::Undefined => return Err(lost()),
        };
        if let Some(condition) = clause.condition.as_deref() {
            self.stored_value(condition, scope, "MERGE WHEN conditions")?;
        }
        let relation = target.relation.name.name.clone();
        match clause.command_type() {
            CmdType::CmdNothing => Ok(()),
            CmdType::CmdUpdate => {
                let list = assign::read(&clause.target_list)?;
                let set = self.assign(&list, target, joined, true)?;
                let Some(writes) = target.writes() else { return Ok(()) };
                if writes.edit == Rows::None {
                    return Err(self.denied_to(&target.relation, Doing::Update));
                }
                if writes.changes_before() && writes.update_check(&set).is_some() {
                    return Err(changed_before(&relation));
                }
                let allowed = may_write(&writes.edit, &relation);
                self.when_only(clause, when, allowed)
            }
            CmdType::CmdDelete => {
                let Some(writes) = target.writes() else { return Ok(()) };
                if writes.delete == Rows::None {
                    return Err(self.denied_to(&target.relation, Doing::Delete));
                }
                let allowed = may_write(&writes.delete, &relation);
                self.when_only(clause, when, allowed)
            }
            CmdType::CmdInsert => {
                let allowed = self.proposed(clause, when, target, source)?;
                self.when_only(clause, when, allowed)
            }
            CmdType::Undefined | CmdType::CmdUnknown | CmdType::CmdSelect | CmdType::CmdMerge | CmdType::CmdUtility => {
                Err(lost())
            }
        }
    }

    /// Adds a condition to a WHEN, to be evaluated behind the client's own; it holds or raises.
    fn when_only(&mut self, clause: &MergeWhenClause, when: usize, allowed: Option<String>) -> Result<(), Refusal> {
        let Some(allowed) = allowed else { return Ok(()) };
        let tokens = self.tokens()?;
        let end = tokens.statement_end(when)?;
        let then = tokens.top_level(when, end, Token::Then).ok_or_else(lost)?;
        let last = tokens.bytes(when..then).ok_or_else(lost)?.end;
        if clause.condition.is_none() {
            return self.write_at(last, format!("AND {allowed}"), SpliceKind::Filter);
        }
        let and = tokens.top_level(when, then, Token::And).ok_or_else(lost)?;
        let word = tokens.bytes(and..and + 1).ok_or_else(lost)?;
        self.unit_mut()?
            .splices
            .replace(word, "AND CASE WHEN (".to_owned(), SpliceKind::Filter);
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
