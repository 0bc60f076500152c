//! Conditions: comparisons, subqueries, whole rows, and expressions that raise on some rows only.

use super::{Avail, Env, Gen, ident};
use crate::schema::Ty;

/// Is it a column that the shipped policies let somebody search by exact match?
fn searchable(column: &str) -> bool {
    column.trim_end_matches('"').ends_with("email")
}

impl Gen<'_> {
    /// A boolean expression, parenthesised where it needs to be.
    pub fn predicate(&mut self, env: &Env, depth: usize) -> String {
        if depth == 0 {
            return self.comparison(env, 0);
        }
        match self.tape.weighted(&[40, 10, 5, 10, 10, 6, 7, 4]) {
            0 => self.comparison(env, depth),
            1 => format!(
                "({} AND {})",
                self.predicate(env, depth - 1),
                self.predicate(env, depth - 1)
            ),
            2 => format!(
                "({} OR {})",
                self.predicate(env, depth - 1),
                self.predicate(env, depth - 1)
            ),
            3 => self.with_subquery(env, depth - 1),
            4 => self.leaky_predicate(env, depth - 1),
            5 => format!("NOT ({})", self.predicate(env, depth - 1)),
            6 => self.on_row(env, depth),
            _ => format!("({}) IS NOT TRUE", self.predicate(env, depth - 1)),
        }
    }

    fn comparison(&mut self, env: &Env, depth: usize) -> String {
        let Some((c, avail)) = self.any_column(env) else {
            let (a, b) = (self.expr(&Ty::Int, env, 0), self.value(&Ty::Int, None));
            return format!("{a} < {b}");
        };
        let ty = avail.ty.clone();
        if matches!(ty, Ty::Json | Ty::Other(_) | Ty::Row) {
            return format!("{c} IS NOT NULL");
        }
        let like = Some(&avail);
        if searchable(&c) {
            // an equality with constants may use the value itself: tests/attacks/search.md asks about those
            return format!("{c} <> {}", self.value(&ty, like));
        }
        match self.tape.weighted(&[30, 8, 8, 6, 6, 5, 12, 8]) {
            0 => {
                let op = *self.tape.pick(&["=", "<>", "<", ">=", "!="]);
                format!("{c} {op} {}", self.value(&ty, like))
            }
            1 => format!("{c} IS {}NULL", if self.tape.chance(50) { "NOT " } else { "" }),
            2 => {
                let items: Vec<String> = (0..1 + self.tape.below(3)).map(|_| self.value(&ty, like)).collect();
                let not = if self.tape.chance(25) { "NOT " } else { "" };
                format!("{c} {not}IN ({})", items.join(", "))
            }
            3 => format!("{c} BETWEEN {} AND {}", self.value(&ty, like), self.value(&ty, like)),
            4 => format!(
                "{c} IS {}DISTINCT FROM {}",
                if self.tape.chance(50) { "NOT " } else { "" },
                self.value(&ty, like)
            ),
            5 => format!(
                "{c} = ANY (ARRAY[{}, {}])",
                self.value(&ty, like),
                self.value(&ty, like)
            ),
            6 => self.special(&c, &avail, env),
            _ => {
                let op = *self.tape.pick(&["=", "<>", "<", ">"]);
                let (a, b) = (self.expr(&ty, env, depth.min(1)), self.expr(&ty, env, depth.min(1)));
                let op = if searchable(&a) || searchable(&b) { ">" } else { op };
                if ty.sorts() {
                    format!("{a} {op} {b}")
                } else {
                    format!("{c} IS NULL")
                }
            }
        }
    }

    /// Operators that only some types have.
    fn special(&mut self, c: &str, avail: &Avail, env: &Env) -> String {
        match avail.ty {
            Ty::Text => {
                let sample = avail
                    .samples
                    .get(self.tape.below(avail.samples.len()))
                    .cloned()
                    .unwrap_or_default();
                let part: String = sample.chars().filter(|c| c.is_alphanumeric()).take(3).collect();
                match self.tape.below(8) {
                    0 => format!("{c} LIKE '{part}%'"),
                    1 => format!("{c} ILIKE '%{part}%'"),
                    2 => format!("{c} NOT LIKE '%{part}_'"),
                    3 => format!("{c} ~ '{part}'"),
                    4 => format!("starts_with({c}, '{part}')"),
                    5 => format!("{c} COLLATE \"C\" > '{part}'"),
                    6 => format!("position('{part}' in {c}) > 0"),
                    _ => format!("{c} SIMILAR TO '%{part}%'"),
                }
            }
            Ty::Int => match self.tape.below(3) {
                0 => format!("{c} % 2 = 0"),
                1 => format!("({c}, 1) < ({}, 2)", self.value(&Ty::Int, Some(avail))),
                _ => format!("{c}::text LIKE '1%'"),
            },
            Ty::Jsonb if self.whole.version >= 17 && self.tape.chance(40) => match self.tape.below(3) {
                0 => format!("JSON_EXISTS({c}, '$.risk ? (@.score > 40)')"),
                1 => format!("JSON_VALUE({c}, '$.industry') <> 'retail'"),
                _ => format!("JSON_VALUE({c}, '$.employees' RETURNING int DEFAULT 3 ON EMPTY) > 100"),
            },
            Ty::Jsonb => match self.tape.below(3) {
                0 => format!("{c} ? 'a'"),
                1 => format!("{c} @> '{{}}'"),
                _ => format!("jsonb_typeof({c}) = 'object'"),
            },
            Ty::TextArr => match self.tape.below(2) {
                0 => format!("{c} && ARRAY['vip', 'a']"),
                _ => format!("'vip' = ANY ({c})"),
            },
            Ty::Date => format!("extract(year from {c}) = 2024"),
            Ty::Stamp => format!("date_trunc('month', {c}) < TIMESTAMPTZ '2024-06-01 00:00:00+00'"),
            Ty::Bool => c.to_owned(),
            _ => {
                let (a, b) = (c.to_owned(), self.expr(&avail.ty, env, 0));
                if avail.ty.sorts() {
                    format!("{a} = {b}")
                } else {
                    format!("{a} IS NULL")
                }
            }
        }
    }

    fn with_subquery(&mut self, env: &Env, depth: usize) -> String {
        match self.tape.weighted(&[30, 30, 12, 8, 6]) {
            0 => {
                let q = self.query(&env.as_outer(), depth, None);
                format!("{}EXISTS ({})", if self.tape.chance(30) { "NOT " } else { "" }, q.sql)
            }
            1 | 2 => {
                let Some((c, avail)) = self.any_column(env) else {
                    return "true".to_owned();
                };
                if !avail.ty.sorts() {
                    return format!("{c} IS NULL");
                }
                let q = self.query(&env.as_outer(), depth, Some(std::slice::from_ref(&avail.ty)));
                if self.tape.chance(60) {
                    format!("{c} {}IN ({})", if self.tape.chance(25) { "NOT " } else { "" }, q.sql)
                } else {
                    format!(
                        "{c} {} ({})",
                        self.tape.pick(&["= ANY", "<> ALL", "< ALL", ">= SOME"]),
                        q.sql
                    )
                }
            }
            3 => {
                let e = self.scalar_subquery(&Ty::Big, env, depth);
                format!("{e} > {}", self.tape.below(5))
            }
            _ => {
                let e = self.expr(&Ty::Int, env, 1);
                let q = self.query(&env.as_outer(), depth, Some(&[Ty::Int]));
                format!("{e} = ANY (ARRAY({}))", q.sql)
            }
        }
    }

    /// Conditions on whole rows.
    fn on_row(&mut self, env: &Env, depth: usize) -> String {
        if env.rows.is_empty() {
            return self.comparison(env, depth);
        }
        let r = env.rows[self.tape.below(env.rows.len())].clone();
        let a = &r.alias;
        match self.tape.below(6) {
            0 => format!("{a} IS NOT NULL"),
            1 => format!("{a}::text LIKE '%1%'"),
            2 => format!("row_to_json({a})::text <> ''"),
            3 => format!("({a}.* IS DISTINCT FROM NULL)"),
            4 if r.is_table => format!("{a}.ctid IS NOT NULL"),
            5 => match self.phantom(env) {
                Some(p) => format!("{p} IS NOT NULL"),
                None => format!("to_jsonb({a}) ? 'id'"),
            },
            _ => format!("to_jsonb({a}) ? 'name'"),
        }
    }

    /// A column that the person does not have (rarely: it makes the statement an error).
    pub fn phantom(&mut self, env: &Env) -> Option<String> {
        if !self.tape.chance(12) {
            return None;
        }
        for r in &env.rows {
            if !r.phantom.is_empty() {
                let name = r.phantom[self.tape.below(r.phantom.len())].clone();
                return Some(match self.tape.below(3) {
                    0 => format!("{}.{}", r.alias, ident(&name)),
                    1 => format!("({}).{}", r.alias, ident(&name)),
                    _ => ident(&name),
                });
            }
        }
        None
    }

    /// A condition that raises an error on some rows: harmless on what the person sees, or not; the outcome must be D′'s.
    fn leaky_predicate(&mut self, env: &Env, depth: usize) -> String {
        let text = self.column(&Ty::Text, env);
        let int = self.column(&Ty::Int, env);
        let num = self.column(&Ty::Num, env);
        self.leaky = true;
        if self.whole.version >= 17
            && let Some((c, _)) = &text
            && self.tape.chance(15)
        {
            return match self.tape.below(3) {
                0 => format!("JSON_VALUE(to_jsonb({c}), '$' RETURNING int ERROR ON ERROR) > 0"),
                1 => format!("JSON_SCALAR({c}::int) IS NOT NULL"),
                _ => format!("JSON_EXISTS(to_jsonb({c}), '$.double() ? (@ > 0)' ERROR ON ERROR)"),
            };
        }
        match (self.tape.below(11), text, int, num) {
            (0..=2, _, Some((c, avail)), _) => {
                let k = self.value(&Ty::Int, Some(&avail));
                format!("1 / ({c} - {k}) >= 0")
            }
            (3, _, _, Some((c, avail))) => {
                let k = self.value(&Ty::Num, Some(&avail));
                format!("1 / ({c} - {k}) > 0")
            }
            (4, _, _, Some((c, avail))) => {
                let k = self.value(&Ty::Num, Some(&avail));
                format!("sqrt({c} - {k}) >= 0")
            }
            (5, Some((c, _)), ..) => format!("{c}::int > 0"),
            (6, Some((c, _)), ..) => format!("({c})::date IS NOT NULL"),
            (7, Some((c, avail)), ..) => {
                let k = self.value(&Ty::Text, Some(&avail));
                format!("(CASE WHEN {c} = {k} THEN {c} ELSE '1' END)::int = 1")
            }
            (8, Some((c, avail)), ..) => {
                let k = self.value(&Ty::Text, Some(&avail));
                format!("1 / (length({c}) - length({k})) >= 0")
            }
            (9, _, Some((c, _)), _) => format!("(100000 * {c} * {c})::int2 > 0"),
            (10, Some((c, _)), ..) => format!("('x' || {c})::jsonb IS NOT NULL"),
            _ => self.comparison(env, depth),
        }
    }
}
