//! The SQL of checks: what a RETURNING and an assignment must hold, over the row that is written.

use super::{ColumnRight, MADE_ALIAS, Made, NEW_ALIAS, Same, Update, Writes};
use crate::catalog::{Relation, RelationKind};
use crate::name::quote_ident;
use crate::policy::decision::{ROW_ALIAS, Rows};
use crate::sql::raise::Raise;
use std::collections::BTreeSet;

impl Writes {
    /// The expression that a RETURNING of an INSERT of these columns must hold: NULL of type text, or it raises.
    /// `returning`: the client reads the new rows, which must then be ones that they may view.
    pub fn insert_check(&self, given: &BTreeSet<usize>, returning: bool) -> Option<String> {
        let mut bad = Vec::new();
        let row = self.row_raise();
        for right in given
            .iter()
            .filter(|at| !self.settable(**at))
            .filter_map(|at| self.columns.get(*at))
        {
            let raise = Raise::Column {
                table: self.table.name.clone(),
                column: right.name.clone(),
            };
            bad.push(format!("{} IS NOT NULL THEN {}", column(&right.name), raise.sql()));
        }
        if let Some(check) = self.insertable(given) {
            bad.push(format!("({check}) IS NOT TRUE THEN {row}"));
        }
        if let (true, Rows::Where(view)) = (returning, &self.view) {
            bad.push(format!("({view}) IS NOT TRUE THEN {row}"));
        }
        let touched = |columns: &Vec<usize>| self.before_insert || columns.iter().any(|c| given.contains(c));
        for reference in self.references.iter().filter(|r| touched(&r.columns)) {
            bad.push(format!("({}) THEN {}", reference.dangling, reference.raise.sql()));
        }
        case(&bad)
    }

    /// True where the row that ON CONFLICT left out (`excluded`, with its defaults, generated columns and what triggers
    /// made of it) is not one that the INSERT could have made: PostgreSQL's row-level security looks at it before the
    /// conflict. `None` where there is no such row. Foreign keys are not asked, as the row is not stored, unless triggers
    /// may have put into it what they read of a row that does not show.
    pub fn unfit_proposal(&self, given: &BTreeSet<usize>, returning: bool) -> Option<String> {
        let insertable = self.insertable(given);
        let view = match &self.view {
            Rows::Where(view) if returning => Some(view.clone()),
            Rows::All | Rows::None | Rows::Where(_) => None,
        };
        let unfit: Vec<String> = insertable
            .into_iter()
            .chain(view)
            .map(|sql| format!("({sql}) IS NOT TRUE"))
            .chain(
                self.references
                    .iter()
                    .filter(|_| self.before_insert)
                    .map(|r| r.dangling.clone()),
            )
            .collect();
        let proposed = |_: usize, right: &ColumnRight| {
            let name = quote_ident(&right.name);
            format!("excluded.{name} AS {name}")
        };
        (!unfit.is_empty()).then(|| self.on_row(&unfit.join(" OR "), proposed))
    }

    /// The condition on a new row, `None` where there is none.
    fn insertable(&self, given: &BTreeSet<usize>) -> Option<String> {
        let mut ways = Vec::new();
        for seat in &self.seats {
            let mut all: Vec<String> = Vec::new();
            let mut never = false;
            match &seat.rows {
                Rows::All => {}
                Rows::None => never = true,
                Rows::Where(sql) => all.push(sql.clone()),
            }
            for at in given {
                let (Some(rows), Some(right)) = (seat.settable.get(*at), self.columns.get(*at)) else {
                    never = true;
                    continue;
                };
                let unset = format!("{} IS NULL", column(&right.name));
                match rows {
                    Rows::All => {}
                    Rows::None if right.has_default => never = true,
                    Rows::None => all.push(unset),
                    Rows::Where(sql) if all.contains(sql) => {}
                    Rows::Where(sql) if right.has_default => all.push(sql.clone()),
                    Rows::Where(sql) => all.push(format!("({sql}) OR {unset}")),
                }
            }
            match (never, all.as_slice()) {
                (true, _) => {}
                (false, []) => return None,
                (false, all) => ways.push(format!("({})", all.join(") AND ("))),
            }
        }
        Some(if ways.is_empty() {
            "FALSE".to_owned()
        } else {
            format!("({})", ways.join(") OR ("))
        })
    }

    /// The same for an UPDATE of these columns: the new row must still be one that the person may edit.
    pub fn update_check(&self, set: &BTreeSet<usize>) -> Option<String> {
        let unkept = self.unkept(set)?;
        case(&[format!("{unkept} THEN {}", self.row_raise())])
    }

