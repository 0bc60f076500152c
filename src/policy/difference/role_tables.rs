//! What is told of a role's table: which scopes and columns are others, and how much its people lose and gain by it.

use super::{each, from_to};
use crate::policy::reach::Count;
use crate::policy::written::{ColumnRule, MaskRule, OverMaxRows, RoleTable, ScopeWord, Show};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What a role's people lose or gain of a table.
#[derive(Default)]
struct Balance {
    columns: usize,
    scopes: BTreeSet<String>,
    writes: BTreeSet<&'static str>,
    /// The rows, where they were counted.
    rows: Option<u64>,
}

impl Balance {
    fn of(rows: Option<u64>) -> Self {
        Self {
            rows,
            ..Self::default()
        }
    }

    fn is_nothing(&self) -> bool {
        let rows = self.rows.map_or(self.scopes.is_empty(), |rows| rows == 0);
        self.columns == 0 && rows && self.writes.is_empty()
    }

    fn rows(&self, count: Option<&Count>) -> String {
        let scopes = self.scopes.iter().cloned().collect::<Vec<_>>().join(", ");
        match (count, self.rows) {
            (_, Some(rows)) if rows == 0 || self.is_of_one(count) => plural(rows, "row"),
            (_, Some(rows)) => format!("up to {} a person", plural(rows, "row")),
            (_, None) if scopes.is_empty() => "0 rows".to_owned(),
            (Some(Count::Not(why)), None) => format!("the rows of {scopes} (not counted: {why})"),
            (_, None) => format!("the rows of {scopes}"),
        }
    }

    fn is_of_one(&self, count: Option<&Count>) -> bool {
        matches!(count, Some(Count::Rows { people: 1, .. }))
    }

    fn told(&self, verb: &str, count: Option<&Count>) -> String {
        let columns = u64::try_from(self.columns).unwrap_or(u64::MAX);
        let mut text = format!("{verb} {}, {}", self.rows(count), plural(columns, "column"));
        for operation in &self.writes {
            let _ = write!(text, ", {operation} on some rows");
        }
        text
    }
}

fn plural(count: u64, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {what}{ending}")
}

/// How many of the role's people the rows are of, where these are not all.
fn sample(count: Option<&Count>) -> String {
    match count {
        Some(Count::Rows { counted, people, .. }) if counted < people => {
            format!("; {counted} of {people} people were counted")
        }
        Some(Count::Nobody) => "; nobody has the role".to_owned(),
        _ => String::new(),
    }
}

