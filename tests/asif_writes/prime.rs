//! D′ that can be written: PostgreSQL's own constraints, grants, row security and triggers hold the person to their rights.

use crate::dprime::roles::{self, Column, Role};
use crate::dprime::{Person, Standing, run};
use crate::rules::{Right, deciding, family, rights};
use crate::schema::texts;
use crate::stage::READER;
use crate::wire::Client;
use std::fmt::Write;
use std::sync::atomic::{AtomicU32, Ordering};

/// Functions are numbered.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// What a column that is not always clear shows, and where it is clear.
pub struct Shown {
    pub name: String,
    /// SQL over `ROW.`: in clear on this row.
    clear: String,
    /// SQL over `ROW.`: what shows.
    value: String,
}

/// The person's part of one table.
pub struct Part {
    pub table: &'static str,
    visible: String,
    pub columns: Vec<Shown>,
    rights: Vec<&'static Right>,
    defaults: Vec<(String, String)>,
}

/// A constant list of numbers that a query yields.
fn numbers(client: &mut Client, sql: &str) -> String {
    let found: Vec<String> = texts(client, sql).into_iter().filter_map(|mut r| r.remove(0)).collect();
    format!("'{{{}}}'::int[]", found.join(","))
}

/// The person's standing, put in the place of the words.
pub struct Facts {
    standing: Standing,
    mates: String,
    people: String,
}

impl Facts {
    pub fn read(client: &mut Client, login: &str) -> Self {
        let standing = Standing::read(client, login);
        let mates = numbers(
            client,
            &standing.fill("SELECT user_id FROM crm.users WHERE active AND team_id = :team ORDER BY 1"),
        );
        let people = numbers(
            client,
            &standing.fill(
                "SELECT user_id FROM crm.users WHERE active AND (team_id = ANY (:tree) OR user_id = ANY (:reports)) ORDER BY 1",
            ),
        );
        Self {
            standing,
            mates,
            people,
        }
    }

    pub fn fill(&self, sql: &str) -> String {
        let sql = sql.replace(":mates", &self.mates).replace(":people", &self.people);
        self.standing.fill(&sql)
    }

    pub fn me(&self) -> &str {
        &self.standing.me
    }

    pub fn team(&self) -> &str {
        &self.standing.team
    }
}

fn any(parts: &[String]) -> String {
    if parts.is_empty() {
        "false".to_owned()
    } else {
        parts.join(" OR ")
    }
}

impl Part {
    fn of(table: &'static str, roles: &[&Role], person: &Person, facts: &Facts, client: &mut Client) -> Option<Self> {
        let given: Vec<_> = roles
            .iter()
            .filter_map(|r| r.tables.iter().find(|t| t.name == table))
            .collect();
        if given.is_empty() {
            return None;
        }
        let shows: Vec<String> = given.iter().map(|t| format!("(({}) IS TRUE)", t.rows)).collect();
        let stored = texts(
            client,
            &format!(
                "SELECT a.attname, coalesce(pg_get_expr(d.adbin, d.adrelid), 'NULL') FROM pg_attribute a \
                 LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
                 WHERE a.attrelid = '{table}'::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''"
            ),
        );
        let defaults: Vec<(String, String)> = stored
            .into_iter()
            .map(|mut r| {
                let default = r.remove(1).unwrap_or_default();
                (r.remove(0).unwrap_or_default(), default)
            })
            .collect();
        let mut columns = Vec::new();
        for (name, _) in &defaults {
            let says: Vec<Option<&Column>> = given
                .iter()
                .map(|t| t.columns.iter().find(|c| c.0 == name).map(|c| &c.1))
                .collect();
            if says.iter().all(Option::is_none) || says.iter().all(|s| matches!(s, Some(Column::Hidden))) {
                continue;
            }
            let (mut clear, mut masked, mut absent, mut left) = (Vec::new(), String::new(), String::new(), "NULL");
            for (say, show) in says.iter().zip(&shows) {
                match say {
                    None => clear.push(show.clone()),
                    Some(Column::Hidden) => {
                        let _ = write!(absent, " WHEN {show} THEN NULL");
                    }
                    Some(Column::HiddenExcept(when)) => {
                        clear.push(format!("({show} AND ({when}) IS TRUE)"));
                        let _ = write!(absent, " WHEN {show} THEN NULL");
                    }
                    Some(Column::Mask(expression, except)) => {
                        clear.push(format!("({show} AND ({except}) IS TRUE)"));
                        let _ = write!(masked, " WHEN {show} THEN {expression}");
                        // a row that has just left the person's view still shows masked in RETURNING
                        left = *expression;
                    }
                }
            }
            let clear = any(&clear);
            columns.push(Shown {
                name: name.clone(),
                value: format!("CASE WHEN {clear} THEN ROW.\"{name}\"{masked}{absent} ELSE {left} END"),
                clear,
            });
        }
        let mut part = Self {
            table,
            visible: shows.join(" OR "),
            columns,
            rights: rights(person.roles, table),
            defaults,
        };
        part.visible = facts.fill(&part.visible);
        for c in &mut part.columns {
            c.clear = facts.fill(&c.clear);
            c.value = facts.fill(&c.value);
        }
        Some(part)
    }

