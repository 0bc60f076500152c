//! Everybody's databases for writing: a D of their own with rowgate before it, and their D′ that PostgreSQL itself guards.

use crate::compare::{Exempt, Marks, marks_in};
use crate::dprime::{self, Person, build, run};
use crate::mapping::Defaults;
use crate::prime::{self, Facts};
use crate::schema::{Schema, texts};
use crate::stage::{READER, Server, Stage, TEMPLATE, WHOLE};
use crate::state::Watch;
use crate::wire::{Address, Client};
use std::collections::HashMap;
use std::path::Path;

/// What the generator knows of a person.
#[derive(Debug, Clone)]
pub struct Known {
    pub me: String,
    pub team: String,
    pub mates: Vec<String>,
    pub people: Vec<String>,
    /// Rows of D′ by table: column values as text.
    pub rows: HashMap<String, Vec<HashMap<String, Option<String>>>>,
    /// Keys of hidden rows by table.
    pub hidden: HashMap<String, Vec<String>>,
}

/// One person's side of the oracle.
pub struct Seat {
    pub person: Person,
    /// D of their own, as rowgate's role.
    pub whole: Address,
    pub prime: Address,
    pub superuser: Address,
    pub schema: Schema,
    pub hidden: Marks,
    pub exempt: Exempt,
    pub known: Known,
    pub defaults: Defaults,
}

/// What the steward's databases are copied from.
const STEWARDS: &str = "asif_stewards";

/// Somebody with a role that no shipped policy has, who owns customers of several teams and shares others.
const STEWARD: [&str; 4] = [
    "ALTER TYPE crm.role ADD VALUE 'steward'",
    "UPDATE crm.users SET roles = '{steward}' WHERE login = 'hao'",
    "UPDATE customers SET owner_id = 37 WHERE id IN (2, 3, 4, 6, 10, 11); \
     INSERT INTO customer_members (customer_id, user_id, can_edit, added_at) SELECT id, 37, true, '2024-01-01' \
     FROM customers WHERE id IN (12, 13, 16, 25)",
    "GRANT TRUNCATE ON products TO rowgate",
];

/// Everybody, and what the generator may name.
pub struct Yard {
    pub whole: Schema,
    /// Marks of D.
    pub all: Marks,
    pub seats: Vec<Seat>,
}

/// Row types of tables that lack a column here.
const PARTIAL_ROW_TYPES: &str = "SELECT c.reltype FROM pg_class c WHERE c.reltype <> 0 \
    AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attisdropped)";

/// What a column holds where nothing is said.
const DEFAULTS: &str = "SELECT c.oid::regclass::text, a.attname, format('(%s)::%s', pg_get_expr(d.adbin, d.adrelid), format_type(a.atttypid, a.atttypmod)) FROM pg_attrdef d \
    JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.adnum WHERE a.attgenerated = '' AND n.nspname IN ('public', 'crm')";

fn oids(client: &mut Client, sql: &str) -> std::collections::HashSet<u32> {
    texts(client, sql)
        .into_iter()
        .filter_map(|mut r| r.remove(0)?.parse().ok())
        .collect()
}

fn marks(client: &mut Client, schema: &Schema) -> Marks {
    let mut found = Marks::new();
    for r in &schema.relations {
        // whoever may not read it gets an error, which holds no mark
        let rows = client
            .simple(&format!("SELECT t::text FROM \"{}\".\"{}\" AS t", r.schema, r.name))
            .expect("the database answers");
        found.extend(marks_in(&rows.raw));
    }
    found
}

fn defaults(client: &mut Client) -> Defaults {
    let mut out = Defaults::new();
    for row in texts(client, DEFAULTS) {
        let cell = |i: usize| row[i].clone().unwrap_or_default();
        let value = texts(client, &format!("SELECT ({})::text", cell(2)));
        let table = cell(0);
        let table = if table.contains('.') {
            table
        } else {
            format!("public.{table}")
        };
        out.insert((table, cell(1)), value.into_iter().flatten().next().flatten());
    }
    out
}

