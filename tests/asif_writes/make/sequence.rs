//! Cases of several statements: transactions with savepoints, locks, prepared writes, temporary tables.

use super::Writer;
use crate::generate::case::{Case, Step};
use crate::generate::{ident, quoted};

impl Writer<'_, '_> {
    /// Two to four statements that see each other's work, kept or undone at the end.
    pub fn transaction(&mut self) -> Case {
        let begin = *self.g.tape.pick(&[
            "BEGIN",
            "START TRANSACTION",
            "BEGIN ISOLATION LEVEL REPEATABLE READ",
            "BEGIN ISOLATION LEVEL SERIALIZABLE",
        ]);
        let mut steps = vec![Step::plain(begin)];
        let savepoint = self.g.tape.chance(40);
        let n = 2 + self.g.tape.below(3);
        for i in 0..n {
            if savepoint && i == 1 {
                steps.push(Step::plain("SAVEPOINT s"));
            }
            let step = if self.g.tape.chance(25) {
                self.look()
            } else {
                self.statement()
            };
            steps.push(step);
        }
        if savepoint {
            steps.push(Step::plain(
                *self.g.tape.pick(&["ROLLBACK TO SAVEPOINT s", "RELEASE SAVEPOINT s"]),
            ));
            steps.push(self.statement());
        }
        steps.push(self.look());
        steps.push(Step::plain(*self.g.tape.pick(&["COMMIT", "COMMIT", "ROLLBACK"])));
        let mut case = self.g.finish("transaction", steps);
        case.cleanup = vec!["ROLLBACK".to_owned()];
        case
    }

    /// A plain reading of a table that may have been written.
    fn look(&mut self) -> Step {
        let t = self.target(|r| !r.edit.is_empty());
        let key = Self::key_of(&t);
        let sql = if t.relation.column(key).is_some() {
            format!(
                "SELECT * FROM {}{} ORDER BY {}.{key}",
                t.name,
                t.naming,
                ident(&t.alias)
            )
        } else {
            format!("SELECT count(*) FROM {}{}", t.name, t.naming)
        };
        Step::plain(sql)
    }

    /// FOR UPDATE, then the row that was locked is changed.
    pub fn locking(&mut self) -> Case {
        let t = self.target(|r| !r.edit.is_empty());
        let key = Self::key_of(&t);
        let strength = *self.g.tape.pick(&["UPDATE", "NO KEY UPDATE", "SHARE", "KEY SHARE"]);
        let wait = *self.g.tape.pick(&["", " NOWAIT", " SKIP LOCKED"]);
        let filter = self.filter(&t);
        let steps = vec![
            Step::plain("BEGIN"),
            Step {
                leaky: self.g.leaky,
                ..Step::plain(format!(
                    "SELECT {}.{key} FROM {}{}{filter} FOR {strength}{wait}",
                    ident(&t.alias),
                    t.name,
                    t.naming
                ))
            },
            self.statement(),
            Step::plain("COMMIT"),
        ];
        let mut case = self.g.finish("locking", steps);
        case.cleanup = vec!["ROLLBACK".to_owned()];
        case
    }

    /// PREPARE and EXECUTE of a write, or two statements in one text.
    pub fn prepared(&mut self) -> Case {
        if self.g.tape.chance(40) {
            let (a, b) = (self.statement(), self.statement());
            let step = Step {
                simple: true,
                leaky: self.g.leaky,
                ..Step::plain(format!("{}; {}", a.sql, b.sql))
            };
            return self.g.finish("several", vec![step]);
        }
        self.g.params = Some(Vec::new());
        let sql = self.update();
        let params = self.g.params.take().unwrap_or_default();
        let args: Vec<String> = params
            .iter()
            .map(|p| p.value.as_ref().map_or_else(|| "NULL".to_owned(), |v| quoted(v)))
            .collect();
        let run = if args.is_empty() {
            "EXECUTE w1".to_owned()
        } else {
            format!("EXECUTE w1({})", args.join(", "))
        };
        let run = Step {
            leaky: self.g.leaky,
            ..Step::plain(run)
        };
        let steps = vec![
            Step::plain(format!("PREPARE w1 AS {sql}")),
            run.clone(),
            run,
            Step::plain("DEALLOCATE w1"),
        ];
        let mut case = self.g.finish("prepare", steps);
        case.cleanup = vec!["DEALLOCATE ALL".to_owned()];
        case
    }

    /// A temporary table between what is read and what is written.
    pub fn temporary(&mut self) -> Case {
        let t = self.target(|r| !r.edit.is_empty());
        let key = Self::key_of(&t);
        let from = format!("{}.{}", ident(&t.relation.schema), ident(&t.relation.name));
        let columns: Vec<String> = t.relation.columns.iter().map(|c| ident(&c.name)).collect();
        let pick = self.g.tape.pick(&columns).clone();
        let set = format!(
            "UPDATE {}{} SET {pick} = (SELECT w.{pick} FROM w_temp AS w WHERE w.{key} = {}.{key} LIMIT 1) \
             WHERE {}.{key} IN (SELECT {key} FROM w_temp)",
            t.name,
            t.naming,
            ident(&t.alias),
            ident(&t.alias)
        );
        let steps = vec![
            Step::plain(format!(
                "CREATE TEMP TABLE w_temp AS SELECT * FROM {from} ORDER BY {key} LIMIT 5"
            )),
            Step::plain(format!(
                "INSERT INTO w_temp SELECT * FROM {from} ORDER BY {key} DESC LIMIT 2"
            )),
            Step::plain(format!("DELETE FROM w_temp WHERE {key} IS NULL")),
            Step::plain(set),
        ];
        let mut case = self.g.finish("temp", steps);
        case.cleanup = vec!["DROP TABLE IF EXISTS pg_temp.w_temp".to_owned()];
        case
    }
}
