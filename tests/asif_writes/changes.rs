//! Rights that change while the same sessions go on writing, and D′ with what guards it made anew after each change.

use crate::dprime::Person;
use crate::dprime::run as run_sql;
use crate::given::{self, Now, PEOPLE, change, move_people, superuser};
use crate::judge::Ruling;
use crate::rules::{self, RIGHTS, Right};
use crate::run::{Kept, Plan, Tally, run_on};
use crate::stage::{READER, Stage, TEMPLATE};
use crate::tape::Tape;
use crate::wire::{Address, Client};
use crate::yard::{Seat, Yard};
use rowgate::demo::data;
use rowgate::demo::front::Front;
use rowgate::rights::schema;
use tokio::runtime::Runtime;

/// What a person's roles may write now, beside what they show (`Now::person`).
fn keep_rights(now: &Now, at: usize, person: &Person) {
    let held = &now.held[at];
    let own = PEOPLE[at].first();
    for name in person.roles {
        let role = name.split(" of ").next().unwrap_or(name);
        // what was given shows and writes as the first of their own roles
        let rows = (role == own).then_some(held);
        let customers = rows.map(|h| h.customers.join(" OR ")).filter(|sql| !sql.is_empty());
        for right in RIGHTS.iter().filter(|r| r.role == role) {
            let table = right.table.trim_start_matches("public.");
            if now.no_tables.contains(&table) {
                continue;
            }
            let wider = |operation: &str, said: &'static str| -> &'static str {
                let mut parts: Vec<String> = Vec::new();
                if !said.is_empty() {
                    parts.push(given::through_parents(said, customers.as_deref()).to_owned());
                }
                let more = rows.iter().flat_map(|h| &h.writes);
                parts.extend(
                    more.filter(|w| w.0 == table && w.1 == operation)
                        .map(|w| w.2.to_owned()),
                );
                if operation == "edit" && table == "customers" {
                    parts.extend(rows.iter().flat_map(|h| h.edits.clone()));
                }
                Box::leak(parts.join(" OR ").into_boxed_str())
            };
            rules::keep(Right {
                role: name,
                insert: wider("insert", right.insert),
                edit: wider("edit", right.edit),
                delete: wider("delete", right.delete),
                ..*right
            });
        }
    }
}

/// One person's D with rowgate before it.
struct Place {
    front: Front,
    owner: tokio_postgres::Client,
}

/// So many changes, and after each the plan's statements, in the sessions of before.
pub fn rounds(rounds: u64, plan: Plan) -> Tally {
    let stage = Stage::set();
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut owner = superuser(&stage, TEMPLATE).await;
        schema::prepare(&mut owner, READER, false).await.expect("the schema");
    });
    given::settle(&runtime, &stage);
    let people = PEOPLE.iter().map(|p| p.as_read());
    let mut yard = Yard::of(&stage, &people.collect::<Vec<_>>());
    let places: Vec<Place> = (yard.seats.iter())
        .map(|seat| {
            runtime.block_on(async {
                let database = &seat.whole.database;
                Place {
                    front: given::front(&stage, database).await,
                    owner: superuser(&stage, database).await,
                }
            })
        })
        .collect();
    let kept = Kept::default();
    let mut total = Tally::default();
    for round in 0..rounds {
        let now = Now::drawn(
            &mut Tape::seeded(plan.seed.wrapping_mul(0x9e37).wrapping_add(round)),
            true,
        );
        println!("round {round}: {} {}", now.rights, now.people);
        runtime.block_on(async {
            for place in &places {
                change(&place.front, &place.owner, &now.rights).await;
                if !now.people.is_empty() {
                    move_people(&place.front, &place.owner, &now.people).await;
                }
            }
        });
        if !now.people.is_empty() {
            let at = Address {
                database: TEMPLATE.to_owned(),
                ..stage.superuser.clone()
            };
            run_sql(&mut Client::connect(&at).expect("superuser"), &now.people);
        }
        given::settle(&runtime, &stage);
        let mut seats = Vec::new();
        for at in 0..PEOPLE.len() {
            let person = now.person(at, round);
            keep_rights(&now, at, &person);
            seats.push(Seat::made(&stage, &person, &yard.whole, &yard.all));
        }
        yard.seats = seats;
        let gate = |seat: &Seat| {
            let at = PEOPLE
                .iter()
                .position(|p| p.login == seat.person.login)
                .expect("a seat");
            Address {
                host: "127.0.0.1".into(),
                port: places[at].front.port(),
                user: seat.person.login.into(),
                password: data::password(seat.person.login),
                database: seat.whole.database.clone(),
            }
        };
        let plan = Plan {
            seed: plan.seed.wrapping_add(round << 32),
            ..plan
        };
        let mut tally = run_on(&yard, &gate, None, plan, &kept);
        // an error over a value that D′ lacks is looked into where rights stand still: that takes a witness
        tally.failures.retain(|f| !matches!(f.ruling, Ruling::OneSided(_)));
        for failure in &mut tally.failures {
            failure.index += round * 1_000_000;
        }
        total.merge(tally);
    }
    for place in places {
        runtime.block_on(place.front.stop());
    }
    total
}
