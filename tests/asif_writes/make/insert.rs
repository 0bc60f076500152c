//! INSERT in its forms, ON CONFLICT, and MERGE.

use super::Writer;
use super::target::Target;
use crate::generate::ident;
use crate::rules;
use crate::schema::{Column, Ty};

/// Columns that a row of the table cannot do without.
fn needed(root: &str) -> &'static [&'static str] {
    match root {
        "public.customers" => &[
            "external_id",
            "name",
            "owner_id",
            "team_id",
            "country",
            "city",
            "created_at",
        ],
        "public.contacts" => &["customer_id", "name", "created_at"],
        "public.opportunities" => &[
            "customer_id",
            "owner_id",
            "team_id",
            "title",
            "amount",
            "probability",
            "expected_on",
            "created_at",
            "updated_at",
        ],
        "public.contracts" => &[
            "number",
            "customer_id",
            "owner_id",
            "amount",
            "signed_on",
            "ends_on",
            "created_at",
        ],
        "public.service_records" => &["opened_at", "customer_id", "owner_id", "team_id", "subject"],
        "public.activities" => &["customer_id", "owner_id", "summary", "happened_at", "seconds"],
        "public.customer_members" => &["customer_id", "user_id", "added_at"],
        "public.products" => &["code", "name", "list_price"],
        "crm.users" => &["user_id", "login", "full_name", "roles", "team_id", "email", "hired_on"],
        _ => &["team_id", "name", "city", "countries"],
    }
}

const GENERATED: [&str; 3] = ["contact_line", "expected_amount", "balance"];

impl Writer<'_, '_> {
    /// The columns that a new row names.
    pub fn insert_columns(&mut self, t: &Target) -> Vec<Column> {
        let needed = needed(&t.root);
        let mut out = Vec::new();
        for c in &t.relation.columns {
            let name = c.name.as_str();
            let must = needed.contains(&name);
            let percent = match name {
                "id" => 30,
                _ if GENERATED.contains(&name) => 1,
                // what some policies fill in
                "owner_id" | "team_id" => 85,
                _ if must => 98,
                "tax_id" | "level" => 12,
                _ => 25,
            };
            if self.g.tape.chance(percent) {
                out.push(c.clone());
            }
        }
        if out.is_empty() {
            out.extend(t.relation.columns.first().cloned());
        }
        out
    }

    fn row(&mut self, t: &Target, columns: &[Column], fresh: bool) -> String {
        let mut values = Vec::new();
        for c in columns {
            let value = if GENERATED.contains(&c.name.as_str()) || self.g.tape.chance(2) {
                "DEFAULT".to_owned()
            } else {
                self.value_for(t, c, fresh)
            };
            values.push(value);
        }
        format!("({})", values.join(", "))
    }

    fn names(columns: &[Column]) -> String {
        let names: Vec<String> = columns.iter().map(|c| ident(&c.name)).collect();
        names.join(", ")
    }

    /// INSERT without what follows its rows.
    fn rows_into(&mut self, t: &Target) -> String {
        let naming = &t.naming;
        match self.g.tape.weighted(&[55, 18, 16, 4, 3]) {
            1 => {
                let columns = self.insert_columns(t);
                let n = 2 + self.g.tape.below(2);
                let rows: Vec<String> = (0..n).map(|_| self.row(t, &columns, true)).collect();
                format!(
                    "INSERT INTO {}{naming} ({}) VALUES {}",
                    t.name,
                    Self::names(&columns),
                    rows.join(", ")
                )
            }
            2 => self.insert_select(t),
            3 => format!("INSERT INTO {}{naming} DEFAULT VALUES", t.name),
            4 => {
                let columns = t.relation.columns.clone();
                let n = columns.len() - self.g.tape.below(3).min(columns.len() - 1);
                let row = self.row(t, &columns[..n], true);
                format!("INSERT INTO {}{naming} VALUES {row}", t.name)
            }
            _ => {
                let columns = self.insert_columns(t);
                let row = self.row(t, &columns, true);
                let identity = columns.iter().any(|c| c.name == "id") && self.g.tape.chance(15);
                let overriding = match (identity, self.g.tape.below(2)) {
                    (false, _) => "",
                    (true, 0) => " OVERRIDING SYSTEM VALUE",
                    _ => " OVERRIDING USER VALUE",
                };
                format!(
                    "INSERT INTO {}{naming} ({}){overriding} VALUES {row}",
                    t.name,
                    Self::names(&columns)
                )
            }
        }
    }