    fn scope(&self, facts: &Facts, pick: fn(&Right) -> &'static str) -> Option<String> {
        let said: Vec<String> = self
            .rights
            .iter()
            .map(|r| pick(r))
            .filter(|s| !s.is_empty())
            .map(|s| format!("(({s}) IS TRUE)"))
            .collect();
        (!said.is_empty()).then(|| facts.fill(&said.join(" OR ")))
    }

    fn shown(&self, column: &str) -> Option<&Shown> {
        self.columns.iter().find(|c| c.name == column)
    }

    /// Columns that some role of the person does not simply let them write.
    fn kept(&self) -> Vec<&str> {
        self.defaults
            .iter()
            .map(|d| d.0.as_str())
            .filter(|c| {
                !deciding(self.table).contains(c)
                    && (self.shown(c).is_some() || self.rights.iter().any(|r| r.read_only.contains(c)))
            })
            .collect()
    }

    /// SQL over `ROW.`: may this column of this row be written?
    fn writable(&self, facts: &Facts, column: &str, pick: fn(&Right) -> &'static str) -> String {
        // one role gives both, the row and the column
        let clear = |r: &Right| {
            let table = roles::role(r.role).tables.iter().find(|t| t.name == self.table);
            match table.and_then(|t| t.columns.iter().find(|c| c.0 == column)) {
                _ if r.in_clear.contains(&column) => "true",
                None => "true",
                Some((_, Column::Hidden)) => "false",
                Some((_, Column::HiddenExcept(when) | Column::Mask(_, when))) => when,
            }
        };
        let ways: Vec<String> = self
            .rights
            .iter()
            .filter(|r| !pick(r).is_empty() && !r.read_only.contains(&column))
            .map(|r| format!("(({}) IS TRUE AND ({}) IS TRUE)", pick(r), clear(r)))
            .collect();
        facts.fill(&any(&ways))
    }

    fn before_update(&self, facts: &Facts, full: bool) -> String {
        let mut body = String::from("DECLARE moved boolean := false; BEGIN\n");
        for column in deciding(self.table) {
            let ways: Vec<String> = self
                .rights
                .iter()
                .filter(|r| !r.edit.is_empty())
                .flat_map(|r| r.transfer.iter().filter(|t| t.0 == *column).map(move |t| (r, t)))
                .map(|(r, t)| format!("(({}) IS TRUE AND ({}) IS TRUE)", r.edit.replace("ROW.", "OLD."), t.1))
                .collect();
            let _ = writeln!(
                body,
                "IF NEW.\"{column}\" IS DISTINCT FROM OLD.\"{column}\" THEN moved := true; IF NOT ({}) THEN {} END IF; END IF;",
                facts.fill(&any(&ways)),
                refuse("may not be handed over by", column)
            );
        }
        for column in self.kept() {
            let _ = writeln!(
                body,
                "IF NEW.\"{column}\" IS DISTINCT FROM OLD.\"{column}\" AND NOT ({}) THEN {} END IF;",
                self.writable(facts, column, |r| r.edit).replace("ROW.", "OLD."),
                refuse("may not write", column)
            );
        }
        if let Some(edit) = self.scope(facts, |r| r.edit) {
            let _ = writeln!(
                body,
                "IF NOT moved AND NOT ({}) THEN {} END IF;",
                edit.replace("ROW.", "NEW."),
                refuse("new row violates", "*")
            );
        }
        body.push_str("IF moved THEN\n");
        let gains = [self.scope(facts, |r| r.delete), self.scope(facts, |r| r.export)];
        let shown = self.columns.iter().map(|c| format!("({})", c.clear));
        for gain in gains.into_iter().flatten().chain(shown) {
            let (old, new) = (gain.replace("ROW.", "OLD."), gain.replace("ROW.", "NEW."));
            let _ = writeln!(
                body,
                "IF NOT ({old}) AND ({new}) THEN {} END IF;",
                refuse("gain by", "a scope")
            );
        }
        for c in self.columns.iter().filter(|_| !full) {
            let (old, new) = (c.clear.replace("ROW.", "OLD."), c.clear.replace("ROW.", "NEW."));
            body.push_str(&self.masked_from_now_on(c, &format!("({old}) AND NOT ({new})")));
        }
        body.push_str("END IF;\n");
        for c in self.columns.iter().filter(|_| !full) {
            if self.rights.iter().any(|r| r.in_clear.contains(&c.name.as_str())) {
                let new = c.clear.replace("ROW.", "NEW.");
                let when = format!("NEW.\"{0}\" IS DISTINCT FROM OLD.\"{0}\" AND NOT ({new})", c.name);
                body.push_str(&self.masked_from_now_on(c, &when));
            }
        }
        body.push_str("RETURN NEW; END");
        body
    }

