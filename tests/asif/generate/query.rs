//! Whole queries: SELECT in its many forms, grouping, windows, set operations, CTEs.

use super::{Avail, Cte, Env, Gen, Query, ident};
use crate::schema::Ty;

const WANTED: [Ty; 7] = [Ty::Int, Ty::Text, Ty::Num, Ty::Big, Ty::Date, Ty::Bool, Ty::Stamp];

impl Gen<'_> {
    /// A query; with `want`, one that yields exactly these types.
    pub fn query(&mut self, outer: &[Avail], depth: usize, want: Option<&[Ty]>) -> Query {
        if depth > 0 && self.tape.chance(9) {
            return self.with_ctes(outer, depth, want);
        }
        if depth > 0 && self.tape.chance(9) {
            return self.set_operation(outer, depth, want);
        }
        self.select(outer, depth, want)
    }

    fn with_ctes(&mut self, outer: &[Avail], depth: usize, want: Option<&[Ty]>) -> Query {
        let known = self.ctes.len();
        let mut parts = Vec::new();
        for _ in 0..1 + self.tape.weighted(&[70, 30]) {
            let q = self.select(&[], depth - 1, None);
            let unique = q
                .columns
                .iter()
                .enumerate()
                .all(|(i, c)| q.columns[..i].iter().all(|d| d.0 != c.0));
            let shadow = self.tape.chance(20);
            let name = if shadow {
                let tables: Vec<String> = self.schema.relations.iter().map(|r| r.name.clone()).collect();
                self.tape.pick(&tables).clone()
            } else {
                self.fresh("q")
            };
            if self.ctes[known..].iter().any(|c| c.name == name) {
                continue;
            }
            let how = *self.tape.pick(&["", "MATERIALIZED ", "NOT MATERIALIZED "]);
            let (columns, list) = if unique && !self.tape.chance(20) {
                (q.columns, String::new())
            } else {
                let renamed: Vec<(String, Ty)> = q
                    .columns
                    .into_iter()
                    .enumerate()
                    .map(|(i, c)| (format!("e{}", i + 1), c.1))
                    .collect();
                let names: Vec<&str> = renamed.iter().map(|c| c.0.as_str()).collect();
                let list = format!("({})", names.join(", "));
                (renamed, list)
            };
            parts.push(format!("{}{list} AS {how}({})", ident(&name), q.sql));
            self.ctes.push(Cte { name, columns });
        }
        let body = self.select(outer, depth - 1, want);
        self.ctes.truncate(known);
        if parts.is_empty() {
            return body;
        }
        Query {
            sql: format!("WITH {} {}", parts.join(", "), body.sql),
            ..body
        }
    }

    fn set_operation(&mut self, outer: &[Avail], depth: usize, want: Option<&[Ty]>) -> Query {
        let types: Vec<Ty> = match want {
            Some(w) => w.to_vec(),
            None => (0..1 + self.tape.below(3))
                .map(|_| self.tape.pick(&WANTED).clone())
                .collect(),
        };
        let op = *self.tape.pick(&[
            "UNION ALL",
            "UNION",
            "INTERSECT",
            "EXCEPT",
            "EXCEPT ALL",
            "INTERSECT ALL",
        ]);
        let left = self.select(outer, depth - 1, Some(&types));
        let right = self.select(outer, depth - 1, Some(&types));
        let tail = if self.tape.chance(15) {
            self.order_all(&left.columns)
        } else {
            None
        };
        Query {
            sql: format!(
                "({}) {op} ({}){}",
                left.sql,
                right.sql,
                tail.clone().unwrap_or_default()
            ),
            columns: left.columns,
            ordered: tail.is_some(),
        }
    }

    /// ORDER BY every output column, perhaps with a LIMIT: the rows are then determined.
    fn order_all(&mut self, columns: &[(String, Ty)]) -> Option<String> {
        if columns.is_empty() || !columns.iter().all(|c| c.1.sorts()) {
            return None;
        }
        let mut keys: Vec<String> = (1..=columns.len()).map(|n| n.to_string()).collect();
        if self.tape.chance(30) {
            keys[0].push_str(" DESC NULLS LAST");
        }
        let limit = match self.tape.below(6) {
            0 => String::new(),
            1 => format!(" LIMIT {}", 1 + self.tape.below(9)),
            2 => format!(" LIMIT {} OFFSET {}", 1 + self.tape.below(9), self.tape.below(5)),
            3 => format!(" FETCH FIRST {} ROWS ONLY", 1 + self.tape.below(9)),
            4 => format!(" FETCH FIRST {} ROWS WITH TIES", 1 + self.tape.below(9)),
            _ => format!(" OFFSET {}", self.tape.below(9)),
        };
        Some(format!(" ORDER BY {}{limit}", keys.join(", ")))
    }

    fn select(&mut self, outer: &[Avail], depth: usize, want: Option<&[Ty]>) -> Query {
        let (from, env) = self.relations(outer, depth);
        let filter = if self.tape.chance(65) {
            format!(" WHERE {}", self.predicate(&env, depth.min(2)))
        } else {
            String::new()
        };
        match self.tape.weighted(&[40, if want.is_none() { 22 } else { 0 }, 24, 10]) {
            1 => self.starred(&from, &filter, &env),
            2 => self.grouped(&from, &filter, env, depth, want),
            3 if env.inside.is_none() => self.windowed(&from, &filter, &env, depth, want),
            _ => self.listed(&from, &filter, &env, depth, want),
        }
    }

    fn listed(&mut self, from: &str, filter: &str, env: &Env, depth: usize, want: Option<&[Ty]>) -> Query {
        let (items, columns) = self.select_list(env, depth, want);
        let sorts = columns.iter().all(|c| c.1.sorts());
        let distinct = if sorts && self.tape.chance(12) { "DISTINCT " } else { "" };
        let tail = if self.tape.chance(25) {
            self.order_all(&columns)
        } else {
            None
        };
        Query {
            sql: format!(
                "SELECT {distinct}{items} FROM {from}{filter}{}",
                tail.clone().unwrap_or_default()
            ),
            columns,
            ordered: tail.is_some(),
        }
    }

    fn select_list(&mut self, env: &Env, depth: usize, want: Option<&[Ty]>) -> (String, Vec<(String, Ty)>) {
        let mut items = Vec::new();
        let mut columns = Vec::new();
        let n = want.map_or_else(|| 1 + self.tape.below(4), <[Ty]>::len);
        for i in 0..n {
            let ty = match want {
                Some(w) => w[i].clone(),
                None => match self.any_column(env) {
                    Some((_, a)) if self.tape.chance(70) => a.ty,
                    _ => self.tape.pick(&WANTED).clone(),
                },
            };
            if want.is_none()
                && self.tape.chance(14)
                && env.inside.is_none()
                && let Some((sql, name, ty)) = self.whole_row(env)
            {
                items.push(sql);
                columns.push((name, ty));
                continue;
            }
            if want.is_none()
                && self.tape.chance(3)
                && let Some(p) = self.phantom(env)
            {
                items.push(format!("{p} AS ghost"));
                columns.push(("ghost".to_owned(), Ty::Other("unknown".to_owned())));
                continue;
            }
            if want.is_none()
                && self.tape.chance(45)
                && let Some((sql, a)) = self.column(&ty, env)
            {
                if sql.contains('(') || sql.contains("::") {
                    let alias = format!("k{}", i + 1);
                    items.push(format!("{sql} AS {alias}"));
                    columns.push((alias, ty));
                } else {
                    items.push(sql);
                    columns.push((a.name, ty));
                }
                continue;
            }
            let e = self.expr(&ty, env, depth.clamp(1, 2));
            let alias = format!("k{}", i + 1);
            items.push(format!("{e} AS {alias}"));
            columns.push((alias, ty));
        }
        (items.join(", "), columns)
    }

    /// A whole row, as such or turned into something.
    fn whole_row(&mut self, env: &Env) -> Option<(String, String, Ty)> {
        if env.rows.is_empty() {
            return None;
        }
        let row = env.rows[self.tape.below(env.rows.len())].clone();
        let a = row.alias.clone();
        Some(match self.tape.below(9) {
            0 => (a.clone(), a, Ty::Row),
            1 => (format!("row_to_json({a})"), "row_to_json".into(), Ty::Json),
            2 => (format!("to_jsonb({a})"), "to_jsonb".into(), Ty::Jsonb),
            3 => (format!("{a}::text"), a, Ty::Text),
            4 => (format!("{a} AS r"), "r".into(), Ty::Row),
            5 => (format!("ROW({a}.*)"), "row".into(), Ty::Row),
            6 => (format!("jsonb_pretty(to_jsonb({a}))"), "jsonb_pretty".into(), Ty::Text),
            7 if row.is_table => (format!("{a}.tableoid::regclass::text AS tab"), "tab".into(), Ty::Text),
            8 if row.is_table => (
                format!("({a}.ctid IS NOT NULL) AS has_ctid"),
                "has_ctid".into(),
                Ty::Bool,
            ),
            _ => (format!("{} AS rt", self.row_as_text(&row)), "rt".into(), Ty::Text),
        })
    }

    fn starred(&mut self, from: &str, filter: &str, env: &Env) -> Query {
        let all: Vec<(String, Ty)> = env.rows.iter().flat_map(|r| r.columns.iter().cloned()).collect();
        let merging = from.contains("NATURAL") || from.contains("USING");
        let (items, columns) = match self.tape.below(5) {
            0 | 1 => ("*".to_owned(), if merging { Vec::new() } else { all }),
            2 => {
                let r = &env.rows[self.tape.below(env.rows.len())];
                (format!("{}.*", r.alias), r.columns.clone())
            }
            3 => {
                let mut columns = vec![("one".to_owned(), Ty::Int)];
                columns.extend(all);
                ("1 AS one, *".to_owned(), if merging { Vec::new() } else { columns })
            }
            _ => {
                let real: Vec<_> = env.rows.iter().filter(|r| r.is_relation).collect();
                match real.first() {
                    Some(r) => (format!("({}).*", r.alias), r.columns.clone()),
                    None => ("*".to_owned(), if merging { Vec::new() } else { all }),
                }
            }
        };
        let unknown = columns.is_empty();
        let tail = if unknown || !self.tape.chance(30) {
            None
        } else {
            self.order_all(&columns)
        };
        let sql = format!("SELECT {items} FROM {from}{filter}{}", tail.clone().unwrap_or_default());
        if unknown {
            let first = env.items.first().map_or_else(|| "1".to_owned(), |a| a.forms[0].clone());
            let ty = env.items.first().map_or(Ty::Int, |a| a.ty.clone());
            if self.aliases.is_multiple_of(2) || from.len() > 400 {
                return Query {
                    sql: format!("SELECT {first} AS k1 FROM {from}{filter}"),
                    columns: vec![("k1".to_owned(), ty)],
                    ordered: false,
                };
            }
            return Query {
                sql,
                columns: Vec::new(),
                ordered: false,
            };
        }
        Query {
            sql,
            columns,
            ordered: tail.is_some(),
        }
    }

    fn grouped(&mut self, from: &str, filter: &str, env: Env, depth: usize, want: Option<&[Ty]>) -> Query {
        let by_key: Vec<_> = env
            .rows
            .iter()
            .filter(|r| r.is_table && !r.key.is_empty())
            .cloned()
            .collect();
        let mut keys: Vec<Avail> = Vec::new();
        let mut clause = String::new();
        match self.tape.weighted(&[40, 18, 14, 14, 8]) {
            1 if !by_key.is_empty() => {
                let r = self.tape.pick(&by_key).clone();
                let parts: Vec<String> = r.key.iter().map(|k| format!("{}.{}", r.alias, ident(k))).collect();
                clause = format!(" GROUP BY {}", parts.join(", "));
                keys.extend(env.items.iter().filter(|a| a.alias == r.alias).cloned());
            }
            2 => {}
            3 => {
                let picked = self.group_keys(&env, 2);
                let forms: Vec<String> = picked.iter().map(|a| a.forms[0].clone()).collect();
                if !forms.is_empty() {
                    let list = forms.join(", ");
                    clause = match self.tape.below(3) {
                        0 => format!(" GROUP BY ROLLUP ({list})"),
                        1 => format!(" GROUP BY CUBE ({list})"),
                        _ => format!(" GROUP BY GROUPING SETS (({list}), ({}), ())", forms[0]),
                    };
                    keys = picked;
                }
            }
            4 => {
                let ty = self.tape.pick(&[Ty::Text, Ty::Int, Ty::Stamp]).clone();
                let e = self.expr(
                    &ty,
                    &Env {
                        outer: Vec::new(),
                        ..env.clone()
                    },
                    1,
                );
                if !e.contains("SELECT")
                    && !e.contains('$')
                    && e.contains(|c: char| c.is_alphabetic())
                    && !e.starts_with('\'')
                {
                    clause = format!(" GROUP BY {e}");
                    keys.push(Avail {
                        forms: vec![e],
                        name: "?column?".into(),
                        alias: String::new(),
                        ty,
                        samples: Vec::new(),
                    });
                }
            }
            _ => {
                keys = self.group_keys(&env, 2);
                let forms: Vec<String> = keys.iter().map(|a| a.forms[0].clone()).collect();
                if !forms.is_empty() {
                    clause = format!(" GROUP BY {}", forms.join(", "));
                }
            }
        }
        let after = Env {
            items: keys,
            rows: Vec::new(),
            outer: env.outer.clone(),
            inside: Some(Box::new(env)),
        };
        let having = if self.tape.chance(22) {
            let p = if self.tape.chance(50) {
                format!("{} > 1", self.aggregate(&Ty::Big, &after, 1))
            } else {
                self.predicate(&after, 1)
            };
            format!(" HAVING {p}")
        } else {
            String::new()
        };
        let (items, columns) = self.select_list(&after, depth.min(2), want);
        let items = if clause.is_empty() && want.is_none() {
            format!("{items}, count(*) AS n")
        } else {
            items
        };
        let mut columns = columns;
        if clause.is_empty() && want.is_none() {
            columns.push(("n".into(), Ty::Big));
        } else if clause.is_empty() {
            // without GROUP BY, an aggregate must make the query a grouped one
            let having = if having.is_empty() {
                " HAVING count(*) >= 0".to_owned()
            } else {
                having.clone()
            };
            return Query {
                sql: format!("SELECT {items} FROM {from}{filter}{having}"),
                columns,
                ordered: false,
            };
        }
        let tail = if self.tape.chance(25) {
            self.order_all(&columns)
        } else {
            None
        };
        Query {
            sql: format!(
                "SELECT {items} FROM {from}{filter}{clause}{having}{}",
                tail.clone().unwrap_or_default()
            ),
            columns,
            ordered: tail.is_some(),
        }
    }

    fn group_keys(&mut self, env: &Env, most: usize) -> Vec<Avail> {
        let good: Vec<&Avail> = env.items.iter().filter(|a| a.ty.sorts()).collect();
        if good.is_empty() {
            return Vec::new();
        }
        let n = 1 + self.tape.below(most);
        (0..n).map(|_| good[self.tape.below(good.len())].clone()).collect()
    }

    fn windowed(&mut self, from: &str, filter: &str, env: &Env, depth: usize, want: Option<&[Ty]>) -> Query {
        let (items, mut columns) = self.select_list(env, depth.min(1), want);
        if want.is_some() {
            return Query {
                sql: format!("SELECT {items} FROM {from}{filter}"),
                columns,
                ordered: false,
            };
        }
        let Some((part, a)) = self.any_column(env) else {
            return Query {
                sql: format!("SELECT {items} FROM {from}{filter}"),
                columns,
                ordered: false,
            };
        };
        let part = if a.ty.sorts() {
            format!("PARTITION BY {part}")
        } else {
            String::new()
        };
        let key = match env.rows.as_slice() {
            [r] if !r.key.is_empty() && r.is_table => Some(
                r.key
                    .iter()
                    .map(|k| format!("{}.{}", r.alias, ident(k)))
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
            _ => None,
        };
        let order = self.column(&Ty::Int, env).map_or_else(|| "1".to_owned(), |c| c.0);
        let (call, ty) = match (self.tape.below(6), key) {
            (0, Some(k)) => (format!("row_number() OVER ({part} ORDER BY {k})"), Ty::Big),
            (1, Some(k)) => (
                format!("lag({}) OVER ({part} ORDER BY {k})", self.expr(&Ty::Text, env, 0)),
                Ty::Text,
            ),
            (2, Some(k)) => (format!("first_value({order}) OVER (ORDER BY {k})"), Ty::Int),
            (3, _) => (format!("count(*) OVER ({part})"), Ty::Big),
            (4, _) => (format!("dense_rank() OVER ({part} ORDER BY {order} DESC)"), Ty::Big),
            _ => (
                format!("sum({order}) OVER (w)").replace("(w)", &format!("({part} ORDER BY {order})")),
                Ty::Big,
            ),
        };
        columns.push(("win".into(), ty));
        let distinct = columns.iter().all(|c| c.1.sorts()) && self.tape.chance(10);
        let named = self.tape.chance(20);
        if named {
            let sql = format!(
                "SELECT {items}, rank() OVER w AS win FROM {from}{filter} WINDOW w AS ({part} ORDER BY {order})"
            );
            if let Some(c) = columns.last_mut() {
                c.1 = Ty::Big;
            }
            return Query {
                sql,
                columns,
                ordered: false,
            };
        }
        let word = if distinct { "DISTINCT " } else { "" };
        let tail = if self.tape.chance(20) {
            self.order_all(&columns)
        } else {
            None
        };
        Query {
            sql: format!(
                "SELECT {word}{items}, {call} AS win FROM {from}{filter}{}",
                tail.clone().unwrap_or_default()
            ),
            columns,
            ordered: tail.is_some(),
        }
    }

    /// A subquery of one row and one column.
    pub fn scalar_subquery(&mut self, ty: &Ty, env: &Env, depth: usize) -> String {
        let (from, inner) = self.relations(&env.as_outer(), depth.min(1));
        let filter = if self.tape.chance(70) {
            format!(" WHERE {}", self.predicate(&inner, 1))
        } else {
            String::new()
        };
        let after = Env {
            inside: Some(Box::new(inner.clone())),
            ..Env::default()
        };
        match ty {
            Ty::Enum(_) | Ty::Other(_) | Ty::Row | Ty::Json | Ty::Interval => {
                let mut one = inner;
                one.outer.clear();
                match self.column(ty, &one) {
                    Some((c, _)) if ty.sorts() => format!("(SELECT {c} FROM {from}{filter} ORDER BY 1 LIMIT 1)"),
                    _ => self.value(ty, None),
                }
            }
            _ => format!("(SELECT {} FROM {from}{filter})", self.aggregate(ty, &after, 1)),
        }
    }

    /// `DISTINCT ON` with a total order.
    pub fn distinct_on(&mut self) -> Option<Query> {
        let mut sources = Vec::new();
        let from = self.table(&[], &mut sources);
        let s = sources.pop()?;
        let key = s.row.key.clone();
        if key.is_empty() || !s.row.is_table {
            return None;
        }
        let good: Vec<(String, Ty)> = s.row.columns.iter().filter(|c| c.1.sorts()).cloned().collect();
        let (on, ty) = self.tape.pick(&good).clone();
        let q = &s.qualifiers[0];
        let order: Vec<String> = key.iter().map(|k| format!("{q}.{}", ident(k))).collect();
        Some(Query {
            sql: format!(
                "SELECT DISTINCT ON ({q}.{0}) {q}.{0}, {1} AS k1 FROM {from} ORDER BY {q}.{0}, {2}",
                ident(&on),
                order[0],
                order.join(", ")
            ),
            columns: vec![(on, ty), ("k1".into(), Ty::Int)],
            ordered: true,
        })
    }
}
