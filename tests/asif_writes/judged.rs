//! Statements that are judged and never run: what the rewriter makes, verification takes, whatever the generator thinks of.

use crate::make::case;
use crate::run::tape_of;
use crate::yard::{Seat, Yard, policies};
use rowgate::gate::{SessionView, judge};
use rowgate::keeper::{Keeper, Source};
use rowgate::refusal::SqlState;
use rowgate::world::World;
use std::path::Path;
use std::sync::Arc;

/// Judges so many cases for every person; the statements that rowgate could not verify itself.
pub fn unverified(yard: &Yard, seed: u64, cases: u64) -> Vec<String> {
    let mut failed = Vec::new();
    for seat in &yard.seats {
        let files = policies(&seat.person);
        let world = world(seat, files.path());
        let who = world.directory.principal(seat.person.login).expect("a person");
        let view = SessionView {
            search_path: vec!["public".to_owned()],
            temp_relations: Vec::new(),
            stored: None,
        };
        for index in 0..cases {
            let made = case(&mut tape_of(seed, index), seat, &yard.whole);
            for step in made.steps {
                if let Err(refusal) = judge(&step.sql, who, &view, &[], &world)
                    && refusal.sqlstate == SqlState::InternalError
                {
                    let why = refusal.log.as_deref().unwrap_or_default();
                    failed.push(format!("{} {index}: {why}\n    {}", seat.person.login, step.sql));
                }
            }
        }
    }
    failed
}

fn world(seat: &Seat, policies: &Path) -> Arc<World> {
    let mut upstream = tokio_postgres::Config::new();
    upstream
        .host(&seat.superuser.host)
        .port(seat.superuser.port)
        .user(&seat.superuser.user)
        .password(&seat.superuser.password)
        .dbname(&seat.whole.database);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let source = Source {
            upstream,
            tls: None,
            policies: policies.to_owned(),
            rights: None,
        };
        let keeper = Keeper::begin(source).await.expect("a world");
        keeper.handle().current()
    })
}