    /// What an UPDATE of these columns assigns to each, in their order, where the value that the client wants for
    /// the column stands under [`NEW_ALIAS`] as a column named by its place in the list, from 1. `checked`: the new row
    /// is checked here, because nothing returns it (MERGE).
    pub fn assignments(&self, set: &[usize], checked: bool) -> Vec<String> {
        let rights: Vec<&ColumnRight> = set.iter().filter_map(|at| self.columns.get(*at)).collect();
        let mut values: Vec<String> = rights
            .iter()
            .enumerate()
            .map(|(place, right)| self.assignment(right, &new(place), set))
            .collect();
        let mut bad = self.row_faults(set);
        if checked {
            bad.extend(self.leaves_scope(set));
        }
        if let (Some(first), Some(right), false) = (values.first_mut(), rights.first(), bad.is_empty()) {
            let raises: Vec<String> = bad
                .iter()
                .map(|(fault, raise)| format!("WHEN {fault} THEN {}", typed(raise, right)))
                .collect();
            *first = format!("CASE {} ELSE {first} END", raises.join(" "));
        }
        values
    }

    fn assignment(&self, right: &ColumnRight, value: &str, set: &[usize]) -> String {
        let old = column(&right.name);
        let kept = format!("WHEN {} THEN {old}", right.same_as_shown(value));
        let denied = |raise: Raise| format!("ELSE {}", typed(&raise, right));
        let table = || self.table.name.clone();
        match &right.update {
            Update::Free => value.to_owned(),
            Update::On(rows) => {
                let allowed = match rows {
                    Rows::All => return format!("CASE {kept} ELSE {value} END"),
                    Rows::None => String::new(),
                    Rows::Where(sql) => format!(" WHEN ({sql}) IS TRUE THEN {value}"),
                };
                let raise = Raise::Column {
                    table: table(),
                    column: right.name.clone(),
                };
                format!("CASE {kept}{allowed} {} END", denied(raise))
            }
            Update::Transfer(ways) => {
                let ways: Vec<String> = ways.iter().map(|(from, to)| self.way(from, to, set)).collect();
                let allowed = if ways.is_empty() {
                    String::new()
                } else {
                    format!(" WHEN ({}) THEN {value}", ways.join(" OR "))
                };
                let raise = Raise::Transfer {
                    table: table(),
                    column: right.name.clone(),
                };
                format!("CASE {kept}{allowed} {} END", denied(raise))
            }
        }
    }

    /// The new row is none that the person may leave behind.
    fn leaves_scope(&self, set: &[usize]) -> Option<(String, Raise)> {
        let fault = self.unkept(&set.iter().copied().collect())?;
        let raise = Raise::Row {
            table: self.table.name.clone(),
        };
        Some((self.on_new_row(&fault, set).unwrap_or_else(|| self.changed(set)), raise))
    }

    /// The condition under which a row after an UPDATE of these columns is none that the person may leave behind.
    fn unkept(&self, set: &BTreeSet<usize>) -> Option<String> {
        let decided = self.before_update || set.iter().any(|at| self.columns.get(*at).is_some_and(|c| c.decides));
        let mut handed = set
            .iter()
            .filter_map(|at| self.columns.get(*at))
            .flat_map(|c| match &c.update {
                Update::Transfer(ways) => ways.iter().map(|(_, to)| to).collect(),
                Update::Free | Update::On(_) => Vec::new(),
            });
        // a row that was handed over leaves its author's scope: the assignment has looked to whom it goes
        let mut elsewhere = String::new();
        if handed.clone().any(|to| *to == Rows::All) {
            return None;
        }
        for to in handed.by_ref() {
            if let Rows::Where(sql) = to {
                elsewhere.push_str(&format!(" AND ({sql}) IS NOT TRUE"));
            }
        }
        match &self.edit {
            Rows::Where(edit) if decided => Some(format!("({edit}) IS NOT TRUE{elsewhere}")),
            Rows::None if decided => Some("TRUE".to_owned()),
            Rows::All | Rows::None | Rows::Where(_) => None,
        }
    }

    /// A query over the row that a MERGE proposes, whose values stand as SQL for the columns given: NULL of type text,
    /// or it raises. `given`: the columns whose values are the client's own; `returning`: the client reads the new row.
    pub fn proposed_check(
        &self,
        given: &BTreeSet<usize>,
        values: &[(usize, String)],
        returning: bool,
    ) -> Option<String> {
        let check = self.insert_check(given, returning)?;
        let made = self.made(|right| check.contains(&column(&right.name)));
        let fields: Vec<String> = self
            .columns
            .iter()
            .enumerate()
            .filter(|(_, right)| !made.iter().any(|(c, _)| c.name == right.name))
            .map(|(at, right)| {
                let value = values.iter().find(|(v, _)| *v == at).map_or("NULL", |(_, sql)| sql);
                format!("({value})::{} AS {}", right.type_sql, quote_ident(&right.name))
            })
            .collect();
        let row = quote_ident(ROW_ALIAS);
        let proposed = with_made(&fields, &made, |_| self.row_raise());
        Some(format!("((SELECT {check} FROM {proposed} AS {row}) IS NULL)"))
    }

