//! Temporary rights that are drawn by chance, and what they make of the oracle's roles: grants, delegations, shares,
//! suspensions, further roles and people who move, laid over the shipped roles by hand-written SQL.

use crate::dprime::Person;
use crate::dprime::roles::{self, Role, Table};
use crate::stage::{READER, Stage, TEMPLATE, shipped_policies};
use crate::tape::Tape;
use rowgate::config::Config;
use rowgate::demo::data;
use rowgate::demo::front::Front;
use std::fmt::Write;
use std::time::Duration;
use tokio_postgres::NoTls;

/// Somebody whose rights change, with the roles that the directory gives them.
pub struct Somebody {
    pub login: &'static str,
    roles: &'static [&'static str],
}

impl Somebody {
    /// Where they have more rows than their roles say, these show as this one's.
    pub fn first(&self) -> &'static str {
        self.roles[0]
    }

    /// As the directory has them.
    pub fn as_read(&self) -> Person {
        Person {
            login: self.login,
            roles: self.roles,
        }
    }
}

pub const PEOPLE: [Somebody; 3] = [
    Somebody {
        login: "alice",
        roles: &["sales_rep"],
    },
    Somebody {
        login: "ewan",
        roles: &["sales_rep", "service_agent"],
    },
    Somebody {
        login: "yun",
        roles: &["sales_manager"],
    },
];

/// People who may be away, by id.
const COLLEAGUES: [(&str, u32); 3] = [("hao", 37), ("chloe", 38), ("isla", 56)];
const SCOPES: [(&str, &str); 4] = [
    ("own", "ROW.owner_id = :me"),
    ("team", "ROW.team_id = :team"),
    ("reports", "ROW.owner_id = ANY (:reports)"),
    ("all", "true"),
];
const COLUMNS: [(&str, &str); 6] = [
    ("customers", "credit_limit"),
    ("customers", "tax_id"),
    ("customers", "email"),
    ("contacts", "phone"),
    ("contacts", "birthday"),
    ("contracts", "bank_account"),
];

