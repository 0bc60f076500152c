//! What a new set of policies changes, in words: for the log, and for whoever keeps a record of it.

use super::load::Texts;
use super::written::{
    ColumnRule, CustomScope, MaskRule, OverMaxRows, RoleRule, RoleTable, ScopeWord, Show, TableRule, Written,
};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// A set's name: the hash of its files' names and texts, in hexadecimal.
pub fn hash(texts: &Texts) -> String {
    let mut hash = Sha256::new();
    for part in texts.iter().flat_map(|(name, text)| [name, text]) {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    let mut shown = String::new();
    for byte in hash.finalize() {
        let _ = write!(shown, "{byte:02x}");
    }
    shown
}

/// One line for each thing that has changed, such as `sales_rep: contacts.phone partial → null; loses 0 rows, 1 column`.
/// A file whose change is told by none of them is named.
pub fn words((before, old): (&Written, &Texts), (after, new): (&Written, &Texts)) -> Vec<String> {
    let mut lines = Lines::default();
    defaults(&mut lines, before, after);
    each(&before.tables, &after.tables, |name, before, after| {
        lines.note("tables", table(name, before, after));
    });
    each(&before.scopes, &after.scopes, |name, before, after| {
        let text = |scope: Option<&CustomScope>| scope.map_or("nothing".to_owned(), |s| s.condition.text.clone());
        lines.note("tables", from_to(&format!("scope {name}"), &text(before), &text(after)));
    });
    each(&before.roles, &after.roles, |name, before, after| {
        let place = format!("roles/{name}");
        for line in role(before, after) {
            lines.note(&place, Some(format!("{name}: {line}")));
        }
    });
    let text = |written: &Written| {
        written
            .directory
            .as_ref()
            .map_or(String::new(), |d| d.users.text.clone())
    };
    lines.note("directory", from_to("directory.users", &text(before), &text(after)));
    let texts = |texts: &Texts| texts.iter().cloned().collect::<BTreeMap<_, _>>();
    each(&texts(old), &texts(new), |name, before, after| {
        let told = name.trim_end_matches(".toml");
        if before != after && !lines.about.contains(told) {
            lines.all.push(format!("{name} has changed in what is not told here"));
        }
    });
    lines.all
}

#[derive(Default)]
struct Lines {
    all: Vec<String>,
    /// Files, without their ending, of which something is told.
    about: BTreeSet<String>,
}

impl Lines {
    fn note(&mut self, file: &str, line: Option<String>) {
        if let Some(line) = line {
            self.about.insert(file.to_owned());
            self.all.push(line);
        }
    }
}

/// Calls with what stands under each name before and after.
fn each<T>(
    before: &BTreeMap<String, T>,
    after: &BTreeMap<String, T>,
    mut tell: impl FnMut(&str, Option<&T>, Option<&T>),
) {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        tell(name, before.get(name), after.get(name));
    }
}

fn from_to(what: &str, before: &str, after: &str) -> Option<String> {
    (before != after).then(|| format!("{what} {} → {}", shown(before), shown(after)))
}

fn shown(text: &str) -> &str {
    if text.is_empty() { "nothing" } else { text }
}

fn defaults(lines: &mut Lines, before: &Written, after: &Written) {
    let (old, new) = (&before.defaults, &after.defaults);
    let columns = |clear: bool| if clear { "clear" } else { "hidden" };
    let line = from_to(
        "defaults.columns",
        columns(old.columns_clear),
        columns(new.columns_clear),
    );
    lines.note("tables", line);
    for (what, old, new) in [
        ("defaults.unprotected", &old.unprotected, &new.unprotected),
        (
            "defaults.unprotected_writes",
            &old.unprotected_writes,
            &new.unprotected_writes,
        ),
    ] {
        lines.note("tables", from_to(what, &format!("{old:?}"), &format!("{new:?}")));
    }
}

