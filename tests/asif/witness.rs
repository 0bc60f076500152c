//! Witnesses: rowgate before a database that lacks the hidden rows. An error that it gives there too tells nothing of them.

use crate::compare::send;
use crate::dprime::{self, Hidden};
use crate::plans::{Plans, Question};
use crate::stage::{Server, Stage, TEMPLATE};
use crate::wire::Client;
use crate::world::Seat;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Whose it is, and what has become of the hidden rows.
type Key = (&'static str, Hidden);

/// What witnesses say of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raised {
    /// It comes without the hidden rows, too.
    BySeen,
    /// It comes without the rows that the person sees, and not if the hidden ones are blank as well.
    ByHidden,
    /// It comes in neither, or in whatever rows there are: plans differ.
    Unclear,
}

/// One rowgate per person, started when it is first asked.
pub struct Witnesses<'a> {
    stage: &'a Stage,
    /// None where rowgate has nothing to answer by: then other plans alone are asked.
    policies: Option<PathBuf>,
    pub plans: Plans<'a>,
    running: Mutex<HashMap<Key, (Server, Client)>>,
}

impl<'a> Witnesses<'a> {
    pub fn new(stage: &'a Stage, policies: &Path) -> Self {
        Self {
            stage,
            policies: Some(policies.to_owned()),
            plans: Plans::new(stage),
            running: Mutex::new(HashMap::new()),
        }
    }

    /// Those of a moment at which rights are not what the policies alone say.
    pub fn of_plans(stage: &'a Stage) -> Self {
        Self {
            stage,
            policies: None,
            plans: Plans::new(stage),
            running: Mutex::new(HashMap::new()),
        }
    }

    fn start(&self, policies: &Path, seat: &Seat, hidden: Hidden) -> (Server, Client) {
        let database = dprime::witness(&self.stage.superuser, TEMPLATE, &seat.person, hidden);
        let server = Server::before(self.stage, &database, policies);
        let mut client = server.connect(seat.person.login).expect("a witness");
        for text in crate::SETTINGS.split(';') {
            client.simple(text).expect("a witness");
        }
        (server, client)
    }

    /// Whose rows raise the error `code` that a step gave before D?
    pub fn ask(&self, q: Question<'_>, code: &str) -> Raised {
        let gives = |hidden| self.ask_one(q, hidden).as_deref() == Some(code);
        if gives(Hidden::Deleted) || gives(Hidden::Blank) {
            return Raised::BySeen;
        }
        // these tables decide scopes and are the same in every witness
        let decides = ["users", "teams", "customer_members"];
        // a cursor's query stands in an earlier step
        let text: String = q
            .case
            .steps
            .iter()
            .take(q.step + 1)
            .map(|s| s.sql.to_lowercase())
            .collect();
        if gives(Hidden::Alone) && !decides.iter().any(|t| text.contains(t)) && !gives(Hidden::Neither) {
            Raised::ByHidden
        } else {
            Raised::Unclear
        }
    }

    fn ask_one(&self, q: Question<'_>, hidden: Hidden) -> Option<String> {
        let policies = self.policies.as_ref()?;
        let mut running = self.running.lock().expect("no thread panicked");
        let (_, client) = running
            .entry((q.seat.person.login, hidden))
            .or_insert_with(|| self.start(policies, q.seat, hidden));
        let mut last = None;
        for s in q.case.steps.iter().take(q.step + 1) {
            last = send(client, s, q.case.mode(q.mode)).expect("a witness").error;
        }
        for text in &q.case.cleanup {
            client.simple(text).expect("a witness");
        }
        last.map(|e| e.code().to_owned())
    }
}