    fn way(&self, from: &Rows, to: &Rows, set: &[usize]) -> String {
        let old = match from {
            Rows::All => "TRUE".to_owned(),
            Rows::None => "FALSE".to_owned(),
            Rows::Where(sql) => format!("({sql}) IS TRUE"),
        };
        let new = match to {
            Rows::All => "TRUE".to_owned(),
            Rows::None => "FALSE".to_owned(),
            Rows::Where(sql) => self.on_new_row(sql, set).unwrap_or_else(|| "FALSE".to_owned()),
        };
        format!("({old} AND {new})")
    }

    /// What is wrong with the new row as a whole: it gives its author more than the old one, or points to a row that
    /// they do not see.
    fn row_faults(&self, set: &[usize]) -> Vec<(String, Raise)> {
        let mut faults = Vec::new();
        let Some(deciding) = set.iter().filter_map(|at| self.columns.get(*at)).find(|c| c.decides) else {
            return self.dangling(set);
        };
        for gain in &self.gains {
            let raise = Raise::Transfer {
                table: self.table.name.clone(),
                column: deciding.name.clone(),
            };
            let gained = self.on_new_row(gain, set).unwrap_or_else(|| self.changed(set));
            faults.push((format!("({gain}) IS NOT TRUE AND ({gained})"), raise));
        }
        faults.extend(self.dangling(set));
        faults
    }

    fn dangling(&self, set: &[usize]) -> Vec<(String, Raise)> {
        let mut faults = Vec::new();
        for reference in &self.references {
            let touched = self.differences(set, |at| reference.columns.contains(&at));
            if !touched.is_empty() {
                let dangling = self.on_new_row(&reference.dangling, set);
                let dangling = dangling.unwrap_or_else(|| "TRUE".to_owned());
                let fault = format!("({}) AND {dangling}", touched.join(" OR "));
                faults.push((fault, reference.raise.clone()));
            }
        }
        faults
    }

    /// Does one of these assignments store another value than the one that is there?
    fn changed(&self, set: &[usize]) -> String {
        self.differences(set, |_| true).join(" OR ")
    }

    /// The same of each that is `meant`.
    fn differences(&self, set: &[usize], meant: impl Fn(usize) -> bool) -> Vec<String> {
        set.iter()
            .enumerate()
            .filter(|(_, at)| meant(**at))
            .filter_map(|(place, at)| Some((place, self.columns.get(*at)?)))
            .map(|(place, right)| format!("NOT {}", right.same_as(&new(place), &column(&right.name))))
            .collect()
    }

    /// Does a condition hold on the row as these assignments make it? Of its columns those stand there that the
    /// condition may name, generated ones as they are computed from what is assigned. `None` where that is not known.
    fn on_new_row(&self, condition: &str, set: &[usize]) -> Option<String> {
        let field = |at: usize, right: &ColumnRight| match set.iter().position(|s| *s == at) {
            Some(place) => format!("({})::{} AS {}", new(place), right.type_sql, quote_ident(&right.name)),
            None => column(&right.name),
        };
        let whole = names_whole_row(condition);
        let used = |right: &ColumnRight| whole || condition.contains(&column(&right.name));
        let mut made = self.made(used);
        made.retain(|(_, made)| made.inputs.iter().any(|input| set.contains(input)));
        if made.is_empty() {
            return Some(self.on_row(condition, field));
        }
        if whole || made.iter().any(|(_, made)| made.sql.is_none()) {
            return None;
        }
        let is_made = |right: &ColumnRight| made.iter().any(|(c, _)| c.name == right.name);
        let is_input = |at: usize| made.iter().any(|(_, made)| made.inputs.contains(&at));
        let fields: Vec<String> = self
            .columns
            .iter()
            .enumerate()
            .filter(|(at, right)| !is_made(right) && (used(right) || is_input(*at)))
            .map(|(at, right)| field(at, right))
            .collect();
        let row = quote_ident(ROW_ALIAS);
        let changed = with_made(&fields, &made, |_| "NULL".to_owned());
        Some(format!("EXISTS (SELECT FROM {changed} AS {row} WHERE ({condition}))"))
    }

