//! Witnesses: rowgate before a database that lacks the hidden rows. An error that it gives there too tells nothing of them.

use crate::compare::send;
use crate::dprime;
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
    running: Mutex<HashMap<&'static str, (Server, Client)>>,
}

impl<'a> Witnesses<'a> {
    pub fn new(stage: &'a Stage, policies: &Path) -> Self {
        Self {
            stage,
            policies: policies.to_owned(),
            running: Mutex::new(HashMap::new()),
        }
    }

    fn start(&self, seat: &Seat) -> (Server, Client) {
        let database = dprime::witness(&self.stage.superuser, TEMPLATE, &seat.person);
        let server = Server::before(self.stage, &database, &self.policies);
        let mut client = server.connect(seat.person.login).expect("a witness");
        for text in crate::SETTINGS.split(';') {
            client.simple(text).expect("a witness");
        }
        (server, client)
    }

    /// The SQLSTATE that the step of a case gives without the hidden rows; `None` where it succeeds.
    pub fn ask(&self, seat: &Seat, case: &Case, mode: Mode, step: usize) -> Option<String> {
        let mut running = self.running.lock().expect("no thread panicked");
        let (_, client) = running.entry(seat.person.login).or_insert_with(|| self.start(seat));
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