pub(super) fn role_table(
    name: &str,
    before: Option<&RoleTable>,
    after: Option<&RoleTable>,
    count: Option<&Count>,
) -> Option<String> {
    let (mut lost, mut gained) = match count {
        Some(Count::Rows { lost, gained, .. }) => (Balance::of(Some(*lost)), Balance::of(Some(*gained))),
        Some(Count::Nobody) => (Balance::of(Some(0)), Balance::of(Some(0))),
        Some(Count::Not(_)) | None => Default::default(),
    };
    let sample = sample(count);
    let (before, after) = match (before, after) {
        (None, Some(after)) => {
            let rows = gained
                .rows
                .map_or(String::new(), |_| format!("; gains {}", gained.rows(count)));
            let view = scopes(&after.view);
            return Some(format!(
                "{name} view {view}, a table that it did not have{rows}{sample}"
            ));
        }
        (_, None) => {
            let rows = lost.rows.map_or(String::new(), |_| format!(": {}", lost.rows(count)));
            return Some(format!(
                "{name} is gone; loses every row and column of it{rows}{sample}"
            ));
        }
        (Some(before), Some(after)) => (before, after),
    };
    let mut changes = Vec::new();
    for (operation, old, new) in [
        ("view", &before.view, &after.view),
        ("insert", &before.insert, &after.insert),
        ("edit", &before.edit, &after.edit),
        ("delete", &before.delete, &after.delete),
        ("export", &before.export, &after.export),
    ] {
        changes.extend(from_to(&format!("{name} {operation}"), &scopes(old), &scopes(new)));
        for (balance, more, less) in [(&mut lost, old, new), (&mut gained, new, old)] {
            let gone = only(more, less);
            match operation {
                "view" => balance.scopes = gone,
                _ if gone.is_empty() => {}
                _ => drop(balance.writes.insert(operation)),
            }
        }
    }
    let most = |table: &RoleTable| table.max_rows.map_or("no limit".to_owned(), |n| n.to_string());
    changes.extend(from_to(&format!("{name} max_rows"), &most(before), &most(after)));
    let over = |table: &RoleTable| match table.over_max_rows {
        OverMaxRows::Cut => "cut",
        OverMaxRows::Refuse => "refuse",
    };
    changes.extend(from_to(&format!("{name} over_max_rows"), over(before), over(after)));
    each(&before.columns, &after.columns, |column, old, new| {
        let whole = |rule: Option<&ColumnRule>| rule.map_or("by default".to_owned(), column_words);
        let Some(change) = from_to(&format!("{name}.{column}"), &whole(old), &whole(new)) else {
            return;
        };
        changes.push(change);
        let (Some(old), Some(new)) = (old, new) else { return };
        let clearer =
            |a: &ColumnRule, b: &ColumnRule| !matches!(a.show, Show::Clear) && !only(&a.except, &b.except).is_empty();
        lost.columns += usize::from(shows(new) < shows(old) || clearer(old, new));
        gained.columns += usize::from(shows(new) > shows(old) || clearer(new, old));
    });
    let is_silent = lost.is_nothing() && gained.is_nothing();
    match changes.as_slice() {
        [] if is_silent => return None,
        // the table, a scope or its parent is another, and not what the role says
        [] => changes.push(format!("{name} has other rows")),
        _ => {}
    }
    let mut line = format!("{}; {}", changes.join(", "), lost.told("loses", count));
    if !gained.is_nothing() {
        let _ = write!(line, "; {}", gained.told("gains", count));
    }
    line.push_str(if is_silent { "" } else { &sample });
    Some(line)
}

/// What one list of scopes has and another has not; nothing where the other has every row.
fn only(more: &[ScopeWord], less: &[ScopeWord]) -> BTreeSet<String> {
    let less: BTreeSet<String> = less.iter().map(ScopeWord::written).collect();
    let more = more.iter().map(ScopeWord::written);
    more.filter(|scope| !less.contains(scope) && !less.contains("all"))
        .collect()
}

fn scopes(all: &[ScopeWord]) -> String {
    let words: Vec<String> = all.iter().map(ScopeWord::written).collect();
    if words.is_empty() {
        "nothing".to_owned()
    } else {
        words.join(", ")
    }
}

/// How much of a column shows: not at all, not its value, something of it, all of it.
fn shows(rule: &ColumnRule) -> u8 {
    match &rule.show {
        Show::Hidden => 0,
        Show::Mask(MaskRule::Null | MaskRule::Fixed { .. }) => 1,
        Show::Mask(_) => 2,
        Show::Clear => 3,
    }
}

fn column_words(rule: &ColumnRule) -> String {
    let ColumnRule {
        name: _,
        show,
        except,
        searchable,
        edit,
        transfer,
        default,
        given: _,
    } = rule;
    let mut text = match show {
        Show::Clear => "clear".to_owned(),
        Show::Hidden => "hidden".to_owned(),
        Show::Mask(mask) => match mask {
            MaskRule::Partial { first, last } => format!("partial ({first}, {last})"),
            MaskRule::Fixed { value } => format!("fixed \"{}\"", value.text),
            MaskRule::Bucket { size } => format!("bucket of {}", size.text),
            MaskRule::Round { digits } => format!("round to {digits}"),
            MaskRule::Sql { expression } => format!("sql \"{}\"", expression.text),
            MaskRule::Null | MaskRule::Email | MaskRule::Hash | MaskRule::Year | MaskRule::Month => {
                mask.word().to_owned()
            }
        },
    };
    if !except.is_empty() {
        let _ = write!(text, " except {}", scopes(except));
    }
    if *searchable {
        text.push_str(" searchable");
    }
    if let Some(edit) = edit {
        let _ = write!(text, " edit {edit}");
    }
    if let Some(to) = transfer {
        let _ = write!(text, " transfer {}", scopes(to));
    }
    if let Some(default) = default {
        let _ = write!(text, " default {}", default.word());
    }
    text
}
