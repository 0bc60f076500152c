//! One case: a statement, or a few that belong together, with what has to be tidied up after them.

use super::{Gen, Param, Query};
use crate::schema::{Schema, Ty};
use crate::tape::Tape;
use crate::wire::Mode;

/// One exchange with the server.
#[derive(Debug, Clone)]
pub struct Step {
    pub sql: String,
    pub params: Vec<Param>,
    /// Compare the rows in order.
    pub ordered: bool,
    /// Holds a condition that may raise, where the planner decides whether it runs.
    pub leaky: bool,
    /// Must go by the simple protocol.
    pub simple: bool,
    /// Rows to ask for in the first Execute; 0 for all.
    pub row_limit: i32,
    /// What D′ is asked instead, where its answer is that of other words.
    pub prime: Option<String>,
    /// What a COPY … FROM STDIN sends.
    pub data: Option<Vec<u8>>,
}

impl Step {
    pub fn plain(sql: impl Into<String>) -> Self {
        Self {
            sql: sql.into(),
            params: Vec::new(),
            ordered: false,
            leaky: false,
            simple: false,
            row_limit: 0,
            prime: None,
            data: None,
        }
    }

    fn of(q: &Query, leaky: bool) -> Self {
        Self {
            ordered: q.ordered,
            leaky,
            ..Self::plain(q.sql.clone())
        }
    }
}

/// A generated case.
#[derive(Debug, Clone)]
pub struct Case {
    pub kind: &'static str,
    pub steps: Vec<Step>,
    pub cleanup: Vec<String>,
    /// Uses parameters, so the extended protocol only.
    pub extended: bool,
}

impl Case {
    /// How it travels, where `wanted` is asked for.
    pub fn mode(&self, wanted: Mode) -> Mode {
        if self.extended && wanted == Mode::Simple {
            Mode::ExtendedText
        } else {
            wanted
        }
    }
}

/// Generates one case from a tape.
pub fn case(tape: &mut Tape, schema: &Schema, whole: &Schema) -> Case {
    let mut g = Gen::new(tape, schema, whole);
    let kind = g
        .tape
        .weighted(&[470, 160, 60, 40, 25, 30, 35, 30, 25, 30, 20, 25, 25, 25, 20]);
    match kind {
        1 => g.with_parameters(),
        2 => g.set_or_cte(),
        3 => g.distinct_on_case(),
        4 => g.table_command(),
        5 => g.copy_out(),
        6 => g.cursor(),
        7 => g.prepared(),
        8 => g.temp_table(),
        9 => g.recursive(),
        10 => g.transaction(),
        11 => g.several(),
        12 => g.unknown_name(),
        13 => g.under_search_path(),
        14 => g.locking(),
        _ => g.one(),
    }
}

impl Gen<'_> {
    pub fn top(&mut self) -> Query {
        let depth = self.tape.weighted(&[20, 45, 35]);
        self.query(&[], depth, None)
    }

    pub fn finish(&self, kind: &'static str, steps: Vec<Step>) -> Case {
        Case {
            kind,
            steps,
            cleanup: Vec::new(),
            extended: false,
        }
    }

    fn one(&mut self) -> Case {
        let q = self.top();
        let mut step = Step::of(&q, self.leaky);
        if self.tape.chance(10) {
            step.row_limit = 2;
        }
        self.finish("select", vec![step])
    }

    fn with_parameters(&mut self) -> Case {
        self.params = Some(Vec::new());
        let q = self.top();
        let mut step = Step::of(&q, self.leaky);
        step.params = self.params.take().unwrap_or_default();
        let mut case = self.finish("parameters", vec![step]);
        case.extended = true;
        case
    }

    fn set_or_cte(&mut self) -> Case {
        let q = self.query(&[], 2, Some(&[Ty::Int, Ty::Text]));
        let step = Step::of(&q, self.leaky);
        self.finish("typed", vec![step])
    }

    fn distinct_on_case(&mut self) -> Case {
        match self.distinct_on() {
            Some(q) => {
                let step = Step::of(&q, false);
                self.finish("distinct on", vec![step])
            }
            None => self.one(),
        }
    }

    fn table_command(&mut self) -> Case {
        let mut sources = Vec::new();
        let name = self.table(&[], &mut sources);
        let name = name.split(" AS ").next().unwrap_or(&name).to_owned();
        let name = if name.contains(' ') && !name.starts_with("ONLY") {
            name.split(' ').next().unwrap_or("customers").to_owned()
        } else {
            name
        };
        let sql = match self.tape.below(3) {
            0 => format!("TABLE {name}"),
            1 => format!("SELECT count(*) FROM (TABLE {name}) AS t"),
            _ => format!("(TABLE {name} LIMIT 0) UNION ALL TABLE {name}"),
        };
        let sql = if name.starts_with("ONLY") && name.split(' ').count() > 2 {
            "TABLE customers".to_owned()
        } else {
            sql
        };
        self.finish("table", vec![Step::plain(sql)])
    }

    fn prepared(&mut self) -> Case {
        self.params = Some(Vec::new());
        let q = self.top();
        let params = self.params.take().unwrap_or_default();
        let prepare = Step::plain(format!("PREPARE p1 AS {}", q.sql));
        let args: Vec<String> = params
            .iter()
            .map(|p| p.value.as_ref().map_or_else(|| "NULL".to_owned(), |v| super::quoted(v)))
            .collect();
        let text = if args.is_empty() {
            "EXECUTE p1".to_owned()
        } else {
            format!("EXECUTE p1({})", args.join(", "))
        };
        let run = Step {
            ordered: q.ordered,
            leaky: self.leaky,
            ..Step::plain(text)
        };
        let steps = vec![prepare, run.clone(), run, Step::plain("DEALLOCATE p1")];
        let mut case = self.finish("prepare", steps);
        case.cleanup = vec!["DEALLOCATE ALL".to_owned()];
        case
    }

    fn several(&mut self) -> Case {
        let a = self.top();
        let b = self.top();
        let mut step = Step::plain(format!("{};\n{} ;", a.sql, b.sql));
        step.simple = true;
        step.leaky = self.leaky;
        self.finish("several", vec![step])
    }

    fn unknown_name(&mut self) -> Case {
        let mut sources = Vec::new();
        let from = self.table(&[], &mut sources);
        let ghost = sources.first().and_then(|s| s.row.phantom.first().cloned());
        let alias = sources.first().map_or_else(String::new, |s| s.row.alias.clone());
        let hidden = ghost.clone().unwrap_or_else(|| "no_such_column".to_owned());
        let sql = match self.tape.below(9) {
            0 => format!("SELECT {hidden} FROM {from}"),
            1 => format!("SELECT {alias}.{hidden} FROM {from}"),
            2 => format!("SELECT ({alias}).{hidden} FROM {from}"),
            3 => format!("SELECT 1 FROM {from} WHERE {hidden} IS NULL"),
            4 => format!("SELECT 1 FROM {from} ORDER BY {hidden}"),
            5 => "SELECT * FROM no_such_table".to_owned(),
            6 => "SELECT * FROM nowhere.customers".to_owned(),
            7 => format!("SELECT count(*) FROM {from} GROUP BY {hidden}"),
            _ => format!("SELECT {alias}.nothing FROM {from}"),
        };
        self.finish("unknown", vec![Step::plain(sql)])
    }
}
