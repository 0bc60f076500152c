//! Cases of several statements: cursors, temp tables, transactions, COPY, search_path, recursion.

use super::case::{Case, Step};
use super::{Gen, ident};
use crate::schema::Ty;

impl Gen<'_> {
    fn step(&mut self) -> Step {
        let before = self.leaky;
        self.leaky = false;
        let q = self.top();
        let step = Step {
            ordered: q.ordered,
            leaky: self.leaky,
            ..Step::plain(q.sql)
        };
        self.leaky |= before;
        step
    }

    /// `COPY … TO STDOUT` of a query or a table.
    pub fn copy_out(&mut self) -> Case {
        let options = *self.tape.pick(&[
            "",
            " WITH (FORMAT csv, HEADER)",
            " CSV",
            " WITH (FORMAT text, NULL 'none')",
        ]);
        let mut step = if self.tape.chance(50) {
            let q = self.top();
            Step {
                ordered: q.ordered,
                leaky: self.leaky,
                ..Step::plain(format!("COPY ({}) TO STDOUT{options}", q.sql))
            }
        } else {
            let names: Vec<(String, Vec<String>)> = self
                .schema
                .relations
                .iter()
                .map(|r| (r.name.clone(), r.columns.iter().map(|c| c.name.clone()).collect()))
                .collect();
            let (name, columns) = self.tape.pick(&names).clone();
            let list = if self.tape.chance(40) {
                let some: Vec<String> = columns
                    .iter()
                    .filter(|_| self.tape.chance(40))
                    .map(|c| ident(c))
                    .collect();
                if some.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", some.join(", "))
                }
            } else {
                String::new()
            };
            Step::plain(format!("COPY {}{list} TO STDOUT{options}", ident(&name)))
        };
        step.simple = true;
        self.finish("copy", vec![step])
    }

    /// A cursor, fetched piece by piece where the order is total.
    pub fn cursor(&mut self) -> Case {
        let q = self.top();
        let hold = *self.tape.pick(&["CURSOR", "NO SCROLL CURSOR", "SCROLL CURSOR"]);
        let fetch = |text: &str| Step {
            ordered: q.ordered,
            leaky: self.leaky,
            ..Step::plain(text)
        };
        let declare = Step {
            leaky: self.leaky,
            ..Step::plain(format!("DECLARE k {hold} FOR {}", q.sql))
        };
        let mut steps = vec![Step::plain("BEGIN"), declare];
        if q.ordered {
            steps.push(fetch("FETCH 2 FROM k"));
            steps.push(fetch("FETCH NEXT FROM k"));
        }
        steps.push(fetch("FETCH ALL FROM k"));
        steps.push(Step::plain("CLOSE k"));
        steps.push(Step::plain("COMMIT"));
        let mut case = self.finish("cursor", steps);
        case.cleanup = vec!["ROLLBACK".to_owned()];
        case
    }

    /// A temp table made from a query; sometimes under a protected table's own name.
    pub fn temp_table(&mut self) -> Case {
        let q = self.top();
        let (name, schema) = if self.tape.chance(35) {
            let tables: Vec<String> = self
                .schema
                .relations
                .iter()
                .filter(|r| r.schema == "public")
                .map(|r| r.name.clone())
                .collect();
            (self.tape.pick(&tables).clone(), "public")
        } else {
            ("mine".to_owned(), "pg_temp")
        };
        let make = match self.tape.below(3) {
            0 => format!("CREATE TEMP TABLE {name} AS {}", q.sql),
            1 => format!(
                "CREATE TEMPORARY TABLE IF NOT EXISTS {name} ON COMMIT PRESERVE ROWS AS {}",
                q.sql
            ),
            _ => format!("CREATE TEMP TABLE {name} AS {} WITH DATA", q.sql),
        };
        let make = Step {
            leaky: self.leaky,
            ..Step::plain(make)
        };
        let steps = vec![
            make,
            Step::plain(format!("SELECT * FROM {name}")),
            Step::plain(format!("SELECT count(*) FROM {name} AS a, {schema}.{name} AS b")),
            Step::plain(format!("SELECT count(*) FROM pg_temp.{name}")),
            Step::plain(format!("DROP TABLE pg_temp.{name}")),
            Step::plain(format!("SELECT count(*) FROM {name}")),
        ];
        let mut case = self.finish("temp table", steps);
        case.cleanup = vec!["ROLLBACK".to_owned(), format!("DROP TABLE IF EXISTS pg_temp.{name}")];
        case
    }

    /// WITH RECURSIVE along a foreign key.
    pub fn recursive(&mut self) -> Case {
        let mut sources = Vec::new();
        let first = self.table(&[], &mut sources);
        let second = self.table(&[], &mut sources);
        let pick = |g: &mut Self, i: usize| {
            let s = &sources[i];
            let ints: Vec<String> = s
                .row
                .columns
                .iter()
                .filter(|c| c.1 == Ty::Int)
                .map(|c| format!("{}.{}", s.qualifiers[0], ident(&c.0)))
                .collect();
            if ints.is_empty() {
                None
            } else {
                Some(g.tape.pick(&ints).clone())
            }
        };
        let (Some(a), Some(b), Some(c)) = (pick(self, 0), pick(self, 1), pick(self, 1)) else {
            return self.copy_out();
        };
        let name = if self.tape.chance(20) {
            "customers".to_owned()
        } else {
            "r".to_owned()
        };
        let same = sources[0].row.alias == sources[1].row.alias;
        let shadow = first.contains("customers") || second.contains("customers");
        let name = if shadow || same { "r".to_owned() } else { name };
        let union = *self.tape.pick(&["UNION", "UNION ALL"]);
        let sql = format!(
            "WITH RECURSIVE {name}(n, d) AS (SELECT {a}, 1 FROM {first} WHERE {a} < 20 {union} \
             SELECT {b}, z.d + 1 FROM {name} AS z JOIN {second} ON {c} = z.n WHERE z.d < 3) \
             SELECT d, count(*), count(DISTINCT n), min(n) FROM {name} GROUP BY d ORDER BY d"
        );
        let step = Step {
            ordered: true,
            ..Step::plain(sql)
        };
        self.finish("recursive", vec![step])
    }

    /// A transaction with a savepoint and an error in it.
    pub fn transaction(&mut self) -> Case {
        let first = self.step();
        let second = self.step();
        let broken = match self.tape.below(3) {
            0 => "SELECT 1/0",
            1 => "SELECT nothing FROM customers",
            _ => "SELECT 'x'::int",
        };
        let steps = vec![
            Step::plain(*self.tape.pick(&[
                "BEGIN",
                "START TRANSACTION READ ONLY",
                "BEGIN ISOLATION LEVEL REPEATABLE READ",
            ])),
            first,
            Step::plain("SAVEPOINT s"),
            Step::plain(broken),
            Step::plain("ROLLBACK TO SAVEPOINT s"),
            second,
            Step::plain("COMMIT"),
        ];
        let mut case = self.finish("transaction", steps);
        case.cleanup = vec!["ROLLBACK".to_owned()];
        case
    }

    /// The same words under another search_path.
    pub fn under_search_path(&mut self) -> Case {
        let path = *self.tape.pick(&[
            "public",
            "crm, public",
            "crm",
            "pg_catalog, public",
            "public, pg_catalog",
            "nowhere",
            "''",
        ]);
        let step = self.step();
        let steps = vec![
            Step::plain(format!("SET search_path = {path}")),
            step,
            Step::plain("RESET search_path"),
        ];
        let mut case = self.finish("search_path", steps);
        case.cleanup = vec!["RESET search_path".to_owned()];
        case
    }

    /// FOR UPDATE and FOR SHARE: only asked for inside a transaction.
    pub fn locking(&mut self) -> Case {
        let mut sources = Vec::new();
        let from = self.table(&[], &mut sources);
        let Some(s) = sources.pop() else { return self.copy_out() };
        let q = &s.qualifiers[0];
        let relation = s.relation.clone().expect("a table's source");
        // views lock what they read, and renamed columns hide the key: both are asked for elsewhere
        if !s.row.is_table || s.row.columns.iter().any(|c| c.0 == "a1") {
            return self.copy_out();
        }
        let whole = match relation.name.as_str() {
            n if n.starts_with("service_records") => "service_records",
            "calls" => "activities",
            n => n,
        };
        let table = format!("{}.{whole}", relation.schema);
        let key = crate::dprime::roles::key(&table);
        let of = if self.tape.chance(40) {
            format!(" OF {}", s.row.alias)
        } else {
            String::new()
        };
        let strength = *self.tape.pick(&["SHARE", "UPDATE", "NO KEY UPDATE", "KEY SHARE"]);
        let wait = *self.tape.pick(&["", " SKIP LOCKED", " NOWAIT"]);
        let limit = if self.tape.chance(30) { " LIMIT 3" } else { "" };
        let sql =
            |filter: &str| format!("SELECT {q}.{key} FROM {from}{filter} ORDER BY 1{limit} FOR {strength}{of}{wait}");
        let lockable = format!(
            " WHERE {q}.{key} IN (SELECT {key} FROM asif.{}_{whole}_lockable)",
            relation.schema
        );
        let step = Step {
            ordered: true,
            prime: Some(sql(&lockable)),
            ..Step::plain(sql(""))
        };
        let mut case = self.finish("locking", vec![Step::plain("BEGIN"), step, Step::plain("COMMIT")]);
        case.cleanup = vec!["ROLLBACK".to_owned()];
        case
    }
}
