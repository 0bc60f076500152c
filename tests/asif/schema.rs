//! What the generator may name: relations, their columns and sample values, read from the databases themselves.

use crate::wire::Client;
use std::collections::BTreeMap;

/// The sorts of value that the grammar knows how to combine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ty {
    Int,
    Text,
    Num,
    Bool,
    Big,
    Date,
    Stamp,
    Enum(String),
    Jsonb,
    Json,
    TextArr,
    IntArr,
    Interval,
    Row,
    Other(String),
}

impl Ty {
    /// The sort of a type as `format_type` prints it.
    pub fn of(name: &str, is_enum: bool) -> Self {
        let base = name.split('(').next().unwrap_or(name).trim();
        match base {
            _ if name.ends_with("[]") => match base.trim_end_matches("[]") {
                "text" | "character varying" => Self::TextArr,
                "integer" => Self::IntArr,
                _ => Self::Other(name.to_owned()),
            },
            _ if is_enum => Self::Enum(name.to_owned()),
            "smallint" | "integer" => Self::Int,
            "bigint" => Self::Big,
            "numeric" => Self::Num,
            "text" | "character varying" | "character" => Self::Text,
            "boolean" => Self::Bool,
            "date" => Self::Date,
            _ if base.starts_with("timestamp") && name.ends_with("with time zone") => Self::Stamp,
            "jsonb" => Self::Jsonb,
            "json" => Self::Json,
            "interval" => Self::Interval,
            _ => Self::Other(name.to_owned()),
        }
    }

    /// The type's name in a cast.
    pub fn sql(&self) -> &str {
        match self {
            Self::Int => "int4",
            Self::Big => "int8",
            Self::Num => "numeric",
            Self::Text => "text",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::Stamp => "timestamptz",
            Self::Enum(name) | Self::Other(name) => name,
            Self::Jsonb => "jsonb",
            Self::Json => "json",
            Self::TextArr => "text[]",
            Self::IntArr => "int4[]",
            Self::Interval => "interval",
            Self::Row => "record",
        }
    }

    /// May it stand in ORDER BY, GROUP BY, DISTINCT and UNION?
    pub fn sorts(&self) -> bool {
        !matches!(self, Self::Json | Self::Row | Self::Other(_))
    }
}

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub ty: Ty,
    /// Values that occur in D, hidden or not, as text.
    pub samples: Vec<String>,
}

/// A table, view or the like.
#[derive(Debug, Clone)]
pub struct Relation {
    pub schema: String,
    pub name: String,
    pub kind: char,
    pub is_partition: bool,
    pub columns: Vec<Column>,
    pub primary_key: Vec<String>,
}

impl Relation {
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }
}

/// Everything in the schemas that hold data.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    pub relations: Vec<Relation>,
    /// The server's major version: what newer ones have is asked of them alone.
    pub version: u32,
}

const COLUMNS: &str = "
SELECT n.nspname, c.relname, c.relkind, c.relispartition::text, a.attname,
       format_type(a.atttypid, a.atttypmod), (t.typtype = 'e')::text,
       coalesce((SELECT true FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary
                 AND a.attnum = ANY (i.indkey)), false)::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     JOIN pg_type t ON t.oid = a.atttypid
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'asif', 'rowgate') AND c.relkind IN ('r','v','m','p')
      AND has_table_privilege(c.oid, 'SELECT')
ORDER BY c.relkind = 'v', n.nspname, c.relname, a.attnum";

/// Runs a query whose every value is wanted as text.
pub fn texts(client: &mut Client, sql: &str) -> Vec<Vec<Option<String>>> {
    let answer = client.simple(sql).expect("the database answers");
    assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
    answer
        .results
        .into_iter()
        .flat_map(|r| r.rows)
        .map(|row| {
            row.into_iter()
                .map(|v| v.map(|b| String::from_utf8_lossy(&b).into_owned()))
                .collect()
        })
        .collect()
}

impl Schema {
    /// Reads what a connection can see; sample values come from `values` (the whole database).
    pub fn read(client: &mut Client, values: Option<&Schema>) -> Self {
        let mut by_name: BTreeMap<(String, String), usize> = BTreeMap::new();
        let mut relations: Vec<Relation> = Vec::new();
        for row in texts(client, COLUMNS) {
            let cell = |i: usize| row[i].clone().unwrap_or_default();
            let key = (cell(0), cell(1));
            let at = *by_name.entry(key).or_insert_with(|| {
                relations.push(Relation {
                    schema: cell(0),
                    name: cell(1),
                    kind: cell(2).chars().next().unwrap_or('r'),
                    is_partition: cell(3) == "true",
                    columns: Vec::new(),
                    primary_key: Vec::new(),
                });
                relations.len() - 1
            });
            if cell(7) == "true" {
                relations[at].primary_key.push(cell(4));
            }
            relations[at].columns.push(Column {
                name: cell(4),
                ty: Ty::of(&cell(5), cell(6) == "true"),
                samples: Vec::new(),
            });
        }
        let number = texts(client, "SHOW server_version_num").remove(0).remove(0);
        let version = number.and_then(|n| n.parse::<u32>().ok()).expect("a version") / 10_000;
        let mut schema = Self { relations, version };
        match values {
            Some(other) => schema.take_samples(other),
            None => schema.read_samples(client),
        }
        schema
    }

    fn read_samples(&mut self, client: &mut Client) {
        for r in &mut self.relations {
            for c in &mut r.columns {
                let sql = format!(
                    "SELECT v FROM (SELECT DISTINCT \"{0}\"::text AS v FROM \"{1}\".\"{2}\" WHERE \"{0}\" IS NOT NULL) s \
                     ORDER BY md5(v) LIMIT 24",
                    c.name, r.schema, r.name
                );
                c.samples = texts(client, &sql)
                    .into_iter()
                    .filter_map(|mut v| v.remove(0))
                    .collect();
            }
        }
    }

    fn take_samples(&mut self, from: &Schema) {
        for r in &mut self.relations {
            let Some(whole) = from.find(&r.schema, &r.name) else {
                continue;
            };
            for c in &mut r.columns {
                if let Some(known) = whole.column(&c.name) {
                    c.samples.clone_from(&known.samples);
                }
            }
        }
    }

    pub fn find(&self, schema: &str, name: &str) -> Option<&Relation> {
        self.relations.iter().find(|r| r.schema == schema && r.name == name)
    }
}