fn table(name: &str, before: Option<&TableRule>, after: Option<&TableRule>) -> Option<String> {
    let (before, after) = match (before, after) {
        (None, _) => return Some(format!("{name} is protected from now on")),
        (_, None) => return Some(format!("{name} is protected no longer")),
        (Some(before), Some(after)) => (before, after),
    };
    let facts = |t: &TableRule| {
        let word = |w: &Option<super::file::Word>| w.as_ref().map_or(String::new(), |w| w.text.clone());
        let words = |all: &[super::file::Word]| all.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join(", ");
        let members = t.members.as_ref().map_or(String::new(), |m| {
            format!(
                "{} ({}; {}; {})",
                m.relation.text,
                words(&m.row),
                word(&m.user),
                word(&m.team)
            )
        });
        let parent = t.parent.as_ref();
        let parent = parent.map_or(String::new(), |p| format!("{} by {}", p.table.text, words(&p.column)));
        [
            ("relation", t.relation.text.clone()),
            ("key", words(&t.key)),
            ("owner", word(&t.owner)),
            ("team", word(&t.team)),
            ("members", members),
            ("parent", parent),
            (
                "harmless_triggers",
                t.harmless_triggers
                    .iter()
                    .map(|(name, _)| name.to_string())
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
        ]
    };
    let pairs = facts(before).into_iter().zip(facts(after));
    let changes: Vec<String> = pairs
        .filter_map(|((what, old), (_, new))| from_to(&format!("{name}.{what}"), &old, &new))
        .collect();
    (!changes.is_empty()).then(|| changes.join(", "))
}

fn role(before: Option<&RoleRule>, after: Option<&RoleRule>) -> Vec<String> {
    let (before, after) = match (before, after) {
        (None, Some(after)) => return vec![format!("a new role, with {} tables", after.tables.len())],
        (_, None) => return vec!["the role is gone; its people lose what it gave them".to_owned()],
        (Some(before), Some(after)) => (before, after),
    };
    let mut lines = Vec::new();
    let bypass = |role: &RoleRule| role.bypass.to_string();
    lines.extend(from_to("bypass", &bypass(before), &bypass(after)));
    each(&before.tables, &after.tables, |name, before, after| {
        lines.extend(role_table(name, before, after))
    });
    let rights: Vec<String> = rights(before)
        .into_iter()
        .zip(rights(after))
        .filter_map(|((what, old), (_, new))| from_to(&format!("rights.{what}"), &old, &new))
        .collect();
    if !rights.is_empty() {
        lines.push(rights.join(", "));
    }
    lines
}

fn rights(role: &RoleRule) -> Vec<(&'static str, String)> {
    // every field by name, so that a new one is not forgotten here
    let super::RoleRights {
        functions,
        listen,
        notify,
        may_act_for,
        act_again,
        act_by_application,
        explain,
        sleep,
        directory,
        temp_tables,
        derived_relations,
        message_functions,
        limits,
        concurrent_statements,
    } = &role.rights;
    let names = |all: &[crate::name::QualifiedName]| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let limits: Vec<String> = limits.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    vec![
        ("functions", names(functions)),
        ("message_functions", names(message_functions)),
        ("derived_relations", names(derived_relations)),
        ("listen", listen.join(", ")),
        ("notify", notify.join(", ")),
        ("may_act_for", may_act_for.join(", ")),
        ("act_again", act_again.to_string()),
        ("act_by_application", act_by_application.clone().unwrap_or_default()),
        ("explain", explain.to_string()),
        ("sleep", sleep.to_string()),
        ("directory", directory.to_string()),
        ("temp_tables", temp_tables.to_string()),
        ("limits", limits.join(", ")),
        (
            "concurrent_statements",
            concurrent_statements.map_or(String::new(), |n| n.to_string()),
        ),
    ]
}

/// What a role's people lose and gain of a table.
#[derive(Default)]
struct Balance {
    columns: usize,
    scopes: BTreeSet<String>,
    writes: BTreeSet<&'static str>,
}

impl Balance {
    fn is_nothing(&self) -> bool {
        self.columns == 0 && self.scopes.is_empty() && self.writes.is_empty()
    }

    fn told(&self, verb: &str) -> String {
        let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(", ");
        let rows = match self.scopes.len() {
            0 => "0 rows".to_owned(),
            _ => format!("the rows of {}", list(&self.scopes)),
        };
        let plural = if self.columns == 1 { "" } else { "s" };
        let mut text = format!("{verb} {rows}, {} column{plural}", self.columns);
        for operation in &self.writes {
            let _ = write!(text, ", {operation} on some rows");
        }
        text
    }
}

fn role_table(name: &str, before: Option<&RoleTable>, after: Option<&RoleTable>) -> Option<String> {
    let (before, after) = match (before, after) {
        (None, Some(after)) => {
            return Some(format!(
                "{name} view {}, a table that it did not have",
                scopes(&after.view)
            ));
        }
        (_, None) => return Some(format!("{name} is gone; loses every row and column of it")),
        (Some(before), Some(after)) => (before, after),
    };
    let (mut lost, mut gained) = (Balance::default(), Balance::default());
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
    if changes.is_empty() {
        return None;
    }
    let mut line = format!("{}; {}", changes.join(", "), lost.told("loses"));
    if !gained.is_nothing() {
        let _ = write!(line, "; {}", gained.told("gains"));
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::load::read_texts;

    const TABLES: &str = "[customers]\nrelation = \"public.customers\"\nkey = \"id\"\nowner = \"owner_id\"\n[contacts]\nrelation = \"public.contacts\"\nkey = \"id\"\n";
    const REP: &str = "title = \"Rep\"\n[customers]\nview = [\"own\", \"member\"]\n[contacts]\nview = [\"all\"]\n[contacts.columns]\nphone = { mask = \"partial\", keep = [3, 4] }\nemail = \"clear\"\n";

    fn set(files: &[(&str, &str)]) -> (Written, Texts) {
        let texts: Texts = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        let (written, problems) = read_texts("", &texts);
        assert!(problems.is_empty(), "{problems:?}");
        (written, texts)
    }

    fn change(tables: &str, role: &str) -> Vec<String> {
        let (before, old) = set(&[("roles/sales_rep.toml", REP), ("tables.toml", TABLES)]);
        let (after, new) = set(&[("roles/sales_rep.toml", role), ("tables.toml", tables)]);
        words((&before, &old), (&after, &new))
    }

    #[test]
    fn columns_and_scopes() {
        let null = REP.replace("{ mask = \"partial\", keep = [3, 4] }", "{ mask = \"null\" }");
        assert_eq!(
            change(TABLES, &null),
            ["sales_rep: contacts.phone partial (3, 4) → null; loses 0 rows, 1 column"]
        );
        let hidden = REP.replace("\"clear\"", "\"hidden\"").replace("[\"all\"]", "[\"own\"]");
        assert_eq!(
            change(TABLES, &hidden),
            ["sales_rep: contacts view all → own, contacts.email clear → hidden; loses the rows of all, 1 column"]
        );
        let wider = REP.replace("[\"own\", \"member\"]", "[\"all\"]\nedit = [\"own\"]");
        assert_eq!(
            change(TABLES, &wider),
            [
                "sales_rep: customers view own, member → all, customers edit nothing → own; loses 0 rows, 0 columns; gains the rows of all, 0 columns, edit on some rows"
            ]
        );
        let except = REP.replace("keep = [3, 4]", "keep = [3, 4], except = [\"own\"]");
        assert_eq!(
            change(TABLES, &except),
            [
                "sales_rep: contacts.phone partial (3, 4) → partial (3, 4) except own; loses 0 rows, 0 columns; gains 0 rows, 1 column"
            ]
        );
    }

    #[test]
    fn tables_rights_and_whatever_else() {
        assert_eq!(change(TABLES, REP), Vec::<String>::new());
        let tables = TABLES.replace("owner_id", "sales_id");
        assert_eq!(change(&tables, REP), ["customers.owner owner_id → sales_id"]);
        let rights = format!("{REP}[rights]\nexplain = true\nlisten = [\"deals\"]\n");
        assert_eq!(
            change(TABLES, &rights),
            ["sales_rep: rights.listen nothing → deals, rights.explain false → true"]
        );
        let title = REP.replace("\"Rep\"", "\"Representative\"");
        assert_eq!(
            change(TABLES, &title),
            ["roles/sales_rep.toml has changed in what is not told here"]
        );
        let bypass = "title = \"Rep\"\nbypass = true\n";
        assert_eq!(
            change(TABLES, bypass),
            [
                "sales_rep: bypass false → true",
                "sales_rep: contacts is gone; loses every row and column of it",
                "sales_rep: customers is gone; loses every row and column of it",
            ]
        );
    }

    #[test]
    fn a_set_has_a_name() {
        let (_, one) = set(&[("roles/sales_rep.toml", REP), ("tables.toml", TABLES)]);
        let (_, other) = set(&[
            ("roles/sales_rep.toml", REP),
            ("tables.toml", &TABLES.replace("owner_id", "x")),
        ]);
        assert_eq!(hash(&one).len(), 64);
        assert_eq!(hash(&one), hash(&one.clone()));
        assert_ne!(hash(&one), hash(&other));
    }
}