    /// Does a condition hold on a row that is made of these fields?
    fn on_row(&self, condition: &str, field: impl Fn(usize, &ColumnRight) -> String) -> String {
        let row = quote_ident(ROW_ALIAS);
        let whole = names_whole_row(condition);
        let fields: Vec<String> = self
            .columns
            .iter()
            .enumerate()
            .filter(|(_, right)| whole || condition.contains(&column(&right.name)))
            .map(|(at, right)| field(at, right))
            .collect();
        format!(
            "EXISTS (SELECT FROM (SELECT {}) AS {row} WHERE ({condition}))",
            fields.join(", ")
        )
    }

    /// SQL of type text that raises because of the row.
    fn row_raise(&self) -> String {
        Raise::Row {
            table: self.table.name.clone(),
        }
        .sql()
    }
}

impl ColumnRight {
    /// Is a value the one that shows of the old row?
    fn same_as_shown(&self, value: &str) -> String {
        self.same_as(value, &self.shown)
    }

    fn same_as(&self, value: &str, other: &str) -> String {
        let value = format!("({value})::{}", self.type_sql);
        let equal = match self.same {
            Same::Equal => format!("({value}) OPERATOR(pg_catalog.=) ({other})"),
            Same::Text => {
                let c = "COLLATE \"pg_catalog\".\"C\"";
                format!("(({value})::pg_catalog.text {c}) OPERATOR(pg_catalog.=) (({other})::pg_catalog.text {c})")
            }
            Same::Printed => {
                format!("(({value})::pg_catalog.text) OPERATOR(pg_catalog.=) (({other})::pg_catalog.text)")
            }
        };
        format!("(({equal}) IS TRUE OR ({value} IS NULL AND {other} IS NULL))")
    }
}

/// The check of a row that ON CONFLICT either made or changed. One that was not there before has never been locked, so
/// that its xmax is 0; PostgreSQL does not tell it of rows of a partitioned table, where both checks must hold.
pub fn new_or_changed(relation: &Relation, new: Option<String>, changed: Option<String>) -> Option<String> {
    if new.is_none() && changed.is_none() {
        return None;
    }
    let or_null = |check: Option<String>| check.unwrap_or_else(|| "NULL".to_owned());
    if relation.kind == RelationKind::PartitionedTable {
        return Some(match (new, changed) {
            (Some(new), Some(changed)) => format!("CASE WHEN ({new}) IS NULL THEN ({changed}) END"),
            (one, other) => or_null(one.or(other)),
        });
    }
    Some(format!(
        "CASE WHEN ({}.xmax)::pg_catalog.text OPERATOR(pg_catalog.=) '0'::pg_catalog.text THEN ({}) ELSE ({}) END",
        quote_ident(ROW_ALIAS),
        or_null(new),
        or_null(changed)
    ))
}

/// Does a condition name the row as a whole, rather than a column of it, or a row of its own under the same name?
fn names_whole_row(condition: &str) -> bool {
    let row = quote_ident(ROW_ALIAS);
    condition.match_indices(&row).any(|(at, _)| {
        let (before, behind) = condition.split_at(at);
        !before.ends_with(" AS ") && !behind.strip_prefix(&row).is_some_and(|rest| rest.starts_with('.'))
    })
}

/// A query of these fields, and of generated columns that are computed from them; `unknown` stands for those of which it is
/// not known how.
fn with_made(fields: &[String], made: &[(&ColumnRight, &Made)], unknown: impl Fn(&ColumnRight) -> String) -> String {
    let fields = fields.join(", ");
    if made.is_empty() {
        return format!("(SELECT {fields})");
    }
    let from = quote_ident(MADE_ALIAS);
    let made: Vec<String> = made
        .iter()
        .map(|(right, made)| {
            let value = made.sql.clone().unwrap_or_else(|| unknown(right));
            format!("({value})::{} AS {}", right.base_sql, quote_ident(&right.name))
        })
        .collect();
    format!(
        "(SELECT {from}.*, {} FROM (SELECT {fields}) AS {from})",
        made.join(", ")
    )
}

/// The place of the client's value for an assignment.
fn new(place: usize) -> String {
    format!("{}.\"{}\"", quote_ident(NEW_ALIAS), place + 1)
}

fn column(name: &str) -> String {
    format!("{}.{}", quote_ident(ROW_ALIAS), quote_ident(name))
}

fn typed(raise: &Raise, right: &ColumnRight) -> String {
    format!("({})::{}", raise.sql(), right.base_sql)
}

fn case(bad: &[String]) -> Option<String> {
    (!bad.is_empty()).then(|| format!("CASE WHEN {} END", bad.join(" WHEN ")))
}