impl Yard {
    /// Makes every person's databases out of the stage's.
    pub fn of(stage: &Stage, people: &[Person]) -> Self {
        let at = |database: &str| Address {
            database: database.to_owned(),
            ..stage.superuser.clone()
        };
        let mut d = Client::connect(&at(WHOLE)).expect("D");
        let whole = Schema::read(&mut d, None);
        let all = marks(&mut d, &whole);
        let mut admin = Client::connect(&stage.superuser).expect("superuser");
        let mut seats = Vec::new();
        if people.iter().any(is_steward) {
            run(&mut admin, &format!("CREATE DATABASE {STEWARDS} TEMPLATE {TEMPLATE}"));
            let mut client = Client::connect(&at(STEWARDS)).expect("superuser");
            for sql in STEWARD {
                run(&mut client, sql);
            }
        }
        for person in people {
            let template = template(person);
            let own = format!("wd_{}", person.login);
            create(&mut admin, &own, template);
            seats.push(Seat::made(stage, person, &whole, &all));
        }
        Self { whole, all, seats }
    }
}

fn is_steward(person: &Person) -> bool {
    person.roles.contains(&"steward")
}

fn template(person: &Person) -> &'static str {
    if is_steward(person) { STEWARDS } else { TEMPLATE }
}

/// A connection that has just been closed takes a moment to end.
fn create(admin: &mut Client, name: &str, template: &str) {
    let sql = format!("CREATE DATABASE {name} TEMPLATE {template}");
    let started = std::time::Instant::now();
    loop {
        let answer = admin.simple(&sql).expect("superuser");
        match answer.error {
            None => return,
            Some(e) if e.code() == "55006" && started.elapsed().as_secs() < 20 => std::thread::yield_now(),
            Some(e) => panic!("{} {}", e.code(), e.message()),
        }
    }
}

/// The shipped policies, and a role that has what they do not use.
pub fn policies(person: &Person) -> Policies {
    let shipped = crate::stage::shipped_policies();
    if !is_steward(person) {
        return Policies { shipped, own: None };
    }
    let own = crate::stage::copied_policies();
    let steward = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/asif_writes/roles/steward.toml");
    std::fs::copy(steward, own.path().join("roles/steward.toml")).expect("a copy");
    Policies {
        shipped,
        own: Some(own),
    }
}

/// A directory of policies.
pub struct Policies {
    shipped: std::path::PathBuf,
    own: Option<tempfile::TempDir>,
}

impl Policies {
    pub fn path(&self) -> &Path {
        self.own.as_ref().map_or(&self.shipped, tempfile::TempDir::path)
    }
}

fn column(client: &mut Client, sql: &str) -> Vec<String> {
    texts(client, sql).into_iter().filter_map(|mut r| r.remove(0)).collect()
}

fn known(d: &mut Client, prime: &mut Client, facts: &Facts) -> Known {
    let mut rows = HashMap::new();
    let mut hidden = HashMap::new();
    for table in dprime::roles::TABLES {
        let key = dprime::roles::key(table);
        let all = column(d, &format!("SELECT {key}::text FROM {table} ORDER BY {key} LIMIT 400"));
        let answer = prime
            .simple(&format!("SELECT * FROM {table} ORDER BY {key} LIMIT 300"))
            .expect("D′ answers");
        let mut seen: Vec<HashMap<String, Option<String>>> = Vec::new();
        for result in answer.results {
            let names: Vec<String> = result.fields.unwrap_or_default().into_iter().map(|f| f.name).collect();
            for row in result.rows {
                let values = row
                    .into_iter()
                    .map(|v| v.map(|b| String::from_utf8_lossy(&b).into_owned()));
                seen.push(names.iter().cloned().zip(values).collect());
            }
        }
        let keys: Vec<String> = seen.iter().filter_map(|r| r.get(key).cloned().flatten()).collect();
        hidden.insert(
            table.to_owned(),
            all.into_iter().filter(|k| !keys.contains(k)).collect(),
        );
        rows.insert(table.to_owned(), seen);
    }
    let ids = |list: String| -> Vec<String> {
        let inside = list.trim_start_matches("'{").split('}').next().unwrap_or_default();
        inside.split(',').filter(|s| !s.is_empty()).map(str::to_owned).collect()
    };
    Known {
        me: facts.me().to_owned(),
        team: facts.team().to_owned(),
        mates: ids(facts.fill(":mates")),
        people: ids(facts.fill(":people")),
        rows,
        hidden,
    }
}

