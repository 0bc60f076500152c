//! Rights that change while the same sessions go on, and D′ made anew after each change.

use crate::dprime::Person;
use crate::given::{Now, PEOPLE, change, front, move_people, settle, superuser};
use crate::run::{Pair, Plan, Tally, run_on};
use crate::stage::{READER, Stage, TEMPLATE, WHOLE};
use crate::tape::Tape;
use crate::wire::Address;
use crate::witness::Witnesses;
use crate::world::{Seat, World};
use rowgate::demo::data;
use rowgate::rights::schema;
use tokio::runtime::Runtime;

/// So many changes, and after each the plan's cases by everybody, in the sessions of before.
pub fn rounds(rounds: u64, plan: Plan) -> Tally {
    let stage = Stage::set();
    let runtime = Runtime::new().expect("a runtime");
    for database in [WHOLE, TEMPLATE] {
        runtime.block_on(async {
            let mut owner = superuser(&stage, database).await;
            schema::prepare(&mut owner, READER, false).await.expect("the schema");
        });
    }
    settle(&runtime, &stage);
    let front = runtime.block_on(front(&stage, WHOLE));
    let owner = runtime.block_on(superuser(&stage, WHOLE));
    let mut world = World::empty(&stage);
    let mut pairs: Vec<Option<Pair>> = PEOPLE.iter().map(|_| None).collect();
    let mut total = Tally::default();
    for round in 0..rounds {
        let now = Now::drawn(
            &mut Tape::seeded(plan.seed.wrapping_mul(0x9e37).wrapping_add(round)),
            false,
        );
        println!("round {round}: {} {}", now.rights, now.people);
        runtime.block_on(async {
            change(&front, &owner, &now.rights).await;
            if !now.people.is_empty() {
                let copy = superuser(&stage, TEMPLATE).await;
                copy.batch_execute(&now.people).await.expect("people");
                drop(copy);
                move_people(&front, &owner, &now.people).await;
            }
        });
        settle(&runtime, &stage);
        let people: Vec<Person> = (0..PEOPLE.len()).map(|at| now.person(at, round)).collect();
        world.seats = std::thread::scope(|scope| {
            let made: Vec<_> = people.iter().map(|p| scope.spawn(|| world.seat(&stage, p))).collect();
            made.into_iter().map(|seat| seat.join().expect("a seat")).collect()
        });
        for (pair, seat) in pairs.iter_mut().zip(&world.seats) {
            if let Some(pair) = pair {
                pair.move_to(&seat.prime).expect("D′");
            }
        }
        let witnesses = Witnesses::of_plans(&stage);
        let gate = |seat: &Seat| Address {
            host: "127.0.0.1".into(),
            port: front.port(),
            user: seat.person.login.into(),
            password: data::password(seat.person.login),
            database: WHOLE.into(),
        };
        let plan = Plan {
            seed: plan.seed.wrapping_add(round << 32),
            ..plan
        };
        let mut tally = run_on(&world, &gate, Some(&witnesses), plan, &mut pairs);
        for failure in &mut tally.failures {
            // which round it was can be read off the number
            failure.index += round * 1_000_000;
        }
        total.merge(tally);
    }
    runtime.block_on(front.stop());
    total
}
