//! What a new set of policies changes, in words: for the log, and for whoever keeps a record of it.

mod role_tables;
mod roles;

use super::load::Texts;
use super::reach::Counts;
use super::written::{CustomScope, DirectoryRule, TableRule, Written};
use roles::role;
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

/// One line for each thing that has changed, such as `sales_rep: contacts.phone partial → null; loses 0 rows, 1 column`,
/// with the rows that were counted. A file whose change is told by none of them is named.
pub fn words((before, old): (&Written, &Texts), (after, new): (&Written, &Texts), counts: &Counts) -> Vec<String> {
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
        let count = |table: &str| counts.get(&(name.to_owned(), table.to_owned()));
        for line in role(before, after, &count) {
            lines.note(&place, Some(format!("{name}: {line}")));
        }
    });
    let (old_people, new_people) = (people(before), people(after));
    for ((what, old), (_, new)) in old_people.iter().zip(&new_people) {
        lines.note("directory", from_to(&format!("directory.{what}"), old, new));
    }
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

fn people(written: &Written) -> [(&'static str, String); 4] {
    let rule = written.directory.as_ref();
    let text = |of: fn(&DirectoryRule) -> String| rule.map_or(String::new(), of);
    [
        ("users", text(|d| d.users.text.clone())),
        (
            "teams",
            text(|d| d.teams.as_ref().map_or(String::new(), |t| t.text.clone())),
        ),
        ("refresh", text(|d| format!("{:?}", d.refresh))),
        ("keep", text(|d| format!("{:?}", d.keep))),
    ]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::load::read_texts;
    use crate::policy::reach::Count;

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
        words((&before, &old), (&after, &new), &Counts::new())
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
    fn rows_as_they_were_counted() {
        let (before, old) = set(&[("roles/sales_rep.toml", REP), ("tables.toml", TABLES)]);
        let less = REP.replace("[\"own\", \"member\"]", "[\"own\"]");
        let (after, new) = set(&[("roles/sales_rep.toml", &less), ("tables.toml", TABLES)]);
        let told = |table: &str, count: Count| {
            let counts = Counts::from([(("sales_rep".to_owned(), table.to_owned()), count)]);
            words((&before, &old), (&after, &new), &counts).join("|")
        };
        let rows = |lost, counted, people| Count::Rows {
            lost,
            gained: 0,
            counted,
            people,
        };
        let begin = "sales_rep: customers view own, member → own; loses";
        for (count, end) in [
            (
                rows(37, 20, 312),
                "up to 37 rows a person, 0 columns; 20 of 312 people were counted",
            ),
            (rows(37, 2, 2), "up to 37 rows a person, 0 columns"),
            (rows(1, 1, 1), "1 row, 0 columns"),
            (rows(0, 2, 2), "0 rows, 0 columns"),
            (Count::Nobody, "0 rows, 0 columns"),
            (
                Count::Not("it takes too long".to_owned()),
                "the rows of member (not counted: it takes too long), 0 columns",
            ),
        ] {
            assert_eq!(told("customers", count), format!("{begin} {end}"));
        }
        // what has changed elsewhere
        assert_eq!(
            told("contacts", rows(3, 1, 1)),
            format!(
                "sales_rep: contacts has other rows; loses 3 rows, 0 columns|{begin} the rows of member, 0 columns"
            )
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
    fn who_people_are() {
        let directory = |more: &str| format!("[directory]\nusers = \"SELECT 1\"\n{more}");
        let (before, old) = set(&[("directory.toml", &directory("refresh = \"200ms\"\n"))]);
        let (after, new) = set(&[(
            "directory.toml",
            &directory("teams = \"SELECT 2\"\nkeep = \"120min\"\n"),
        )]);
        let told = words((&before, &old), (&after, &new), &Counts::new());
        assert_eq!(
            told,
            [
                "directory.teams nothing → SELECT 2",
                "directory.refresh 200ms → 5s",
                "directory.keep 600s → 7200s"
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
