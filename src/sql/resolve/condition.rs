//! Conditions (WHERE, ON, HAVING): each conjunct is safe, or it goes under an evaluation guard.

use super::facts::{Facts, Reach};
use super::scope::{GuardId, Item, Scope, Source};
use super::{Analysis, GuardSource, lost};
use crate::policy::Rows;
use crate::refusal::Refusal;
use crate::sql::census::extent;
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::NodeEnum;
use pg_query::protobuf::{BoolExprType, Node, Token};
use std::collections::BTreeSet;
use std::ops::Range;
use std::rc::Rc;

/// Which condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clause {
    /// WHERE
    Where,
    /// JOIN … ON
    On,
    /// FULL JOIN … ON
    FullOn,
    /// HAVING
    Having,
}

impl Clause {
    fn keyword(self) -> Token {
        match self {
            Self::Where => Token::Where,
            Self::On | Self::FullOn => Token::On,
            Self::Having => Token::Having,
        }
    }
}

/// The name of a guard's column that says whether a row is in scope.
pub fn flag_column(id: GuardId) -> String {
    format!("\"rowgate:ok:{id}\"")
}

/// What closes it, around a condition or where the type has no modifier.
const GUARD_CLOSING: &str = ") END";

/// What closes it around a value, which keeps its type's modifier.
pub fn guard_closing(facts: &Facts) -> String {
    match facts.ty.and_then(|ty| super::types::with_modifier(ty, facts.typmod)) {
        Some(ty) => format!(") ELSE NULL::{ty} END"),
        None => GUARD_CLOSING.to_owned(),
    }
}

/// What keeps a HAVING condition after the aggregation: PostgreSQL moves only conditions without aggregates.
const HAVING_OPENING: &str = "CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.>=) 0 THEN (";

