//! Witnesses: rowgate before a database that lacks the hidden rows. An error that it gives there too tells nothing of them.

use crate::compare::send;
use crate::dprime::{self, Hidden};
use crate::generate::case::Case;
use crate::stage::{Server, Stage, TEMPLATE};
use crate::wire::{Client, Mode};
use crate::world::Seat;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// One rowgate per person, started when it is first asked.
pub struct Witnesses<'a> {
    stage: &'a Stage,
    policies: PathBuf,
    running: Mutex<HashMap<(&'static str, bool), (Server, Client)>>,
}

impl<'a> Witnesses<'a> {
    pub fn new(stage: &'a Stage, policies: &Path) -> Self {
        Self {
            stage,
            policies: policies.to_owned(),
            running: Mutex::new(HashMap::new()),
        }
    }

    fn start(&self, seat: &Seat, hidden: Hidden) -> (Server, Client) {
        let database = dprime::witness(&self.stage.superuser, TEMPLATE, &seat.person, hidden);
        let server = Server::before(self.stage, &database, &self.policies);
        let mut client = server.connect(seat.person.login).expect("a witness");
        for text in crate::SETTINGS.split(';') {
            client.simple(text).expect("a witness");
        }
        (server, client)
    }

    /// The SQLSTATEs that the step of a case gives where the hidden rows say nothing; `None` where it succeeds.
    pub fn ask(&self, seat: &Seat, case: &Case, mode: Mode, step: usize) -> Vec<Option<String>> {
        [Hidden::Deleted, Hidden::Blank]
            .into_iter()
            .map(|hidden| self.ask_one(seat, hidden, case, mode, step))
            .collect()
    }

    fn ask_one(&self, seat: &Seat, hidden: Hidden, case: &Case, mode: Mode, step: usize) -> Option<String> {
        let mut running = self.running.lock().expect("no thread panicked");
        let (_, client) = running
            .entry((seat.person.login, hidden == Hidden::Blank))
            .or_insert_with(|| self.start(seat, hidden));
        let mut last = None;
        for s in case.steps.iter().take(step + 1) {
            last = send(client, s, case.mode(mode)).expect("a witness").error;
        }
        for text in &case.cleanup {
            client.simple(text).expect("a witness");
        }
        last.map(|e| e.code().to_owned())
    }
}