    /// INSERT … SELECT: copies of rows that the person sees, with new keys, or rows of any other table.
    fn insert_select(&mut self, t: &Target) -> String {
        let columns: Vec<Column> = self
            .insert_columns(t)
            .into_iter()
            .filter(|c| c.name != "id" && !GENERATED.contains(&c.name.as_str()))
            .collect();
        if columns.is_empty() {
            return format!("INSERT INTO {} DEFAULT VALUES", t.name);
        }
        let source = self.g.fresh("s");
        let mut items = Vec::new();
        for c in &columns {
            let unique = matches!(
                c.name.as_str(),
                "external_id" | "tax_id" | "number" | "code" | "opportunity_id" | "is_primary" | "login" | "user_id"
            );
            let item = if c.name == "external_id" {
                format!("md5('new' || {source}.id)::uuid")
            } else if c.name == "number" || c.name == "code" {
                format!("'N' || {source}.{}", Self::key_of(t))
            } else if !unique && self.g.tape.chance(72) {
                format!("{source}.{}", ident(&c.name))
            } else {
                self.typed_value(t, c, true)
            };
            items.push(item);
        }
        let key = Self::key_of(t);
        let limit = 1 + self.g.tape.below(3);
        let from = format!("{}.{}", ident(&t.relation.schema), ident(&t.relation.name));
        let cut = if t.relation.column(key).is_some() {
            format!(" ORDER BY {source}.{key} LIMIT {limit}")
        } else {
            " LIMIT 0".to_owned()
        };
        let one = cut.replace(&format!("LIMIT {limit}"), "LIMIT 1");
        let filter = if self.g.tape.chance(40) && t.relation.column("owner_id").is_some() {
            format!(" WHERE {source}.owner_id = {}", self.known.me)
        } else {
            String::new()
        };
        let items = items.join(", ");
        let all = format!("SELECT {items} FROM {from} AS {source}{filter}{cut}");
        let query = match self.g.tape.weighted(&[74, 7, 7, 6, 6]) {
            // DISTINCT sorts by what it selects alone, so one row it is
            1 => format!("SELECT DISTINCT {items} FROM (SELECT * FROM {from} AS {source}{filter}{one}) AS {source}"),
            2 => format!("({all}) UNION ALL (SELECT {items} FROM {from} AS {source} LIMIT 0)"),
            3 => format!("WITH w AS MATERIALIZED (SELECT 1) {all}"),
            4 => format!("(({all}))"),
            _ => all,
        };
        format!("INSERT INTO {}{} ({}) {query}", t.name, t.naming, Self::names(&columns))
    }

    pub fn insert(&mut self) -> String {
        let t = self.target(|r| !r.insert.is_empty());
        let body = self.rows_into(&t);
        let returning = self.returning(&t.env);
        format!("{body}{returning}")
    }

    /// INSERT … ON CONFLICT, onto rows that are seen, hidden or not there.
    pub fn on_conflict(&mut self) -> String {
        let t = self.target(|r| !r.insert.is_empty());
        let key = Self::key_of(&t);
        let mut columns = self.insert_columns(&t);
        columns.retain(|c| c.name != key && !GENERATED.contains(&c.name.as_str()));
        let mut names = vec![ident(key)];
        names.extend(columns.iter().map(|c| ident(&c.name)));
        let visible: Vec<String> = self
            .known
            .rows
            .get(&t.root)
            .into_iter()
            .flatten()
            .filter_map(|r| r.get(key).cloned().flatten())
            .collect();
        let mut hidden = self.known.hidden.get(&t.root).cloned().unwrap_or_default();
        let mut visible = visible;
        if t.relation.name == "calls" {
            // it has no key, and two rows of one number cannot be told apart
            (hidden, visible) = (Vec::new(), Vec::new());
        }
        let id = match self.g.tape.weighted(&[55, 20, 25]) {
            0 if !visible.is_empty() => self.g.tape.pick(&visible).clone(),
            1 if !hidden.is_empty() => self.g.tape.pick(&hidden).clone(),
            _ => "4999999".to_owned(),
        };
        let key_type = t.relation.column(key).map_or(Ty::Int, |c| c.ty.clone());
        let mut values = vec![self.g.constant(&id, &key_type)];
        for c in &columns {
            values.push(self.value_for(&t, c, true));
        }
        let target = match (self.g.tape.weighted(&[60, 12, 14, 8]), t.root.as_str()) {
            (0, "public.service_records") => " (id, opened_at)".to_owned(),
            (0, _) => format!(" ({key})"),
            (1, "public.customers") => " (tax_id)".to_owned(),
            (1, "public.contacts") => " (customer_id, email)".to_owned(),
            (1, "public.contracts") => " (number)".to_owned(),
            (2, _) => format!(" ON CONSTRAINT {}_pkey", t.relation.name),
            (3, "public.customers") => " (external_id)".to_owned(),
            (3, "public.contacts") => " (customer_id) WHERE is_primary".to_owned(),
            _ => String::new(),
        };
        let action = if target.is_empty() || self.g.tape.chance(25) {
            "DO NOTHING".to_owned()
        } else {
            let n = 1 + self.g.tape.below(3);
            let set = self.conflict_assignments(&t, n);
            let filter = if self.g.tape.chance(25) {
                format!(" WHERE {}.{} IS NOT NULL", ident(&t.alias), ident(key))
            } else {
                String::new()
            };
            format!("DO UPDATE SET {set}{filter}")
        };
        let returning = self.returning(&t.env);
        format!(
            "INSERT INTO {}{} ({}) VALUES ({}) ON CONFLICT{target} {action}{returning}",
            t.name,
            t.naming,
            names.join(", "),
            values.join(", ")
        )
    }

