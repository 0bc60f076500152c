//! How a column shows to a person of several roles: per row, the least restrictive of the roles that show it.

use super::decision::{ColumnView, ROW_ALIAS, Rows};
use super::mask;
use super::scope::Pred;
use crate::catalog::{Column, Oid};

/// One way in which a column shows on some rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// As it is.
    Clear,
    /// Under a mask.
    Masked {
        /// The expression.
        sql: String,
        /// The mask's word.
        word: String,
        /// An exact match may use the value itself.
        searchable: bool,
    },
    /// NULL, because it is hidden there.
    Null,
}

impl Outcome {
    fn rank(&self) -> u8 {
        match self {
            Self::Clear => 0,
            Self::Masked { word, .. } if word != "null" => 1,
            Self::Masked { .. } => 2,
            Self::Null => 3,
        }
    }
}

/// What one role says of one column.
#[derive(Debug, Clone)]
pub(super) enum Say {
    /// As if it did not exist, everywhere.
    Hidden,
    /// This outcome on the role's rows, but clear on the rows of `except`.
    Shows {
        /// On the role's rows.
        outcome: Outcome,
        /// Rows in clear anyway.
        except: Pred,
    },
}

/// Puts together what the roles say, each with the rows that it shows.
pub(super) fn unite(says: &[(&Pred, Say)], column: &Column, clear: &str) -> ColumnView {
    if says.iter().all(|(_, say)| matches!(say, Say::Hidden)) {
        return ColumnView::Hidden;
    }
    let showing = says.iter().filter(|(rows, _)| !rows.is_none()).count();
    let alone = showing <= 1;
    let mut ways: Vec<(Rows, Outcome)> = Vec::new();
    // a role that shows no row has no say in how a row shows
    for (rows, say) in says.iter().filter(|(rows, _)| showing == 0 || !rows.is_none()) {
        let role_rows = if alone { Rows::All } else { rows.rows() };
        match say {
            Say::Hidden => ways.push((role_rows, Outcome::Null)),
            Say::Shows { outcome, except } => {
                if rows.within(except) && !rows.is_none() {
                    ways.push((role_rows, Outcome::Clear));
                    continue;
                }
                let clear_rows = if alone { except.rows() } else { rows.and(except) };
                if *outcome != Outcome::Clear && clear_rows != Rows::None {
                    ways.push((clear_rows, Outcome::Clear));
                }
                ways.push((role_rows, outcome.clone()));
            }
        }
    }
    let search = searched(&ways, column, clear);
    ways.sort_by_key(|(_, outcome)| outcome.rank());
    match view(&branches(ways), column, clear) {
        ColumnView::Masked { sql, mask, .. } if has_modifiers(column.type_oid) && !sql.contains(ROW_ALIAS) => {
            ColumnView::Masked {
                sql: format!("(CASE WHEN {clear} IS NULL THEN {sql} ELSE {sql} END)"),
                mask,
                search,
            }
        }
        ColumnView::Masked { sql, mask, .. } => ColumnView::Masked { sql, mask, search },
        view => view,
    }
}

/// What an exact match may compare: as the column shows, if searchable masks were none.
fn searched(ways: &[(Rows, Outcome)], column: &Column, clear: &str) -> Option<String> {
    let is_searchable = |outcome: &Outcome| matches!(outcome, Outcome::Masked { searchable: true, .. });
    if !ways.iter().any(|(_, outcome)| is_searchable(outcome)) {
        return None;
    }
    let mut open: Vec<(Rows, Outcome)> = ways
        .iter()
        .map(|(rows, outcome)| {
            let outcome = if is_searchable(outcome) {
                Outcome::Clear
            } else {
                outcome.clone()
            };
            (rows.clone(), outcome)
        })
        .collect();
    open.sort_by_key(|(_, outcome)| outcome.rank());
    match view(&branches(open), column, clear) {
        ColumnView::Clear => Some(clear.to_owned()),
        ColumnView::Masked { sql, .. } => Some(sql),
        ColumnView::Hidden => None,
    }
}

/// Can values of the type have a modifier? A bare constant is taken out of COALESCE and CASE while PostgreSQL plans,
/// and the result is then described with the modifier of what is left.
fn has_modifiers(ty: Oid) -> bool {
    const ELEMENTS: [Oid; 10] = [1042, 1043, 1083, 1114, 1184, 1186, 1266, 1560, 1562, 1700];
    const ARRAYS: [Oid; 10] = [1014, 1015, 1183, 1115, 1185, 1187, 1270, 1561, 1563, 1231];
    ELEMENTS.contains(&ty) || ARRAYS.contains(&ty)
}

/// Joins neighbours of one outcome, and stops at the first way that covers every row.
fn branches(ways: Vec<(Rows, Outcome)>) -> Vec<(Rows, Outcome)> {
    let mut joined: Vec<(Rows, Outcome)> = Vec::new();
    for (rows, outcome) in ways {
        if rows == Rows::None {
            continue;
        }
        if joined.iter().any(|(earlier, _)| *earlier == Rows::All) {
            break;
        }
        match joined.last_mut() {
            Some((earlier, last)) if *last == outcome => {
                let both = match (&*earlier, &rows) {
                    (Rows::Where(a), Rows::Where(b)) if a == b => Rows::Where(a.clone()),
                    (Rows::Where(a), Rows::Where(b)) => Rows::Where(format!("({a} OR {b})")),
                    _ => Rows::All,
                };
                *earlier = both;
            }
            _ => joined.push((rows, outcome)),
        }
    }
    joined
}

/// A row that shows is shown by some role, so the last way needs no condition.
fn view(ways: &[(Rows, Outcome)], column: &Column, clear: &str) -> ColumnView {
    let Some(((_, last), first)) = ways.split_last() else {
        return ColumnView::Masked {
            sql: mask::null(column),
            mask: "hidden".to_owned(),
            search: None,
        };
    };
    let sql_of = |outcome: &Outcome| match outcome {
        Outcome::Clear => clear.to_owned(),
        Outcome::Masked { sql, .. } => sql.clone(),
        Outcome::Null => mask::null(column),
    };
    let mut words: Vec<&str> = Vec::new();
    for (_, outcome) in ways {
        let word = match outcome {
            Outcome::Clear => continue,
            Outcome::Masked { word, .. } => word,
            Outcome::Null => "hidden",
        };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    if words.is_empty() {
        return ColumnView::Clear;
    }
    let mask = words.join("|");
    if first.is_empty() {
        return ColumnView::Masked {
            sql: sql_of(last),
            mask,
            search: None,
        };
    }
    let mut sql = String::from("(CASE");
    for (rows, outcome) in first {
        if let Rows::Where(condition) = rows {
            sql.push_str(&format!(" WHEN {condition} THEN {}", sql_of(outcome)));
        }
    }
    sql.push_str(&format!(" ELSE {} END)", sql_of(last)));
    ColumnView::Masked {
        sql: mask::collated(sql, column),
        mask,
        search: None,
    }
}