    /// Puts the mask in the place of a value that the person has just stored, and keeps the value aside.
    fn masked_from_now_on(&self, c: &Shown, when: &str) -> String {
        let value = c.value.replace("ROW.", "NEW.");
        format!(
            "IF {when} THEN INSERT INTO asif.side SELECT '{}', {}, '{2}', NEW.\"{2}\"::text, TG_OP = 'INSERT'; NEW.\"{2}\" := {value}; END IF;\n",
            self.table,
            key(self.table, "NEW."),
            c.name,
        )
    }

    fn before_insert(&self, facts: &Facts, full: bool) -> String {
        let mut body = String::from("BEGIN\n");
        for column in self.kept() {
            let default = self
                .defaults
                .iter()
                .find(|d| d.0 == column)
                .map_or("NULL", |d| d.1.as_str());
            let _ = writeln!(
                body,
                "IF NEW.\"{column}\" IS DISTINCT FROM {default} AND NOT ({}) THEN {} END IF;",
                self.writable(facts, column, |r| r.insert).replace("ROW.", "NEW."),
                refuse("may not set", column)
            );
        }
        if self.table == "public.customer_members" {
            let _ = writeln!(
                body,
                "IF NEW.user_id = {} OR NEW.team_id = {} THEN {} END IF;",
                facts.me(),
                facts.team(),
                refuse("may not add themselves by", "user_id")
            );
        }
        for c in self.columns.iter().filter(|_| !full) {
            body.push_str(&self.masked_from_now_on(c, &format!("NOT ({})", c.clear.replace("ROW.", "NEW."))));
        }
        body.push_str("RETURN NEW; END");
        body
    }
}

fn refuse(what: &str, column: &str) -> String {
    format!("RAISE insufficient_privilege USING MESSAGE = 'they {what} \"{column}\"';")
}

/// What identifies a row, as text.
pub fn key(table: &str, row: &str) -> String {
    let one = format!("{row}{}::text", roles::key(table));
    if table.starts_with("public.service_records") {
        format!("{one} || '/' || {row}opened_at::text")
    } else {
        one
    }
}

/// The tables that hold rows themselves.
pub fn leaves(table: &'static str) -> Vec<&'static str> {
    let all = family(table);
    if table == "public.service_records" {
        all[1..].to_vec()
    } else {
        all.to_vec()
    }
}

fn flat(table: &str) -> String {
    table.replace('.', "_")
}

fn short(table: &str) -> &str {
    table.split('.').next_back().unwrap_or(table)
}

/// Everything that D enforces, to be put back where D′ has no mask in its way.
const CONSTRAINTS: &str = "
SELECT 'ALTER TABLE ' || c.conrelid::regclass || ' ADD CONSTRAINT ' || quote_ident(conname) || ' ' || pg_get_constraintdef(c.oid)
       || CASE WHEN contype IN ('c', 'f') THEN ' NOT VALID' ELSE '' END,
       c.conrelid::regclass::text,
       (SELECT string_agg(attname, ',') FROM pg_attribute a WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey))
FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname IN ('public', 'crm') AND contype IN ('c', 'u')
   OR n.nspname IN ('public', 'crm') AND contype = 'f' AND NOT (t.relkind = 'p')
UNION ALL
SELECT pg_get_indexdef(i.indexrelid), i.indrelid::regclass::text,
       (SELECT string_agg(attname, ',') FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[]))
FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname IN ('public', 'crm') AND i.indisunique AND NOT i.indisprimary
  AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
UNION ALL
SELECT 'ALTER TABLE ' || a.attrelid::regclass || ' ALTER COLUMN ' || quote_ident(attname) || ' SET NOT NULL',
       a.attrelid::regclass::text, attname
FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname IN ('public', 'crm') AND t.relkind IN ('r', 'p') AND a.attnum > 0 AND a.attnotnull AND NOT a.attisdropped";

/// Puts D's constraints back, those on masked columns left out.
fn constrain(whole: &mut Client, client: &mut Client, parts: &[Part]) {
    for row in texts(whole, CONSTRAINTS) {
        let cell = |i: usize| row[i].clone().unwrap_or_default();
        let (ddl, table, columns) = (cell(0), cell(1), cell(2));
        let masked = parts.iter().any(|p| {
            family(p.table).iter().any(|t| short(t) == short(&table))
                && columns.split(',').any(|c| p.columns.iter().any(|s| s.name == c))
        });
        if !masked {
            // a column that the person does not have, or a table that is empty for them: nothing to enforce
            let _ = client.simple(&ddl).expect("D′ answers");
        }
    }
}

/// Makes a database enforce what the person may write. In `full` ones nothing is absent, so that reading is limited as well.
pub fn arm(whole: &mut Client, client: &mut Client, person: &Person, full: bool) -> Vec<Part> {
    let facts = Facts::read(whole, person.login);
    let roles: Vec<&Role> = person.roles.iter().map(|r| roles::role(r)).collect();
    let parts: Vec<Part> = roles::TABLES
        .iter()
        .filter_map(|t| Part::of(t, &roles, person, &facts, client))
        .collect();
    run(
        client,
        "CREATE SCHEMA IF NOT EXISTS asif; GRANT USAGE ON SCHEMA asif TO PUBLIC",
    );
    run(
        client,
        "CREATE TABLE asif.side (tab text, key text, col text, value text, made boolean)",
    );
    if !full {
        constrain(whole, client, &parts);
    }
    for table in roles::TABLES {
        match parts.iter().find(|p| p.table == table) {
            Some(part) => run(client, &secure(part, &facts, full)),
            None => run(client, &close(table)),
        }
    }
    run(client, &own_defaults(&parts, &facts));
    if !full {
        run(client, &refresh(&parts));
    }
    run(
        client,
        "DO $$ DECLARE r record; BEGIN FOR r IN SELECT c.oid::regclass AS v FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind = 'v' AND n.nspname IN ('public', 'crm') LOOP EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', r.v); \
         END LOOP; END $$",
    );
    parts
}

/// What the policy says of columns that an INSERT leaves out.
fn own_defaults(parts: &[Part], facts: &Facts) -> String {
    let mut sql = String::new();
    for part in parts {
        for (column, value) in part.rights.iter().flat_map(|r| r.defaults) {
            for table in family(part.table) {
                let _ = writeln!(
                    sql,
                    "ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {};",
                    facts.fill(value)
                );
            }
        }
    }
    sql
}

fn close(table: &'static str) -> String {
    family(table)
        .iter()
        .map(|t| format!("REVOKE ALL ON {t} FROM {READER};"))
        .collect()
}