/// What one person holds.
#[derive(Debug, Default, Clone)]
pub struct Held {
    /// More customers, as a condition over ROW.
    pub customers: Vec<String>,
    /// More rows of other tables.
    rows: Vec<(&'static str, String)>,
    /// Customers of others that they may edit.
    pub edits: Vec<String>,
    columns: Vec<(&'static str, &'static str)>,
    roles: Vec<&'static str>,
    /// Table, operation and rows of what may be written.
    pub writes: Vec<(&'static str, &'static str, &'static str)>,
}

/// Everything that holds at the moment.
#[derive(Debug, Default)]
pub struct Now {
    pub held: [Held; PEOPLE.len()],
    no_roles: Vec<&'static str>,
    pub no_tables: Vec<&'static str>,
    /// What makes it so, in D.
    pub rights: String,
    /// Who people are, in D and its copy.
    pub people: String,
}

impl Now {
    /// By chance. What may be `written` by it is drawn for those who write, too.
    pub fn drawn(tape: &mut Tape, written: bool) -> Self {
        let mut now = Self {
            rights: "DELETE FROM rowgate.rights;".to_owned(),
            ..Self::default()
        };
        for _ in 0..2 + tape.below(5) {
            now.one(tape, written);
        }
        if tape.chance(60) {
            let who = ["alice", "ewan", "hao"][tape.below(3)];
            let team = [14, 18, 19, 11][tape.below(4)];
            let _ = write!(
                now.people,
                "UPDATE crm.users SET team_id = {team}, manager_id = (ARRAY[15, 20])[{}] WHERE login = '{who}';",
                1 + tape.below(2)
            );
        }
        now
    }

    fn give(&mut self, columns: &str, values: &str) {
        let _ = write!(
            self.rights,
            "INSERT INTO rowgate.rights ({columns}, until) VALUES ({values}, now() + '1 hour');"
        );
    }

    fn one(&mut self, tape: &mut Tape, written: bool) {
        let at = tape.below(PEOPLE.len());
        let login = PEOPLE[at].login;
        match tape.below(10) {
            0 | 1 => {
                let (name, id) = COLLEAGUES[tape.below(COLLEAGUES.len())];
                self.held[at].customers.push(format!("ROW.owner_id = {id}"));
                self.held[at].edits.push(format!("ROW.owner_id = {id}"));
                self.give("kind, login, delegator", &format!("'delegation', '{login}', '{name}'"));
            }
            2 | 3 => {
                let (scope, sql) = SCOPES[tape.below(SCOPES.len())];
                let table = ["customers", "customers", "opportunities", "contracts"][tape.below(4)];
                match table {
                    "customers" => self.held[at].customers.push(sql.to_owned()),
                    other => self.held[at].rows.push((other, sql.to_owned())),
                }
                let writes = written && table != "contracts" && tape.chance(60);
                let operation = ["edit", "delete", "insert"][if writes { tape.below(3) } else { 0 }];
                if writes {
                    self.held[at].writes.push((table, operation, sql));
                }
                let operations = if writes {
                    format!("view,{operation}")
                } else {
                    "view".to_owned()
                };
                self.give(
                    "kind, login, table_name, operations, scope",
                    &format!("'grant', '{login}', '{table}', '{{{operations}}}', '{scope}'"),
                );
            }
            4 | 5 => {
                // to see is no right to write, which the writing D′ has no word for
                let (table, column) = match written {
                    true => COLUMNS[COLUMNS.len() - 1],
                    false => COLUMNS[tape.below(COLUMNS.len())],
                };
                self.held[at].columns.push((table, column));
                self.give(
                    "kind, login, table_name, columns",
                    &format!("'grant', '{login}', '{table}', '{{{column}}}'"),
                );
            }
            6 => {
                let id = 1 + tape.below(60);
                self.held[at].customers.push(format!("ROW.id = {id}"));
                self.give(
                    "kind, login, table_name, record",
                    &format!("'share', '{login}', 'customers', '{{{id}}}'"),
                );
            }
            7 => {
                let role = ["finance", "service_agent"][tape.below(2)];
                self.held[at].roles.push(role);
                self.give("kind, login, role", &format!("'role', '{login}', '{role}'"));
            }
            8 => {
                let role = ["sales_rep", "service_agent", "finance"][tape.below(3)];
                self.no_roles.push(role);
                self.give("kind, role", &format!("'suspension', '{role}'"));
            }
            _ => {
                let table = ["opportunities", "contracts", "activities"][tape.below(3)];
                self.no_tables.push(table);
                self.give("kind, table_name", &format!("'suspension', '{table}'"));
            }
        }
    }

    /// A person of the oracle whose roles say what holds now.
    pub fn person(&self, at: usize, round: u64) -> Person {
        let somebody = &PEOPLE[at];
        let held = &self.held[at];
        let mut names: Vec<&'static str> = Vec::new();
        let mut given: Vec<&'static str> = somebody.roles.to_vec();
        for role in &held.roles {
            if !given.contains(role) {
                given.push(role);
            }
        }
        for role in given {
            if self.no_roles.contains(&role) {
                continue;
            }
            // what was given shows as the first of their own roles shows its rows
            let is_first = somebody.roles[0] == role;
            let name = format!("{role} of {} in round {round}", somebody.login);
            let name: &'static str = Box::leak(name.into_boxed_str());
            roles::keep(self.changed(roles::role(role), name, is_first.then_some(held), held));
            names.push(name);
        }
        Person {
            login: somebody.login,
            roles: Box::leak(names.into_boxed_slice()),
        }
    }

    fn changed(&self, role: &Role, name: &'static str, rows: Option<&Held>, held: &Held) -> Role {
        let more = rows.map(|h| h.customers.join(" OR ")).filter(|sql| !sql.is_empty());
        let through_parents = |condition: &str| through_parents(condition, more.as_deref());
        let tables: Vec<Table> = role
            .tables
            .iter()
            .filter(|t| !self.no_tables.iter().any(|n| t.name == format!("public.{n}")))
            .map(|t| {
                let mut condition = through_parents(t.rows).to_owned();
                if let Some(more) = more.as_ref().filter(|_| t.name == "public.customers") {
                    condition = format!("{condition} OR {more}");
                }
                for (table, sql) in rows.iter().flat_map(|h| &h.rows) {
                    if t.name == format!("public.{table}") {
                        condition = format!("{condition} OR {sql}");
                    }
                }
                let clear = |column: &str| {
                    let is = |(table, c): &(&str, &str)| t.name == format!("public.{table}") && *c == column;
                    held.columns.iter().any(is)
                };
                let columns: Vec<_> = t.columns.iter().filter(|(column, _)| !clear(column)).cloned().collect();
                Table {
                    name: t.name,
                    rows: Box::leak(condition.into_boxed_str()),
                    columns: Box::leak(columns.into_boxed_slice()),
                }
            })
            .collect();
        let edits = role.edits.iter();
        let mut edits: Vec<_> = edits.map(|(table, sql)| (*table, through_parents(sql))).collect();
        for sql in rows.iter().flat_map(|h| &h.edits) {
            edits.push(("public.customers", Box::leak(sql.clone().into_boxed_str())));
        }
        for (table, _, sql) in rows.iter().flat_map(|h| &h.writes).filter(|w| w.1 == "edit") {
            edits.push((Box::leak(format!("public.{table}").into_boxed_str()), sql));
        }
        Role {
            name,
            edits: Box::leak(edits.into_boxed_slice()),
            tables: Box::leak(tables.into_boxed_slice()),
            derived: role.derived,
        }
    }
}

/// What is visible, or may be written, with its customer: by more customers.
pub fn through_parents(condition: &str, more: Option<&str>) -> &'static str {
    let through = "p.id = ROW.customer_id AND (";
    let more = more.filter(|_| condition.contains("m.customer_id = p.id"));
    let condition = more.map_or(condition.to_owned(), |more| {
        condition.replace(through, &format!("{through}{} OR ", more.replace("ROW.", "p.")))
    });
    Box::leak(condition.into_boxed_str())
}

pub async fn superuser(stage: &Stage, database: &str) -> tokio_postgres::Client {
    let at = &stage.superuser;
    let text = format!(
        "host={} port={} user={} password={} dbname={database}",
        at.host, at.port, at.user, at.password
    );
    let (client, connection) = tokio_postgres::connect(&text, NoTls).await.expect("a superuser");
    tokio::spawn(connection);
    client
}

/// Rowgate before a database with temporary rights, in this process.
pub async fn front(stage: &Stage, database: &str) -> Front {
    let policies = shipped_policies();
    let text = format!(
        "[listen]\nport = 0\n[upstream]\nhost = \"127.0.0.1\"\nport = {}\ndatabase = \"{database}\"\nuser = \"{READER}\"\n\
         password = \"{}\"\nsslmode = \"disable\"\n[policies]\ndirectory = \"{}\"\n[login]\nmethod = \"upstream\"\n\
         auth_query = \"SELECT login, verifier FROM rowgate.verifier($1)\"\n[audit]\noutput = \"off\"\n[rights]\n",
        stage.superuser.port,
        data::password(READER),
        policies.display(),
    );
    let config = Config::parse("changes", &text, &policies).unwrap_or_else(|e| panic!("{e:?}"));
    Front::with_config(config).await.expect("rowgate")
}

/// Until rowgate has another world; a second is promised, more is waited for on a busy machine.
pub async fn change(front: &Front, client: &tokio_postgres::Client, sql: &str) {
    let mut generation = front.world().watch();
    let before = front.world().current().generation;
    client
        .batch_execute(sql)
        .await
        .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    let changed = generation.wait_for(|g| *g > before);
    tokio::time::timeout(Duration::from_secs(10), changed)
        .await
        .unwrap_or_else(|_| panic!("not in force: {sql}"))
        .expect("a world");
}

/// Moves people where they stand, and waits until that is in force; elsewhere only the rows change.
pub async fn move_people(front: &Front, owner: &tokio_postgres::Client, people: &str) {
    let before = owner.query(MOVED, &[]).await.expect("people");
    owner.batch_execute(people).await.expect("people");
    let after = owner.query(MOVED, &[]).await.expect("people");
    if after.iter().map(row).ne(before.iter().map(row)) {
        change(front, owner, "NOTIFY rowgate_directory").await;
    }
}

const MOVED: &str = "SELECT login, team_id, manager_id FROM crm.users ORDER BY user_id";

fn row(row: &tokio_postgres::Row) -> (String, i32, Option<i32>) {
    (row.get(0), row.get(1), row.get(2))
}

/// Until nobody is connected to what D′ is copied from.
pub fn settle(runtime: &tokio::runtime::Runtime, stage: &Stage) {
    runtime.block_on(async {
        let client = superuser(stage, "postgres").await;
        let busy = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{TEMPLATE}'");
        for _ in 0..200 {
            let busy: i64 = client.query_one(&busy, &[]).await.expect("an answer").get(0);
            if busy == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("somebody stays connected to {TEMPLATE}");
    });
}
