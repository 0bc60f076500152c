//! Other plans: D′ asked again with the planner told to go another way. No hidden row is in D′, so nothing that it answers under any plan tells of one.

use crate::compare::{self, Verdict, send};
use crate::dprime;
use crate::generate::case::{Case, Step};
use crate::stage::{READER, Stage, TEMPLATE};
use crate::turns::ways;
use crate::wire::{Address, Answer, Client, Mode, Report};
use crate::world::Seat;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How many times the tables are said to be of other sizes.
const RESIZED: usize = 120;

/// The longest that one answer is looked for.
const PATIENCE: Duration = Duration::from_secs(40);

/// One step of one case, to be asked about again.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    pub seat: &'a Seat,
    pub case: &'a Case,
    pub mode: Mode,
    pub step: usize,
}

/// D′ with D's statistics: the superuser's connection.
type Like = Arc<Mutex<Client>>;

/// Asks D′ under other plans.
pub struct Plans<'a> {
    stage: &'a Stage,
    /// D′ with D's statistics, made when it is first asked.
    as_d: Mutex<HashMap<&'static str, Like>>,
}

impl<'a> Plans<'a> {
    pub fn new(stage: &'a Stage) -> Self {
        Self {
            stage,
            as_d: Mutex::new(HashMap::new()),
        }
    }

    fn as_d(&self, seat: &Seat) -> Like {
        let mut known = self.as_d.lock().expect("no thread panicked");
        let made = known.entry(seat.person.login).or_insert_with(|| {
            let client = dprime::planned_as_d(&self.stage.superuser, TEMPLATE, &seat.person, READER);
            Arc::new(Mutex::new(client))
        });
        Arc::clone(made)
    }

    /// Asks once for each way to plan, until `enough` of an answer, and whether D′ itself gave it.
    fn ask(&self, q: Question<'_>, enough: &mut dyn FnMut(&Step, &Answer, bool) -> bool) -> io::Result<bool> {
        let started = Instant::now();
        let like_d = self.as_d(q.seat);
        let mut superuser = like_d.lock().expect("no thread panicked");
        let mut like_d = Client::connect(&Address {
            database: superuser.address.database.clone(),
            ..q.seat.prime.clone()
        })?;
        if again(&mut like_d, q, &[], &mut |s, a| enough(s, a, false))? {
            return Ok(true);
        }
        let mut prime = Client::connect(&q.seat.prime)?;
        for way in ways() {
            if again(&mut prime, q, &way, &mut |s, a| enough(s, a, true))? {
                return Ok(true);
            }
        }
        let mut found = false;
        for (n, way) in ways().into_iter().cycle().take(RESIZED).enumerate() {
            if found || started.elapsed() > PATIENCE {
                break;
            }
            dprime::resize(&mut superuser, Some(n));
            let way = if n < RESIZED / 2 { &[] } else { way.as_slice() };
            found = again(&mut like_d, q, way, &mut |s, a| enough(s, a, false))?;
        }
        dprime::resize(&mut superuser, None);
        Ok(found)
    }

    /// Does D′ raise this very error, code and message, under some plan?
    pub fn raise(&self, q: Question<'_>, error: &Report) -> bool {
        let same = |e: &Report| e.code() == error.code() && e.message() == error.message();
        self.ask(q, &mut |_, answer, _| answer.error.as_ref().is_some_and(same))
            .unwrap_or(false)
    }

    /// What to make of an answer that the gate gave where D′ raised an error: D′ must give it too, under some plan.
    pub fn answer(&self, q: Question<'_>, gate: &Answer) -> Verdict {
        let mut verdict = Verdict::Unclear;
        let same = self.ask(q, &mut |s, answer, itself| {
            if answer.error.is_some() {
                return false;
            }
            match compare::judge(s, gate, answer, &q.seat.exempt) {
                Verdict::Same | Verdict::Typmod => return true,
                // hashes are carried over into D′ alone
                other if itself && verdict == Verdict::Unclear => verdict = other,
                _ => {}
            }
            false
        });
        match same {
            Ok(true) => Verdict::Planner,
            Ok(false) => verdict,
            Err(e) => Verdict::Different(format!("connection to D′ lost: {e}")),
        }
    }
}

/// Asks a D′ for the case up to the step, planned one way.
fn again(
    client: &mut Client,
    q: Question<'_>,
    way: &[String],
    enough: &mut dyn FnMut(&Step, &Answer) -> bool,
) -> io::Result<bool> {
    let mode = q.case.mode(q.mode);
    client.simple(&format!("RESET ALL; {}; SET statement_timeout = '1s'", crate::SETTINGS))?;
    for turn in way {
        let answer = client.simple(&format!("SET {turn}"))?;
        assert!(answer.error.is_none(), "{turn}: {:?}", answer.error);
    }
    let mut found = false;
    for (n, s) in q.case.steps.iter().take(q.step + 1).enumerate() {
        let asked = s.prime.as_ref().map(|sql| Step {
            sql: sql.clone(),
            ..s.clone()
        });
        let answer = send(client, asked.as_ref().unwrap_or(s), mode)?;
        found = n == q.step && enough(s, &answer);
    }
    for text in &q.case.cleanup {
        client.simple(text)?;
    }
    Ok(found)
}