impl Analysis<'_> {
    /// Reads a condition and guards those of its conjuncts that could tell of hidden rows.
    pub fn condition(&mut self, node: &Node, scope: &Scope<'_>, clause: Clause) -> Result<Facts, Refusal> {
        let mut terms = Vec::new();
        flatten(node, &mut terms);
        let mut read = Vec::with_capacity(terms.len());
        let mut whole = Facts::of(Some(super::oid::BOOL));
        for term in terms {
            let mut facts = self.expression(term, scope)?;
            self.note_key(term, scope);
            if facts.total && matches!(clause, Clause::Where | Clause::On) {
                self.exact_match(term, scope)?;
            }
            self.note(&facts);
            if clause == Clause::Where && matches!(term.node.as_ref(), Some(NodeEnum::SubLink(_))) {
                facts.joins_unsafe = false;
            }
            if !facts.total && (!facts.columns || facts.volatile) && clause != Clause::Having {
                // it names no row or not all that matter, but whether it runs depends on the rows of this level
                facts.reach.direct.extend(self.hiding_guards(scope));
            }
            whole.absorb(&facts);
            read.push((extent(term), facts));
        }
        if !read.iter().any(|(_, f)| f.leaks()) {
            return Ok(whole);
        }
        let span = self.clause_span(node, clause)?;
        let tokens = self.tokens()?;
        let parts = tokens.conjuncts(span.clone());
        let ranges: Vec<_> = parts.iter().filter_map(|p| tokens.bytes(p.clone())).collect();
        let placed = |(place, _): &(Option<(usize, usize)>, Facts)| {
            place.is_some_and(|(a, b)| ranges.iter().any(|r| r.contains(&a) && r.contains(&b)))
        };
        // a term that lies in no part of its own puts the whole condition under one guard
        let parts = if read.iter().all(placed) { parts } else { vec![span] };
        for part in parts {
            self.guard_part(&part, &read, clause, scope)?;
        }
        Ok(whole)
    }

    /// The guards with hidden rows whose rows a level's conditions are tried on.
    fn hiding_guards(&self, scope: &Scope<'_>) -> Vec<GuardId> {
        let of_item = |item: &Rc<Item>| {
            let own = match item.source {
                Source::Guard(id) | Source::Target(id) => self.guards.get(id).filter(|g| g.hides).map(|_| id),
                Source::Relation(_) | Source::Derived | Source::Checked | Source::Join => None,
            };
            let columns = item.columns.iter().flat_map(|c| c.reach.direct.iter().copied());
            own.into_iter().chain(columns).collect::<Vec<_>>()
        };
        scope.items.iter().flat_map(of_item).collect()
    }

    fn guard_part(
        &mut self,
        part: &Range<usize>,
        read: &[(Option<(usize, usize)>, Facts)],
        clause: Clause,
        scope: &Scope<'_>,
    ) -> Result<(), Refusal> {
        let bytes = self.tokens()?.bytes(part.clone()).ok_or_else(lost)?;
        let mut facts = Facts::default();
        for (place, term_facts) in read {
            // a term without a place makes the whole condition one part
            if place.is_none_or(|(at, _)| bytes.contains(&at)) {
                facts.absorb(term_facts);
            }
        }
        if !facts.leaks() {
            return Ok(());
        }
        let why = facts
            .why
            .clone()
            .unwrap_or_else(|| "an expression that may raise".to_owned());
        let opening = if clause == Clause::Having {
            HAVING_OPENING.to_owned()
        } else {
            if clause == Clause::FullOn || !self.can_flag(&facts.reach, scope) {
                return self.fence(&facts.reach.all(), &why);
            }
            self.want_flags(&facts.reach.direct, &why)?;
            self.guard_opening(&facts.reach.direct)?
        };
        let splices = &mut self.unit_mut()?.splices;
        splices.insert(bytes.start, opening, SpliceKind::GuardOpens);
        splices.insert(bytes.end, GUARD_CLOSING, SpliceKind::GuardCloses);
        Ok(())
    }

    /// Can the flags of everything that an expression sees be named where it stands?
    pub fn can_flag(&self, reach: &Reach, scope: &Scope<'_>) -> bool {
        let offers = |id: GuardId| self.guards.get(id).is_some_and(|g| !g.no_private && !g.wants.fence);
        // beside a flag a star is spelled out
        let spells = |scope: &Scope<'_>| scope.items.iter().all(|item| item.can_be_spelled());
        reach.indirect.is_empty()
            && reach.direct.iter().all(|&g| offers(g) && !scope.grouped_above(g))
            && scope.levels().all(spells)
    }

    /// What opens an evaluation guard over these relations: it runs what follows only on rows in scope, and on the
    /// rows that an outer join makes up.
    pub fn guard_opening(&self, guards: &BTreeSet<GuardId>) -> Result<String, Refusal> {
        let mut flags = Vec::with_capacity(guards.len());
        for &id in guards {
            flags.push(match &self.guards.get(id).ok_or_else(lost)?.source {
                GuardSource::Table { .. } | GuardSource::View { .. } => format!("{} IS NOT FALSE", flag_column(id)),
                GuardSource::Target { rows, .. } => match rows {
                    Rows::All => "TRUE".to_owned(),
                    Rows::None => "FALSE".to_owned(),
                    Rows::Where(sql) => format!("({sql}) IS TRUE"),
                },
            });
        }
        Ok(format!("CASE WHEN ({}) THEN (", flags.join(") AND (")))
    }

    /// Asks guards for the column that says whether a row is in scope.
    pub fn want_flags(&mut self, guards: &BTreeSet<GuardId>, why: &str) -> Result<(), Refusal> {
        for &id in guards {
            let guard = self.guard_mut(id)?;
            guard.wants.flag = true;
            let note = format!("{}: evaluation guard around {why}", guard.refname);
            self.notes.push(note);
        }
        Ok(())
    }

    /// The tokens of a condition, from behind its keyword to its end.
    fn clause_span(&self, node: &Node, clause: Clause) -> Result<Range<usize>, Refusal> {
        let tokens = self.tokens()?;
        let (at, last) = extent(node).ok_or_else(lost)?;
        let first = tokens.at(at).ok_or_else(lost)?;
        let keyword = tokens.back_to(first, clause.keyword()).ok_or_else(lost)?;
        let start = keyword + 1;
        let end = tokens.clause_end(start);
        let covers = tokens
            .bytes(start..end)
            .is_some_and(|b| b.contains(&at) && b.contains(&last));
        if !covers {
            return Err(lost());
        }
        Ok(start..end)
    }
}

/// The terms of nested ANDs.
pub fn flatten<'n>(node: &'n Node, out: &mut Vec<&'n Node>) {
    match node.node.as_ref() {
        Some(NodeEnum::BoolExpr(b)) if b.boolop() == BoolExprType::AndExpr => {
            for argument in &b.args {
                flatten(argument, out);
            }
        }
        Some(_) | None => out.push(node),
    }
}