fn secure(part: &Part, facts: &Facts, full: bool) -> String {
    let mut sql = String::new();
    let name = flat(part.table);
    let scopes = [
        ("INSERT", "WITH CHECK", part.scope(facts, |r| r.insert)),
        ("UPDATE", "USING", part.scope(facts, |r| r.edit)),
        ("DELETE", "USING", part.scope(facts, |r| r.delete)),
    ];
    let _ = writeln!(
        sql,
        "CREATE FUNCTION asif.update_{name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $asif$ {} $asif$;\n\
         CREATE FUNCTION asif.insert_{name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $asif$ {} $asif$;",
        part.before_update(facts, full),
        part.before_insert(facts, full)
    );
    for table in family(part.table) {
        let row = format!("{}.", short(table));
        // in a whole D, policies would ask each other for ever: functions of the owner's look past them
        let says = |scope: &str| {
            if full {
                let name = format!("asif.is_{}", COUNT.fetch_add(1, Ordering::Relaxed));
                let function = format!(
                    "CREATE FUNCTION {name}({table}) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER AS $asif$ SELECT {} $asif$;\n",
                    scope.replace("ROW.", "($1).")
                );
                (function, format!("{name}({})", short(table)))
            } else {
                (String::new(), scope.replace("ROW.", &row))
            }
        };
        let (function, seen) = if full {
            says(&part.visible)
        } else {
            (String::new(), "true".to_owned())
        };
        sql.push_str(&function);
        let _ = writeln!(
            sql,
            "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; CREATE POLICY asif_s ON {table} FOR SELECT TO {READER} USING ({seen});"
        );
        for (what, clause, scope) in &scopes {
            let Some(scope) = scope else {
                let _ = writeln!(sql, "REVOKE {what} ON {table} FROM {READER};");
                continue;
            };
            let check = if *what == "UPDATE" { " WITH CHECK (true)" } else { "" };
            let (function, scope) = says(scope);
            let _ = writeln!(
                sql,
                "{function}CREATE POLICY asif_{what} ON {table} FOR {what} TO {READER} {clause} ({scope}){check};"
            );
        }
    }
    if part.visible.contains("((true) IS TRUE)") && part.rights.iter().any(|r| r.delete == "true") {
        let _ = writeln!(sql, "GRANT TRUNCATE ON {} TO {READER};", part.table);
    }
    for table in leaves(part.table) {
        let _ = writeln!(
            sql,
            "CREATE TRIGGER asif_u BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION asif.update_{name}();\n\
             CREATE TRIGGER asif_i BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION asif.insert_{name}();\n\
             CREATE TABLE asif.gone_{} AS SELECT * FROM ONLY {table} LIMIT 0;",
            flat(table)
        );
    }
    sql
}

/// After a row was handed over: what has left the person's view leaves D′, what is masked from now on becomes its mask.
fn refresh(parts: &[Part]) -> String {
    let mut body = String::new();
    for part in parts {
        for table in leaves(part.table) {
            let _ = writeln!(
                body,
                "WITH gone AS (DELETE FROM ONLY {table} r WHERE NOT ({}) RETURNING r.*) INSERT INTO asif.gone_{} SELECT * FROM gone;",
                part.visible.replace("ROW.", "r."),
                flat(table)
            );
        }
    }
    for part in parts {
        // hashes of hashes are other hashes, and whoever sees them writes nothing
        for c in part.columns.iter().filter(|c| !c.value.contains("md5(")) {
            let value = c.value.replace("ROW.", "r.");
            for table in leaves(part.table) {
                let _ = writeln!(
                    body,
                    "INSERT INTO asif.side SELECT '{0}', {1}, '{2}', r.\"{2}\"::text, false FROM ONLY {table} r WHERE r.\"{2}\" IS DISTINCT FROM ({value});\n\
                     UPDATE ONLY {table} r SET \"{2}\" = {value} WHERE r.\"{2}\" IS DISTINCT FROM ({value});",
                    part.table,
                    key(part.table, "r."),
                    c.name
                );
            }
        }
    }
    let mut sql = format!(
        "CREATE FUNCTION asif.refresh() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET session_replication_role = replica \
         AS $asif$ BEGIN {body} RETURN NULL; END $asif$;\n"
    );
    for part in parts {
        let decides = deciding(part.table);
        for table in family(part.table) {
            if !decides.is_empty() {
                let _ = writeln!(
                    sql,
                    "CREATE TRIGGER asif_z AFTER UPDATE OF {} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION asif.refresh();",
                    decides.join(", ")
                );
            }
            if part.table == "public.customer_members" {
                let _ = writeln!(
                    sql,
                    "CREATE TRIGGER asif_y AFTER INSERT OR DELETE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION asif.refresh();"
                );
            }
        }
    }
    sql
}