    fn conflict_assignments(&mut self, t: &Target, n: usize) -> String {
        let mut parts = Vec::new();
        let mut used = vec![Self::key_of(t).to_owned()];
        for _ in 0..n {
            let c = t.relation.columns[self.g.tape.below(t.relation.columns.len())].clone();
            if used.contains(&c.name) || GENERATED.contains(&c.name.as_str()) {
                continue;
            }
            used.push(c.name.clone());
            // what D′ proposes is masked there before it is stored
            let proposed = rules::rights(self.roles, &t.root)
                .iter()
                .all(|r| !r.in_clear.contains(&c.name.as_str()));
            let value = match self.g.tape.weighted(&[if proposed { 40 } else { 0 }, 25, 35]) {
                0 => format!("excluded.{}", ident(&c.name)),
                1 => format!("{}.{}", ident(&t.alias), ident(&c.name)),
                _ => self.value_for(t, &c, false),
            };
            parts.push(format!("{} = {value}", ident(&c.name)));
        }
        if parts.is_empty() {
            format!("{0} = excluded.{0}", ident(Self::key_of(t)))
        } else {
            parts.join(", ")
        }
    }

    /// MERGE with one to three WHENs, by key, from VALUES or from the person's own rows.
    pub fn merge(&mut self) -> String {
        let t = self.target(|r| !r.edit.is_empty() || !r.insert.is_empty());
        let key = Self::key_of(&t);
        let alias = ident(&t.alias);
        let visible: Vec<String> = self
            .known
            .rows
            .get(&t.root)
            .into_iter()
            .flatten()
            .filter_map(|r| r.get(key).cloned().flatten())
            .collect();
        let mut hidden = self.known.hidden.get(&t.root).cloned().unwrap_or_default();
        if t.relation.name == "calls" {
            hidden.clear();
        }
        let key_type = t.relation.column(key).map_or(Ty::Int, |c| c.ty.clone());
        let mut ids = Vec::new();
        for _ in 0..1 + self.g.tape.below(3) {
            let from = if self.g.tape.chance(15) { &hidden } else { &visible };
            let id = if from.is_empty() || self.g.tape.chance(15) {
                "4888888".to_owned()
            } else {
                self.g.tape.pick(from).clone()
            };
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        let rows: Vec<String> = ids
            .iter()
            .map(|id| format!("({}, 'merged')", crate::generate::literal(id, &key_type)))
            .collect();
        let (source, on) = if self.g.tape.chance(70) {
            (
                format!("(VALUES {}) AS s(key, word)", rows.join(", ")),
                format!("{alias}.{key} = s.key"),
            )
        } else {
            let from = format!("{}.{}", ident(&t.relation.schema), ident(&t.relation.name));
            (
                format!("(SELECT x.{key} AS key, 'w' AS word FROM {from} AS x) AS s"),
                format!("{alias}.{key} = s.key"),
            )
        };
        let mut whens = Vec::new();
        let only = match self.g.tape.below(3) {
            0 => String::new(),
            1 => format!(" AND {alias}.{key} IS NOT NULL"),
            _ => format!(" AND ({})", self.g.predicate(&t.env, 0)),
        };
        match self.g.tape.weighted(&[60, 15, 15]) {
            0 => {
                let set = self.assignments(&t, 2);
                whens.push(format!("WHEN MATCHED{only} THEN UPDATE SET {set}"));
            }
            1 => whens.push(format!("WHEN MATCHED{only} THEN DELETE")),
            _ => whens.push(format!("WHEN MATCHED{only} THEN DO NOTHING")),
        }
        if self.g.tape.chance(45) {
            let columns: Vec<Column> = self
                .insert_columns(&t)
                .into_iter()
                .filter(|c| c.name != key && !GENERATED.contains(&c.name.as_str()))
                .collect();
            let mut names = vec![ident(key)];
            names.extend(columns.iter().map(|c| ident(&c.name)));
            let mut values = vec!["s.key".to_owned()];
            for c in &columns {
                values.push(self.value_for(&t, c, true));
            }
            whens.push(format!(
                "WHEN NOT MATCHED THEN INSERT ({}) VALUES ({})",
                names.join(", "),
                values.join(", ")
            ));
        }
        format!(
            "MERGE INTO {}{} USING {source} ON {on} {}",
            t.name,
            t.naming,
            whens.join(" ")
        )
    }
}
