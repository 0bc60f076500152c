//! FROM: tables in every spelling, joins of every kind, subqueries, LATERAL, VALUES, CTEs and set-returning functions.

use super::{Avail, Env, Gen, RowRef, ident};
use crate::schema::{Relation, Ty};

/// One FROM item that has been written.
#[derive(Debug, Clone)]
pub struct Source {
    pub row: RowRef,
    /// Ways to qualify a column, the plainest first.
    pub qualifiers: Vec<String>,
    pub samples: Vec<Vec<String>>,
    /// The table's own column names, where an alias list renames them.
    pub relation: Option<Relation>,
}

impl Gen<'_> {
    /// A FROM clause and what it brings into scope.
    pub fn relations(&mut self, outer: &[Avail], depth: usize) -> (String, Env) {
        let mut sources = Vec::new();
        let mut merged: Vec<String> = Vec::new();
        let mut sql = self.relation_item(&[], depth, &mut sources);
        let joins = if depth == 0 {
            self.tape.weighted(&[85, 15])
        } else {
            self.tape.weighted(&[52, 34, 10])
        };
        for _ in 0..joins {
            let before = sources.len();
            let env = self.env_of(&sources, outer, &merged);
            let lateral = self.tape.chance(12);
            let item = if lateral {
                let near = env.as_outer();
                self.lateral_item(&near, depth, &mut sources)
            } else {
                self.relation_item(&sources.clone(), depth, &mut sources)
            };
            let kind = if lateral {
                *self.tape.pick(&["JOIN", "LEFT JOIN", "CROSS JOIN", ","])
            } else {
                *self.tape.pick(&[
                    "JOIN",
                    "LEFT JOIN",
                    "INNER JOIN",
                    "RIGHT JOIN",
                    "FULL JOIN",
                    "NATURAL JOIN",
                    "USING",
                    "LEFT USING",
                    "CROSS JOIN",
                    ",",
                    "NATURAL LEFT JOIN",
                    "LEFT OUTER JOIN",
                    "FULL USING",
                ])
            };
            sql = self.join(sql, kind, &item, &mut sources, before, outer, &mut merged);
        }
        let env = self.env_of(&sources, outer, &merged).settle();
        (sql, env)
    }

    #[allow(clippy::too_many_arguments)]
    fn join(
        &mut self,
        left: String,
        kind: &str,
        right: &str,
        sources: &mut [Source],
        before: usize,
        outer: &[Avail],
        merged: &mut Vec<String>,
    ) -> String {
        let common: Vec<String> = {
            let seen: Vec<&String> = sources[..before]
                .iter()
                .flat_map(|s| s.row.columns.iter().map(|c| &c.0))
                .collect();
            sources[before..]
                .iter()
                .flat_map(|s| s.row.columns.iter())
                .filter(|c| seen.iter().filter(|n| **n == &c.0).count() == 1 && c.1.sorts())
                .map(|c| c.0.clone())
                .collect()
        };
        match kind {
            "CROSS JOIN" => format!("{left} CROSS JOIN {right}"),
            "," if !left.contains(" JOIN ") => format!("{left}, {right}"),
            "NATURAL JOIN" | "NATURAL LEFT JOIN" => {
                for s in sources[before..].iter() {
                    merged.extend(s.row.columns.iter().map(|c| c.0.clone()));
                }
                format!("{left} {kind} {right}")
            }
            "USING" | "LEFT USING" | "FULL USING" if !common.is_empty() => {
                let n = 1 + self.tape.below(common.len().min(2));
                let using: Vec<String> = common.iter().take(n).map(|c| ident(c)).collect();
                merged.extend(common.iter().take(n).cloned());
                let kind = kind.replace("USING", "JOIN");
                format!("{left} {kind} {right} USING ({})", using.join(", "))
            }
            _ => {
                let kind = match kind {
                    k if k.ends_with("JOIN") => k,
                    _ => "JOIN",
                };
                let key = self.key_condition(sources, before);
                let env = self.env_of(sources, outer, merged).settle();
                let on = match key {
                    Some(k) if kind == "FULL JOIN" || self.tape.chance(70) => k,
                    Some(k) => format!("{k} AND {}", self.predicate(&env, 1)),
                    None if kind == "FULL JOIN" => "true".to_owned(),
                    None => self.predicate(&env, 1),
                };
                format!("{left} {kind} {right} ON {on}")
            }
        }
    }

    /// An equality between the new relation and the ones before, by what look like keys.
    fn key_condition(&mut self, sources: &[Source], before: usize) -> Option<String> {
        let mut found = Vec::new();
        for new in &sources[before..] {
            for old in &sources[..before] {
                for a in &old.row.columns {
                    for b in &new.row.columns {
                        let keys = (a.0 == "id" && b.0.ends_with("_id"))
                            || (b.0 == "id" && a.0.ends_with("_id"))
                            || a.0 == b.0;
                        if keys && a.1 == b.1 && a.1.sorts() {
                            found.push(format!(
                                "{}.{} = {}.{}",
                                old.qualifiers[0],
                                ident(&a.0),
                                new.qualifiers[0],
                                ident(&b.0)
                            ));
                        }
                    }
                }
            }
        }
        if found.is_empty() {
            None
        } else {
            Some(self.tape.pick(&found).clone())
        }
    }

    fn env_of(&self, sources: &[Source], outer: &[Avail], merged: &[String]) -> Env {
        let mut env = Env {
            outer: outer.to_vec(),
            ..Env::default()
        };
        for s in sources {
            env.rows.push(s.row.clone());
            for (i, (name, ty)) in s.row.columns.iter().enumerate() {
                let holders = sources
                    .iter()
                    .filter(|o| o.row.columns.iter().any(|c| c.0 == *name))
                    .count();
                let mut forms: Vec<String> = s.qualifiers.iter().map(|q| format!("{q}.{}", ident(name))).collect();
                if holders == 1 && !merged.contains(name) {
                    forms.push(ident(name));
                }
                env.items.push(Avail {
                    forms,
                    name: name.clone(),
                    alias: s.row.alias.clone(),
                    ty: ty.clone(),
                    samples: s.samples.get(i).cloned().unwrap_or_default(),
                });
            }
        }
        env
    }

    fn relation_item(&mut self, taken: &[Source], depth: usize, sources: &mut Vec<Source>) -> String {
        let kind = if depth == 0 {
            self.tape.weighted(&[90, 0, 5, 5, 10])
        } else {
            self.tape.weighted(&[70, 12, 4, 4, 10])
        };
        match kind {
            1 => {
                let q = self.query(&[], depth - 1, None);
                let alias = self.fresh("s");
                self.derived(format!("({})", q.sql), alias, q.columns, sources)
            }
            2 => {
                let alias = self.fresh("v");
                let sql = format!("(VALUES (1, 'a'), (2, 'qz'), (7, NULL)) AS {alias}(id, name)");
                sources.push(plain(alias, vec![("id".into(), Ty::Int), ("name".into(), Ty::Text)]));
                sql
            }
            3 => {
                let alias = self.fresh("g");
                let sql = format!("generate_series(1, {}) AS {alias}(id)", 1 + self.tape.below(12));
                sources.push(plain(alias, vec![("id".into(), Ty::Int)]));
                sql
            }
            4 if !self.ctes.is_empty() => {
                let at = self.tape.below(self.ctes.len());
                let cte = self.ctes[at].clone();
                let alias = self.fresh("w");
                sources.push(plain(alias.clone(), cte.columns));
                format!("{} AS {alias}", ident(&cte.name))
            }
            _ => self.table(taken, sources),
        }
    }

    fn lateral_item(&mut self, near: &[Avail], depth: usize, sources: &mut Vec<Source>) -> String {
        let alias = self.fresh("l");
        let array = near.iter().find(|a| a.ty == Ty::TextArr).cloned();
        let json = near.iter().find(|a| a.ty == Ty::Jsonb).cloned();
        match (self.tape.below(4), array, json) {
            (1, Some(a), _) => {
                sources.push(plain(alias.clone(), vec![("tag".into(), Ty::Text)]));
                format!("unnest({}) AS {alias}(tag)", a.forms[0])
            }
            (2, _, Some(j)) => {
                sources.push(plain(
                    alias.clone(),
                    vec![("key".into(), Ty::Text), ("value".into(), Ty::Text)],
                ));
                format!(
                    "LATERAL jsonb_each_text(CASE WHEN jsonb_typeof({0}) = 'object' THEN {0} ELSE '{{}}' END) AS {alias}",
                    j.forms[0]
                )
            }
            (3, _, Some(j)) if self.whole.version >= 17 => {
                let columns = vec![
                    ("n".into(), Ty::Int),
                    ("word".into(), Ty::Text),
                    ("score".into(), Ty::Int),
                ];
                sources.push(plain(alias.clone(), columns));
                let word = if self.tape.chance(10) {
                    self.leaky = true;
                    "'$.industry.double()' ERROR ON ERROR"
                } else {
                    "'$.industry'"
                };
                format!(
                    "JSON_TABLE({}, '$' COLUMNS (n FOR ORDINALITY, word text PATH {word}, \
                     NESTED PATH '$.risk' COLUMNS (score int PATH '$.score' DEFAULT 0 ON ERROR))) AS {alias}",
                    j.forms[0]
                )
            }
            _ => {
                let q = self.query(near, depth.saturating_sub(1), None);
                self.derived(format!("LATERAL ({})", q.sql), alias, q.columns, sources)
            }
        }
    }

    fn derived(&mut self, sql: String, alias: String, columns: Vec<(String, Ty)>, sources: &mut Vec<Source>) -> String {
        let unique = columns
            .iter()
            .enumerate()
            .all(|(i, c)| columns[..i].iter().all(|d| d.0 != c.0));
        if unique && !self.tape.chance(20) {
            let out = format!("{sql} AS {alias}");
            sources.push(plain(alias, columns));
            return out;
        }
        let renamed: Vec<(String, Ty)> = columns
            .into_iter()
            .enumerate()
            .map(|(i, c)| (format!("f{}", i + 1), c.1))
            .collect();
        let names: Vec<&str> = renamed.iter().map(|c| c.0.as_str()).collect();
        let out = format!("{sql} AS {alias}({})", names.join(", "));
        sources.push(plain(alias, renamed));
        out
    }

    /// A real relation, in one of the spellings that clients use.
    pub fn table(&mut self, taken: &[Source], sources: &mut Vec<Source>) -> String {
        let weights: Vec<u32> = self
            .schema
            .relations
            .iter()
            .map(|r| match (r.kind, r.is_partition) {
                ('r', false) | ('p', false) => 12,
                ('v', _) => 5,
                ('m', _) => 2,
                _ => 3,
            })
            .collect();
        let relation = self.schema.relations[self.tape.weighted(&weights)].clone();
        let shadowed = self.ctes.iter().any(|c| c.name == relation.name);
        let name = ident(&relation.name);
        let mut qualified = format!("{}.{name}", ident(&relation.schema));
        if self.tape.chance(25) {
            qualified = format!("\"{}\".\"{}\"", relation.schema, relation.name);
        }
        let public = relation.schema == "public";
        let mut written = if !public || shadowed || self.tape.chance(25) {
            qualified
        } else {
            name.clone()
        };
        if public && !shadowed && self.tape.chance(4) && name == relation.name {
            written = name.to_uppercase();
        }
        if matches!(relation.kind, 'r' | 'p') {
            match self.tape.weighted(&[92, 5, 3]) {
                1 => written = format!("ONLY {written}"),
                2 => written = format!("{written} *"),
                _ => {}
            }
        }
        let used = taken.iter().any(|s| s.row.alias == relation.name);
        let bare = !used && !shadowed && self.tape.chance(30);
        let alias = if bare { relation.name.clone() } else { self.fresh("c") };
        let mut columns: Vec<(String, Ty)> = relation
            .columns
            .iter()
            .map(|c| (c.name.clone(), c.ty.clone()))
            .collect();
        let samples = relation.columns.iter().map(|c| c.samples.clone()).collect();
        let mut qualifiers = vec![ident(&alias)];
        let sql = if bare {
            qualifiers.push(format!("{}.{}", ident(&relation.schema), name));
            written
        } else if self.tape.chance(6) {
            let n = 1 + self.tape.below(columns.len().min(3));
            let renamed: Vec<String> = (0..n).map(|i| format!("a{}", i + 1)).collect();
            for (c, new) in columns.iter_mut().zip(&renamed) {
                c.0.clone_from(new);
            }
            format!("{written} AS {alias}({})", renamed.join(", "))
        } else if self.tape.chance(30) {
            format!("{written} {alias}")
        } else {
            format!("{written} AS {alias}")
        };
        let phantom = self
            .whole
            .find(&relation.schema, &relation.name)
            .map(|w| {
                w.columns
                    .iter()
                    .filter(|c| relation.column(&c.name).is_none())
                    .map(|c| c.name.clone())
                    .collect()
            })
            .unwrap_or_default();
        let key = if columns.iter().any(|c| c.0 == "a1") {
            Vec::new()
        } else {
            relation.primary_key.clone()
        };
        sources.push(Source {
            row: RowRef {
                alias: ident(&alias),
                columns,
                phantom,
                key,
                is_relation: true,
                is_table: matches!(relation.kind, 'r' | 'p'),
            },
            qualifiers,
            samples,
            relation: Some(relation),
        });
        sql
    }
}

fn plain(alias: String, columns: Vec<(String, Ty)>) -> Source {
    Source {
        row: RowRef {
            alias: alias.clone(),
            columns,
            phantom: Vec::new(),
            key: Vec::new(),
            is_relation: false,
            is_table: false,
        },
        qualifiers: vec![alias],
        samples: Vec::new(),
        relation: None,
    }
}
