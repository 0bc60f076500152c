//! The databases and connections that an oracle run works with, and the run itself.

use crate::compare::{Exempt, Marks, marks_in};
use crate::dprime::{PEOPLE, Person, build};
use crate::schema::{Schema, texts};
use crate::stage::{READER, Stage, TEMPLATE, WHOLE};
use crate::wire::{Address, Client};
use std::collections::HashSet;

/// One person's side of the oracle.
pub struct Seat {
    pub person: Person,
    pub prime: Address,
    pub schema: Schema,
    pub hidden: Marks,
    pub exempt: Exempt,
}

/// Everybody's databases, and what the generator may name.
pub struct World {
    pub whole: Schema,
    pub seats: Vec<Seat>,
    all: Marks,
}

/// Row types of tables that lack a column here.
const PARTIAL_ROW_TYPES: &str = "SELECT c.reltype FROM pg_class c WHERE c.reltype <> 0 \
    AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attisdropped)";

fn oids(client: &mut Client, sql: &str) -> HashSet<u32> {
    texts(client, sql)
        .into_iter()
        .filter_map(|mut r| r.remove(0)?.parse().ok())
        .collect()
}

/// Every mark in everything that a connection can read.
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

impl World {
    /// Makes every person's database out of the stage's.
    pub fn of(stage: &Stage) -> Self {
        let mut world = Self::empty(stage);
        world.seats = PEOPLE.iter().map(|person| world.seat(stage, person)).collect();
        world
    }

    /// What there is, and nobody yet.
    pub fn empty(stage: &Stage) -> Self {
        let superuser = &stage.superuser;
        let mut d = Client::connect(&Address {
            database: WHOLE.into(),
            ..superuser.clone()
        })
        .expect("D");
        let whole = Schema::read(&mut d, None);
        let all = marks(&mut d, &whole);
        Self {
            whole,
            seats: Vec::new(),
            all,
        }
    }

    /// Makes one person's database.
    pub fn seat(&self, stage: &Stage, person: &Person) -> Seat {
        let prime = build(&stage.superuser, TEMPLATE, person, READER);
        let prime = Address {
            database: prime.database,
            ..stage.whole()
        };
        let mut client = Client::connect(&prime).expect("D′");
        let mut schema = Schema::read(&mut client, Some(&self.whole));
        if schema.relations.is_empty() {
            schema = self.whole.clone(); // somebody without rights asks for what there is
        }
        let seen = marks(&mut client, &schema);
        let hidden: Marks = self.all.difference(&seen).cloned().collect();
        let exempt = Exempt {
            row_types: oids(&mut client, PARTIAL_ROW_TYPES),
            lasting: oids(&mut client, "SELECT oid FROM pg_class"),
        };
        println!(
            "{}: {} relations, {} marks seen, {} hidden",
            person.login,
            schema.relations.len(),
            seen.len(),
            hidden.len()
        );
        Seat {
            person: person.clone(),
            prime,
            schema,
            hidden,
            exempt,
        }
    }
}
