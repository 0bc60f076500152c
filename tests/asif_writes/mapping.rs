//! What a change of D′ means for D: hidden rows and masked values stay, everything else becomes what D′ holds.

use crate::state::{Row, Rows, Watch};
use std::collections::{BTreeMap, HashMap};

/// Values that were set aside, by table, key and column.
type Side = HashMap<(String, String, String), Option<String>>;

/// Compares what D has become with what it must have become; `None` where they agree.
pub fn differs(whole: &mut Watch, prime: &mut Watch, defaults: &Defaults) -> Option<String> {
    let mut which = whole.changed();
    which.extend(prime.changed());
    let which = whole.whole_families(&which);
    if which.is_empty() {
        return None;
    }
    let side: Side = prime.side().into_iter().map(|(t, k, c, v)| ((t, k, c), v)).collect();
    let (is, mut shows, gone) = (whole.rows(&which), prime.rows(&which), prime.gone(&which));
    for (table, rows) in gone {
        shows.entry(table).or_default().extend(rows);
    }
    let nothing = Rows::new();
    for (table, is) in &is {
        let was = whole.before.get(table).unwrap_or(&nothing);
        let showed = prime.before.get(table).unwrap_or(&nothing);
        let shows = shows.get(table).unwrap_or(&nothing);
        let must = expected(table, was, showed, shows, &side);
        if let Some(how) = compare(table, &must, is, was, showed, defaults) {
            return Some(how);
        }
    }
    None
}

/// Rows that were hidden and have changed, or that are new; `None` where there are none.
pub fn beyond(whole: &mut Watch, prime: &Watch) -> Option<String> {
    let changed = whole.changed();
    let which = whole.whole_families(&changed);
    let nothing = Rows::new();
    for (table, is) in whole.rows(&which) {
        let was = whole.before.get(table).unwrap_or(&nothing);
        let showed = prime.before.get(table).unwrap_or(&nothing);
        // a row whose key was changed is the one that is not there any more
        let mut moved = showed.keys().filter(|k| !is.contains_key(*k)).count();
        for (key, row) in &is {
            if !was.contains_key(key) && moved > 0 {
                moved -= 1;
            } else if !showed.contains_key(key) && was.get(key) != Some(row) {
                return Some(format!("HIDDEN {table} {key} changed or appeared"));
            }
        }
    }
    None
}

/// What a value must be.
#[derive(Debug, Clone)]
enum Value {
    Is(Option<String>),
    /// The column's default, or what it was.
    Default,
    /// Nobody can tell which row it was before.
    Any,
}

/// A row that D must hold.
type Must = BTreeMap<String, Value>;

fn expected(table: &str, was: &Rows, showed: &Rows, shows: &Rows, side: &Side) -> BTreeMap<String, Must> {
    let columns: Vec<&String> = was.values().next().map(|r| r.keys().collect()).unwrap_or_default();
    let mut must: BTreeMap<String, Must> = BTreeMap::new();
    for (key, row) in was.iter().filter(|(k, _)| !showed.contains_key(*k)) {
        let row = row.iter().map(|(c, v)| (c.clone(), Value::Is(v.clone())));
        must.insert(key.clone(), row.collect());
    }
    let lost: Vec<&String> = showed.keys().filter(|k| !shows.contains_key(*k)).collect();
    let new: Vec<&String> = shows.keys().filter(|k| !was.contains_key(*k)).collect();
    for (key, now) in shows {
        // one key went and another came: it is the same row
        let before = match (lost.as_slice(), new.as_slice()) {
            ([lost], [new]) if *new == key => *lost,
            _ => key,
        };
        let unknown = lost.len() > 1 && !new.is_empty() && !showed.contains_key(key);
        let real = was.get(before).filter(|_| showed.contains_key(before));
        let names: Vec<&String> = if columns.is_empty() {
            now.keys().collect()
        } else {
            columns.clone()
        };
        let row = names
            .into_iter()
            .map(|c| {
                // what was set aside before the key was changed stands under the key of then
                let under = |key: &String| side.get(&(table.to_owned(), key.clone(), c.clone()));
                let aside = under(key).or_else(|| under(before));
                let old = showed.get(before).and_then(|r| r.get(c));
                let value = match (aside, now.get(c), old, real) {
                    _ if unknown => Value::Any,
                    (Some(v), _, _, Some(real)) if old == Some(v) => Value::Is(real[c].clone()),
                    (Some(v), ..) => Value::Is(v.clone()),
                    (None, Some(v), Some(old), Some(real)) if v == old => Value::Is(real[c].clone()),
                    (None, Some(v), ..) => Value::Is(v.clone()),
                    (None, None, _, Some(real)) => Value::Is(real[c].clone()),
                    (None, None, _, None) => Value::Default,
                };
                (c.clone(), value)
            })
            .collect();
        let mut place = key.clone();
        // where nothing keeps a key unique it may be a hidden row's, too
        while must.contains_key(&place) {
            place.push('\'');
        }
        must.insert(place, row);
    }
    must
}

