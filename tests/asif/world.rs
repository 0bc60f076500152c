//! The databases and connections that an oracle run works with, and the run itself.

use crate::compare::{self, Exempt, Marks, Verdict, marks_in};
use crate::dprime::{self, PEOPLE, Person, build};
use crate::generate::case::case;
use crate::schema::{Schema, texts};
use crate::tape::Tape;
use crate::wire::{Address, Client, Mode};
use std::collections::BTreeMap;

pub const READER: &str = "rowgate";

/// One person's side of the oracle.
pub struct Seat {
    pub person: Person,
    pub prime: Address,
    pub schema: Schema,
    pub hidden: Marks,
    pub exempt: Exempt,
}

pub struct World {
    pub superuser: Address,
    pub whole: Schema,
    pub seats: Vec<Seat>,
}

/// Every mark in everything that a connection can read.
fn marks(client: &mut Client, schema: &Schema) -> Marks {
    let mut found = Marks::new();
    for r in &schema.relations {
        let rows = client
            .simple(&format!("SELECT t::text FROM \"{}\".\"{}\" AS t", r.schema, r.name))
            .expect("the database answers");
        found.extend(marks_in(&rows.raw));
    }
    found
}

impl World {
    pub fn set_up() -> Self {
        let port = std::env::var("ASIF_PORT").ok().and_then(|v| v.parse().ok()).unwrap_or(5977);
        let superuser = Address {
            host: "127.0.0.1".into(),
            port,
            user: "postgres".into(),
            password: String::new(),
            database: "postgres".into(),
        };
        let template = "asif_d";
        let mut d = Client::connect(&Address { database: template.into(), ..superuser.clone() }).expect("D");
        let whole = Schema::read(&mut d, None);
        let all = marks(&mut d, &whole);
        drop(d);
        let mut seats = Vec::new();
        for person in &PEOPLE {
            let prime = build(&superuser, template, person, READER);
            let prime = Address { user: READER.into(), ..prime };
            let mut client = Client::connect(&prime).expect("D′");
            let schema = Schema::read(&mut client, Some(&whole));
            let seen = marks(&mut client, &schema);
            let hidden: Marks = all.difference(&seen).cloned().collect();
            let exempt = Exempt { row_types: texts(
                &mut client,
                "SELECT c.reltype FROM pg_class c WHERE EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attisdropped) AND c.reltype <> 0",
            ).into_iter().filter_map(|mut r| r.remove(0)?.parse().ok()).collect() };
            println!("{}: {} relations, {} marks seen, {} hidden", person.login, schema.relations.len(), seen.len(), hidden.len());
            seats.push(Seat { person: person.clone(), prime, schema, hidden, exempt });
        }
        Self { superuser, whole, seats }
    }

    /// Runs generated statements on D′ against D′: how many are good SQL, and is the comparison stable?
    pub fn self_check(&self, n: u64, seed: u64) {
        let mut codes: BTreeMap<String, (u32, String)> = BTreeMap::new();
        let mut slow = Vec::new();
        for i in 0..n {
            let seat = &self.seats[(i % self.seats.len() as u64) as usize];
            if seat.schema.relations.is_empty() {
                continue;
            }
            thread_local!(static CLIENTS: std::cell::RefCell<BTreeMap<String, (Client, Client)>> = const { std::cell::RefCell::new(BTreeMap::new()) });
            let mut tape = Tape::seeded(seed.wrapping_mul(1_000_003).wrapping_add(i));
            let c = case(&mut tape, &seat.schema, &self.whole);
            let mode = [Mode::Simple, Mode::ExtendedText, Mode::ExtendedBinary][(i % 3) as usize];
            CLIENTS.with_borrow_mut(|clients| {
                let (a, b) = clients.entry(seat.person.login.to_owned()).or_insert_with(|| {
                    let mut a = Client::connect(&seat.prime).unwrap();
                    let mut b = Client::connect(&seat.prime).unwrap();
                    a.simple(crate::SETTINGS).unwrap();
                    b.simple(crate::SETTINGS).unwrap();
                    (a, b)
                });
                let start = std::time::Instant::now();
                let out = compare::run(&c, mode, a, b, &seat.hidden, &seat.exempt).expect("both answer");
                let took = start.elapsed().as_millis();
                if took > 1000 {
                    slow.push((took, c.steps[out.step].sql.clone()));
                }
                if out.verdict != Verdict::Same {
                    println!("--- {} {i} {:?} {}: {:?}\n{}", seat.person.login, mode, c.kind, out.verdict, c.steps[out.step].sql);
                }
                let code = out.gate.and_then(|g| g.error).map_or("ok".to_owned(), |e| {
                    let m = e.message().chars().take(60).collect::<String>();
                    let m = m.split('"').next().unwrap_or("").to_owned();
                    format!("{} {}", e.code(), m)
                });
                let entry = codes.entry(format!("{code}")).or_insert((0, c.steps[out.step].sql.clone()));
                entry.0 += 1;
                if c.steps[out.step].sql.len() < entry.1.len() { entry.1 = c.steps[out.step].sql.clone(); }
            });
        }
        let mut list: Vec<_> = codes.into_iter().collect();
        list.sort_by_key(|(_, (n, _))| std::cmp::Reverse(*n));
        for (code, (n, example)) in list {
            println!("{n:6} {code}\n         {example}");
        }
        println!("slow: {}", slow.len());
        for (ms, sql) in slow.iter().take(5) { println!("  {ms} ms {sql}"); }
        let _ = dprime::database("x");
    }
}