impl Seat {
    /// A person's D′, made by what their roles say now, beside their D.
    pub fn made(stage: &Stage, person: &Person, whole: &Schema, all: &Marks) -> Self {
        let at = |database: &str| Address {
            database: database.to_owned(),
            ..stage.superuser.clone()
        };
        let (template, own) = (template(person), format!("wd_{}", person.login));
        let mut d = Client::connect(&at(&own)).expect("D");
        let prime = build(&stage.superuser, template, person, READER);
        let mut guarded = Client::connect(&at(&prime.database)).expect("D′");
        prime::arm(&mut d, &mut guarded, person, false);
        run(&mut guarded, "ANALYZE");
        drop(guarded);
        let reader = |database: &str| Address {
            database: database.to_owned(),
            ..stage.whole()
        };
        let mut client = Client::connect(&reader(&prime.database)).expect("D′");
        let mut schema = Schema::read(&mut client, Some(whole));
        if schema.relations.is_empty() {
            schema = whole.clone(); // somebody without rights asks for what there is
        }
        let seen = marks(&mut client, &schema);
        let facts = Facts::read(&mut d, person.login);
        let known = known(&mut d, &mut client, &facts);
        Seat {
            person: person.clone(),
            whole: reader(&own),
            prime: reader(&prime.database),
            superuser: stage.superuser.clone(),
            schema,
            hidden: all.difference(&seen).cloned().collect(),
            exempt: Exempt {
                row_types: oids(&mut client, PARTIAL_ROW_TYPES),
                lasting: oids(&mut client, "SELECT oid FROM pg_class"),
            },
            known,
            defaults: defaults(&mut d),
        }
    }

    /// A superuser's watch over one of the person's databases.
    pub fn watch(&self, database: &Address) -> Watch {
        let address = Address {
            database: database.database.clone(),
            ..self.superuser.clone()
        };
        Watch::begin(Client::connect(&address).expect("superuser"))
    }

    /// rowgate before the person's own D.
    pub fn serve(&self, stage: &Stage, policies: &Path, more: Option<&str>) -> Server {
        match more {
            Some(more) => Server::configured(stage, &self.whole.database, policies, more),
            None => Server::before(stage, &self.whole.database, policies),
        }
    }

    /// A copy of D with PostgreSQL's row security instead of rowgate: what constraints say there, they say everywhere.
    pub fn enforced(&self) -> Address {
        let name = format!("wr_{}", self.person.login);
        let mut admin = Client::connect(&self.superuser).expect("superuser");
        run(&mut admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        create(&mut admin, &name, template(&self.person));
        self.enforce(&name)
    }

    /// The name of a copy of D from which the hidden rows were taken; every column stays.
    pub fn without_the_hidden(&self) -> String {
        dprime::witness(
            &self.superuser,
            template(&self.person),
            &self.person,
            dprime::Hidden::Deleted,
        )
    }

    /// The same for the person's own D.
    pub fn enforced_in_place(&self) -> Address {
        self.enforce(&self.whole.database)
    }

    /// The superuser in another database.
    pub fn superuser_at(&self, database: &str) -> Address {
        Address {
            database: database.to_owned(),
            ..self.superuser.clone()
        }
    }

    fn enforce(&self, name: &str) -> Address {
        let own = self.superuser_at(name);
        let mut client = Client::connect(&own).expect("superuser");
        let mut same = Client::connect(&own).expect("superuser");
        prime::arm(&mut same, &mut client, &self.person, true);
        Address {
            database: name.to_owned(),
            ..self.whole.clone()
        }
    }
}