/// Rows that share a key are told apart by what they must be.
fn paired(must: &BTreeMap<String, Must>, is: &Rows) -> Rows {
    let mut is = is.clone();
    let fits = |row: &Row, right: &Must| {
        row.iter().all(|(column, value)| match right.get(column) {
            Some(Value::Is(right)) => right == value,
            Some(Value::Default | Value::Any) | None => true,
        })
    };
    let doubles: Vec<String> = is.keys().filter(|k| k.ends_with('\'')).cloned().collect();
    for double in doubles {
        let first = double.trim_end_matches('\'').to_owned();
        if let (Some(right), Some(a), Some(b)) = (must.get(&first), is.get(&first), is.get(&double))
            && !fits(a, right)
            && fits(b, right)
        {
            let (a, b) = (a.clone(), b.clone());
            is.insert(first, b);
            is.insert(double, a);
        }
    }
    is
}

/// The defaults of every column of D, as text.
pub type Defaults = HashMap<(String, String), Option<String>>;

fn compare(
    table: &str,
    must: &BTreeMap<String, Must>,
    is: &Rows,
    was: &Rows,
    showed: &Rows,
    defaults: &Defaults,
) -> Option<String> {
    let is = &paired(must, is);
    for (key, row) in is {
        let Some(right) = must.get(key) else {
            return Some(match was.get(key) {
                Some(_) if !showed.contains_key(key) => format!("HIDDEN {table} {key} appeared"),
                Some(_) => format!("row {table} {key} is still there"),
                None => format!("row {table} {key} is new: {}", show(row.values())),
            });
        };
        for (column, value) in row {
            let right = right.get(column).cloned().unwrap_or(Value::Default);
            let ok = match &right {
                Value::Is(right) => right == value,
                Value::Any => true,
                Value::Default => {
                    let default = defaults.get(&(table.to_owned(), column.clone())).cloned().flatten();
                    *value == default || was.get(key).is_some_and(|r| r.get(column) == Some(value))
                }
            };
            if !ok {
                let whose = if was.contains_key(key) && !showed.contains_key(key) {
                    "HIDDEN"
                } else {
                    "row"
                };
                let before = was.get(key).and_then(|r| r.get(column));
                return Some(format!(
                    "{whose} {table} {key} {column} is {value:?} and not {right:?} (was {before:?}, showed {:?})",
                    showed.get(key).and_then(|r| r.get(column))
                ));
            }
        }
    }
    must.keys().find(|k| !is.contains_key(*k)).map(|key| {
        let whose = if was.contains_key(key) && !showed.contains_key(key) {
            "HIDDEN"
        } else {
            "row"
        };
        format!("{whose} {table} {key} is missing")
    })
}

fn show<'a>(values: impl Iterator<Item = &'a Option<String>>) -> String {
    values
        .map(|v| v.as_deref().unwrap_or("NULL"))
        .collect::<Vec<_>>()
        .join(" | ")
}
