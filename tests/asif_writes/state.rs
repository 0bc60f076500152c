//! What stands in a database: its fingerprint, its rows, and the way back to how it was.

use crate::dprime::{roles, run};
use crate::prime::{key, leaves};
use crate::schema::texts;
use crate::wire::Client;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A row by column name, as text.
pub type Row = BTreeMap<String, Option<String>>;
/// The rows of one table by key.
pub type Rows = BTreeMap<String, Row>;

/// What the sequences give.
pub const DRAWN: std::ops::Range<i64> = 3_000_001..3_900_000;

/// Where the original rows are kept.
const KEEP: &str = "asif_keep";

/// A table that holds rows itself.
#[derive(Debug, Clone)]
struct Leaf {
    root: &'static str,
    name: &'static str,
    columns: Vec<String>,
    /// Rows that left the person's view are put into it.
    gone: Option<String>,
}

/// Watches one database, which the superuser's connection is for.
pub struct Watch {
    pub client: Client,
    leaves: Vec<Leaf>,
    fingerprint: String,
    original: Vec<String>,
    /// The rows as they were.
    pub before: BTreeMap<&'static str, Rows>,
    sequences: Vec<String>,
}

fn list(columns: &[String]) -> String {
    let quoted: Vec<String> = columns.iter().map(|c| format!("\"{c}\"")).collect();
    quoted.join(", ")
}

/// Inheritance children have columns of their own, so they count as tables of their own.
pub fn root_of(table: &'static str, leaf: &'static str) -> &'static str {
    if leaf == "public.calls" { leaf } else { table }
}

impl Watch {
    /// Keeps what stands there now as the original.
    pub fn begin(mut client: Client) -> Self {
        run(
            &mut client,
            &format!(
                "{}; SET session_replication_role = replica; DROP SCHEMA IF EXISTS {KEEP} CASCADE; CREATE SCHEMA {KEEP}",
                crate::SETTINGS
            ),
        );
        let mut found = Vec::new();
        for root in roles::TABLES {
            for name in leaves(root) {
                let columns: Vec<String> = texts(
                    &mut client,
                    &format!(
                        "SELECT attname FROM pg_attribute WHERE attrelid = '{name}'::regclass AND attnum > 0 \
                         AND NOT attisdropped AND attgenerated = '' ORDER BY attnum"
                    ),
                )
                .into_iter()
                .filter_map(|mut r| r.remove(0))
                .collect();
                let gone = texts(
                    &mut client,
                    &format!("SELECT to_regclass('asif.gone_{}')::text", name.replace('.', "_")),
                );
                run(
                    &mut client,
                    &format!(
                        "CREATE TABLE {KEEP}.\"{name}\" AS SELECT {} FROM ONLY {name}",
                        list(&columns)
                    ),
                );
                found.push(Leaf {
                    root: root_of(root, name),
                    name,
                    columns,
                    gone: gone.into_iter().flatten().next().flatten(),
                });
            }
        }
        let parts: Vec<String> = found
            .iter()
            .map(|l| {
                format!(
                    "SELECT '{0}', count(*)::text || '/' || coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM ONLY {0} AS t",
                    l.name
                )
            })
            .collect();
        let sequences: Vec<String> = texts(
            &mut client,
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind = 'S' AND n.nspname IN ('public', 'crm')",
        )
        .into_iter()
        .filter_map(|mut r| r.remove(0))
        .collect();
        let mut watch = Self {
            client,
            leaves: found,
            fingerprint: parts.join(" UNION ALL "),
            original: Vec::new(),
            before: BTreeMap::new(),
            sequences,
        };
        watch.original = watch.prints();
        let all: Vec<usize> = (0..watch.leaves.len()).collect();
        watch.before = watch.rows(&all);
        watch
    }

    fn prints(&mut self) -> Vec<String> {
        texts(&mut self.client, &self.fingerprint)
            .into_iter()
            .map(|mut r| r.remove(1).unwrap_or_default())
            .collect()
    }

    /// Which tables are not as they were.
    pub fn changed(&mut self) -> Vec<usize> {
        let now = self.prints();
        (0..now.len()).filter(|i| now[*i] != self.original[*i]).collect()
    }

