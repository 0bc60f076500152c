//! A seeded grammar of statements: everything that contract §3 and §4 speak of, over whatever schema the databases have.

pub mod case;
pub mod expression;
pub mod from;
pub mod predicate;
pub mod query;
pub mod scripts;

use crate::schema::{Schema, Ty};
use crate::tape::Tape;

/// A column (or a grouping key) that an expression may use.
#[derive(Debug, Clone)]
pub struct Avail {
    /// Ways to write it, the plainest first.
    pub forms: Vec<String>,
    pub name: String,
    pub alias: String,
    pub ty: Ty,
    pub samples: Vec<String>,
}

/// A relation in FROM whose whole row may be used.
#[derive(Debug, Clone)]
pub struct RowRef {
    pub alias: String,
    pub columns: Vec<(String, Ty)>,
    /// Columns of the real table that this person does not have: mentioning one is an error.
    pub phantom: Vec<String>,
    /// Columns that identify a row.
    pub key: Vec<String>,
    /// A real table, partition or view (has a row type of its own).
    pub is_relation: bool,
    /// Has system columns.
    pub is_table: bool,
}

/// What an expression may refer to.
#[derive(Debug, Clone, Default)]
pub struct Env {
    pub items: Vec<Avail>,
    pub rows: Vec<RowRef>,
    /// Columns of enclosing queries.
    pub outer: Vec<Avail>,
    /// In a grouped query: what aggregates may take.
    pub inside: Option<Box<Env>>,
}

impl Env {
    /// What a subquery standing here sees as its outer columns.
    pub fn as_outer(&self) -> Vec<Avail> {
        let mut out = self.items.clone();
        for a in &mut out {
            a.forms.retain(|f| f.contains('.'));
        }
        out.retain(|a| !a.forms.is_empty());
        out.extend(self.outer.iter().filter(|o| !self.hides(&o.alias)).cloned());
        out
    }

    fn hides(&self, alias: &str) -> bool {
        self.rows.iter().any(|r| r.alias == alias) || self.items.iter().any(|i| i.alias == alias)
    }

    /// Drops outer columns whose qualifier is taken by a nearer relation.
    pub fn settle(mut self) -> Self {
        let outer = std::mem::take(&mut self.outer);
        self.outer = outer.into_iter().filter(|o| !self.hides(&o.alias)).collect();
        self
    }
}

/// A named query in scope.
#[derive(Debug, Clone)]
pub struct Cte {
    pub name: String,
    pub columns: Vec<(String, Ty)>,
}

/// A parameter of the extended protocol.
#[derive(Debug, Clone)]
pub struct Param {
    pub value: Option<String>,
}

/// A generated query.
#[derive(Debug, Clone)]
pub struct Query {
    pub sql: String,
    pub columns: Vec<(String, Ty)>,
    /// Its rows come in a total order.
    pub ordered: bool,
}

/// The generator: one statement's worth of state.
pub struct Gen<'a> {
    pub tape: &'a mut Tape,
    /// What the person has (D′).
    pub schema: &'a Schema,
    /// What there is (D): for names that must not resolve.
    pub whole: &'a Schema,
    pub ctes: Vec<Cte>,
    /// Parameters so far; `None` where none may be used.
    pub params: Option<Vec<Param>>,
    /// A condition that may raise has been written where the planner may or may not run it.
    pub leaky: bool,
    /// Something's value depends on which rows come first.
    pub aliases: usize,
}

impl<'a> Gen<'a> {
    pub fn new(tape: &'a mut Tape, schema: &'a Schema, whole: &'a Schema) -> Self {
        Self {
            tape,
            schema,
            whole,
            ctes: Vec::new(),
            params: None,
            leaky: false,
            aliases: 0,
        }
    }

    /// A name not used before in this statement.
    pub fn fresh(&mut self, prefix: &str) -> String {
        self.aliases += 1;
        format!("{prefix}{}", self.aliases)
    }

    /// A value as a literal, or as a parameter where that is possible.
    pub fn constant(&mut self, value: &str, ty: &Ty) -> String {
        let may = self.params.is_some();
        if may && self.tape.chance(50) {
            let bare = self.tape.chance(50) && !matches!(ty, Ty::Enum(_) | Ty::Other(_));
            if let Some(params) = &mut self.params {
                params.push(Param {
                    value: Some(value.to_owned()),
                });
                let n = params.len();
                return if bare {
                    format!("${n}::{}", ty.sql())
                } else {
                    format!("${n}")
                };
            }
        }
        literal(value, ty)
    }
}

/// An identifier, quoted where it has to be.
pub fn ident(name: &str) -> String {
    let plain = name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !matches!(
            name,
            "user" | "order" | "group" | "end" | "from" | "to" | "table" | "select"
        );
    if plain {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// A string constant that reads the same under every setting.
pub fn quoted(value: &str) -> String {
    if value.contains('\\') {
        format!(" E'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
    } else {
        format!("'{}'", value.replace('\'', "''"))
    }
}

/// A constant of a type.
pub fn literal(value: &str, ty: &Ty) -> String {
    match ty {
        Ty::Int | Ty::Big | Ty::Num if !value.starts_with('-') => value.to_owned(),
        Ty::Int | Ty::Big | Ty::Num => format!("({value})"),
        Ty::Bool => if value.starts_with('t') { "true" } else { "false" }.to_owned(),
        Ty::Text => quoted(value),
        other => format!("{}::{}", quoted(value), other.sql()),
    }
}