    /// The rows of some tables as they are.
    pub fn rows(&mut self, which: &[usize]) -> BTreeMap<&'static str, Rows> {
        let mut out: BTreeMap<&'static str, Rows> = BTreeMap::new();
        for leaf in which.iter().map(|i| self.leaves[*i].clone()) {
            let from = format!("ONLY {}", leaf.name);
            read(&mut self.client, &leaf, &from, out.entry(leaf.root).or_default());
        }
        out
    }

    /// The root tables of leaves, and every leaf of each.
    pub fn whole_families(&self, which: &[usize]) -> Vec<usize> {
        let roots: Vec<&str> = which.iter().map(|i| self.leaves[*i].root).collect();
        (0..self.leaves.len())
            .filter(|i| roots.contains(&self.leaves[*i].root))
            .collect()
    }

    /// Rows that left the person's view by their own doing.
    pub fn gone(&mut self, which: &[usize]) -> BTreeMap<&'static str, Rows> {
        let mut out: BTreeMap<&'static str, Rows> = BTreeMap::new();
        for leaf in which.iter().map(|i| self.leaves[*i].clone()) {
            if let Some(table) = leaf.gone.clone() {
                read(&mut self.client, &leaf, &table, out.entry(leaf.root).or_default());
            }
        }
        out
    }

    /// Values that a mask has taken the place of: table, key, column and value. What was proposed and met a row that
    /// is there was not made.
    pub fn side(&mut self) -> Vec<(String, String, String, Option<String>)> {
        let before = &self.before;
        texts(
            &mut self.client,
            "SELECT tab, key, col, value, made::text FROM asif.side",
        )
        .into_iter()
        .filter(|r| {
            let cell = |i: usize| r[i].as_deref().unwrap_or_default();
            cell(4) != "true" || !before.get(cell(0)).is_some_and(|rows| rows.contains_key(cell(1)))
        })
        .map(|r| {
            let cell = |i: usize| r[i].clone().unwrap_or_default();
            (cell(0), cell(1), cell(2), r[3].clone())
        })
        .collect()
    }

    /// Puts everything back.
    pub fn restore(&mut self, which: &[usize]) {
        let mut sql = String::new();
        for leaf in which.iter().map(|i| &self.leaves[*i]) {
            let columns = list(&leaf.columns);
            let name = leaf.name;
            let _ = write!(
                sql,
                "DELETE FROM ONLY {name} WHERE ROW({columns})::text NOT IN (SELECT ROW({columns})::text FROM {KEEP}.\"{name}\");\n\
                 INSERT INTO {name} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {KEEP}.\"{name}\" \
                 WHERE ROW({columns})::text NOT IN (SELECT ROW({columns})::text FROM ONLY {name});\n"
            );
        }
        if !sql.is_empty() {
            run(&mut self.client, &sql);
            assert!(
                self.changed().is_empty(),
                "{} is as it was",
                self.client.address.database
            );
        }
    }

    /// Empties what was put aside.
    pub fn forget(&mut self) {
        let mut sql = String::from("DELETE FROM asif.side;");
        for table in self.leaves.iter().filter_map(|l| l.gone.as_ref()) {
            let _ = write!(sql, "DELETE FROM {table};");
        }
        run(&mut self.client, &sql);
    }

    /// Sets every sequence to the same place.
    pub fn wind(&mut self) {
        let place = |s: &String| format!("setval('{s}', {})", DRAWN.start - 1);
        let all: Vec<String> = self.sequences.iter().map(place).collect();
        run(&mut self.client, &format!("SELECT {}", all.join(", ")));
    }

    /// Sets every sequence to where another database's stands: how many numbers a statement has drawn when it fails is
    /// PostgreSQL's own affair, and nobody gets them back.
    pub fn follow(&mut self, other: &mut Self) {
        let place = |s: &String| format!("SELECT format('setval(%L, %s, %L)', '{s}', last_value, is_called) FROM {s}");
        let all: Vec<String> = other.sequences.iter().map(place).collect();
        let places: Vec<String> = texts(&mut other.client, &all.join(" UNION ALL "))
            .into_iter()
            .filter_map(|mut r| r.remove(0))
            .collect();
        run(&mut self.client, &format!("SELECT {}", places.join(", ")));
    }

    /// Takes dead rows away, which every case leaves.
    pub fn vacuum(&mut self) {
        // however long it takes
        run(&mut self.client, "SET statement_timeout = 0");
        run(&mut self.client, "VACUUM");
        run(&mut self.client, "RESET statement_timeout");
    }
}

fn read(client: &mut Client, leaf: &Leaf, from: &str, into: &mut Rows) {
    let values: Vec<String> = leaf.columns.iter().map(|c| format!("t.\"{c}\"::text")).collect();
    let sql = format!(
        "SELECT {}, {} FROM {from} AS t",
        key(leaf.root, "t."),
        values.join(", ")
    );
    for mut row in texts(client, &sql) {
        let values = row.split_off(1);
        let mut id = row.remove(0).unwrap_or_default();
        // a table without a primary key may hold an id twice
        while into.contains_key(&id) {
            id.push('\'');
        }
        into.insert(id, leaf.columns.iter().cloned().zip(values).collect());
    }
}
