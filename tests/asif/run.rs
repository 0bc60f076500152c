//! A run: generated cases for every person, the tally, and for each failure the smallest case that still fails.

use crate::compare::{self, Outcome, Verdict};
use crate::generate::case::{Case, case};
use crate::plans::Question;
use crate::tape::{Tape, shrink};
use crate::twin::twin;
use crate::wire::{Address, Client, Mode};
use crate::witness::{Raised, Witnesses};
use crate::world::{Seat, World};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The longest that a smaller case is looked for.
const SHRINKING: Duration = Duration::from_secs(120);

/// Where a person's statements go to be judged.
pub type Gate<'a> = &'a (dyn Fn(&Seat) -> Address + Sync);

/// Says what stands behind an error that only one side gave.
pub type Witness<'a> = Option<&'a Witnesses<'a>>;

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub cases: u64,
    pub seed: u64,
    /// Only this case.
    pub only: Option<u64>,
    pub progress: bool,
    /// How often each case is asked again with other literals.
    pub twins: u64,
}

/// A case that came out wrong.
#[derive(Debug, Clone)]
pub struct Failure {
    pub index: u64,
    pub login: &'static str,
    pub mode: Mode,
    pub kind: &'static str,
    pub verdict: Verdict,
    pub steps: Vec<String>,
    pub smallest: Vec<String>,
    pub last: String,
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Tally {
    pub cases: u64,
    pub same: u64,
    pub same_errors: u64,
    /// Both sides gave an error, of different codes: which.
    pub both_failed: BTreeMap<String, (u64, String)>,
    pub planner: u64,
    pub timed_out: u64,
    /// Only an expression's type modifier differed.
    pub typmods: u64,
    /// Errors that only one side gave, and nothing that shows why: which, and the statement.
    pub unclear: BTreeMap<String, (u64, String)>,
    /// Export and temp tables, where the person lacks the right.
    pub denied: u64,
    /// Refusals by message, with how many and the shortest statement.
    pub refused: BTreeMap<String, (u64, String)>,
    pub failures: Vec<Failure>,
}

impl Tally {
    pub fn refusals(&self) -> u64 {
        self.refused.values().map(|r| r.0).sum()
    }

    pub fn merge(&mut self, other: Tally) {
        self.cases += other.cases;
        self.same += other.same;
        self.same_errors += other.same_errors;
        self.planner += other.planner;
        self.timed_out += other.timed_out;
        self.typmods += other.typmods;
        self.denied += other.denied;
        for (mine, theirs) in [
            (&mut self.refused, other.refused),
            (&mut self.both_failed, other.both_failed),
            (&mut self.unclear, other.unclear),
        ] {
            for (k, (n, example)) in theirs {
                let entry = mine.entry(k).or_insert((0, example.clone()));
                entry.0 += n;
                if example.len() < entry.1.len() {
                    entry.1 = example;
                }
            }
        }
        self.failures.extend(other.failures);
    }

    /// The whole as text.
    pub fn print(&self, seed: u64, rewritten: &dyn Fn(&str, &str) -> String) {
        let mut sorts: BTreeMap<String, u64> = BTreeMap::new();
        for f in &self.failures {
            let n = sorts.entry(f.verdict.sort()).or_default();
            *n += 1;
            if *n > 8 {
                continue;
            }
            println!(
                "\n=== seed {seed} case {} as {} ({:?}, {})",
                f.index, f.login, f.mode, f.kind
            );
            for s in &f.steps {
                println!("    {s}");
            }
            println!("  {}", show(&f.verdict));
            if f.smallest != f.steps {
                println!("  smallest:");
                for s in &f.smallest {
                    println!("    {s}");
                }
                println!("  {}", f.last);
            }
            if let Some(text) = f.smallest.last() {
                println!(
                    "  sent: {}",
                    rewritten(f.login, text.split(" -- ").next().unwrap_or(text))
                );
            }
        }
        let share = |n: u64| n as f64 * 100.0 / self.cases.max(1) as f64;
        println!("\nfailures by sort: {sorts:?}");
        print_counts("errors of different codes", &self.both_failed);
        print_counts("top refusals", &self.refused);
        print_counts("unclear", &self.unclear);
        println!(
            "\nseed {seed}: {} cases; {} same ({} of them the same error), {} failed on both sides differently, {} up to the planner, \
             {} unclear, {} differ in a typmod, {} timed out, {} denied by right, {} refused ({:.2} %), {} FAILED",
            self.cases,
            self.same,
            self.same_errors,
            self.both_failed.values().map(|b| b.0).sum::<u64>(),
            self.planner,
            self.unclear.len(),
            self.typmods,
            self.timed_out,
            self.denied,
            self.refusals(),
            share(self.refusals()),
            self.failures.len()
        );
    }
}

fn show(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Different(how) | Verdict::Origin(how) => format!("differs: {how}"),
        Verdict::Leaked(mark) => format!("LEAKED {mark}"),
        other => format!("{other:?}"),
    }
}

/// A refusal's message without the names and numbers in it.
fn pattern(message: &str) -> String {
    let mut out = String::new();
    for (i, part) in message.split('"').enumerate() {
        if i % 2 == 1 {
            out.push('…');
        } else {
            out.extend(part.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }));
        }
    }
    message[..message.len().min(5)].to_owned() + out.get(5..).unwrap_or("")
}

fn note(counts: &mut BTreeMap<String, (u64, String)>, what: String, text: String) {
    let entry = counts.entry(what).or_insert((0, text.clone()));
    entry.0 += 1;
    if text.len() < entry.1.len() {
        entry.1 = text;
    }
}

fn print_counts(title: &str, counts: &BTreeMap<String, (u64, String)>) {
    println!("\n{title}:");
    let mut list: Vec<_> = counts.iter().collect();
    list.sort_by_key(|(_, (n, _))| std::cmp::Reverse(*n));
    for (why, (n, example)) in list.iter().take(25) {
        println!("{n:7} {why}\n        {}", example.chars().take(300).collect::<String>());
    }
}

/// Two connections of one person.
pub struct Pair {
    gate: Client,
    prime: Client,
}

impl Pair {
    fn open(gate: &Address, prime: &Address) -> std::io::Result<Self> {
        let mut pair = Self {
            gate: Client::connect(gate)?,
            prime: Client::connect(prime)?,
        };
        for text in crate::SETTINGS.split(';') {
            let answer = pair.gate.simple(text)?;
            if let Some(e) = answer.error {
                println!("{text}: {} {}", e.code(), e.message());
            }
        }
        pair.prime.simple(crate::SETTINGS)?;
        Ok(pair)
    }
}

impl Pair {
    /// The same session of rowgate's, compared with another D′ from now on.
    pub fn move_to(&mut self, prime: &Address) -> std::io::Result<()> {
        for text in ["ROLLBACK", "DISCARD ALL"]
            .into_iter()
            .chain(crate::SETTINGS.split(';'))
        {
            let answer = self.gate.simple(text)?;
            assert!(answer.error.is_none(), "{text}: {:?}", answer.error);
        }
        self.prime = Client::connect(prime)?;
        self.prime.simple(crate::SETTINGS)?;
        Ok(())
    }
}

fn mode_of(index: u64) -> Mode {
    [Mode::Simple, Mode::ExtendedText, Mode::ExtendedBinary][(index / 7 % 3) as usize]
}

fn tape_of(seed: u64, index: u64) -> Tape {
    Tape::seeded(seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(index))
}

fn texts(case: &Case, outcome: &Outcome) -> Vec<String> {
    case.steps
        .iter()
        .take(outcome.step + 1)
        .map(|s| {
            let params: Vec<String> = s.params.iter().map(|p| format!("{:?}", p.value)).collect();
            if params.is_empty() {
                s.sql.clone()
            } else {
                format!("{} -- {}", s.sql, params.join(", "))
            }
        })
        .collect()
}

fn bad(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Different(_) | Verdict::Leaked(_) | Verdict::Origin(_))
}

/// Runs the plan, every person on a thread of their own.
pub fn run(world: &World, gate: Gate<'_>, witness: Witness<'_>, plan: Plan) -> Tally {
    let mut pairs: Vec<Option<Pair>> = world.seats.iter().map(|_| None).collect();
    run_on(world, gate, witness, plan, &mut pairs)
}

/// The same on connections that are there before and after.
pub fn run_on(world: &World, gate: Gate<'_>, witness: Witness<'_>, plan: Plan, pairs: &mut [Option<Pair>]) -> Tally {
    let total = Mutex::new(Tally::default());
    let done = AtomicU64::new(0);
    let found = AtomicU64::new(0);
    let seats = world.seats.len() as u64;
    std::thread::scope(|scope| {
        for ((at, seat), pair) in world.seats.iter().enumerate().zip(pairs) {
            let (total, done, found) = (&total, &done, &found);
            scope.spawn(move || {
                let mut tally = Tally::default();
                let address = gate(seat);
                for index in (at as u64..plan.cases).step_by(seats as usize) {
                    if plan.only.is_some_and(|o| o != index) {
                        continue;
                    }
                    let n = done.fetch_add(1, Ordering::Relaxed);
                    if plan.progress && n % 5000 == 4999 {
                        eprintln!("{} cases, {} failed", n + 1, found.load(Ordering::Relaxed));
                    }
                    let before = tally.failures.len();
                    let mut ask = |c: &Case, mode| attempt(pair, &address, seat, c, mode, witness);
                    one(world, seat, &mut ask, plan, index, &mut tally);
                    found.fetch_add((tally.failures.len() - before) as u64, Ordering::Relaxed);
                }
                total.lock().expect("no thread panicked").merge(tally);
            });
        }
    });
    let mut tally = total.into_inner().expect("no thread panicked");
    tally.failures.sort_by_key(|f| f.index);
    tally
}

fn attempt(
    pair: &mut Option<Pair>,
    address: &Address,
    seat: &Seat,
    case: &Case,
    mode: Mode,
    witness: Witness<'_>,
) -> Outcome {
    let result = (|| {
        if pair.is_none() {
            *pair = Some(Pair::open(address, &seat.prime)?);
        }
        let Some(p) = pair.as_mut() else {
            return Err(std::io::Error::other("no connection"));
        };
        compare::run(case, mode, &mut p.gate, &mut p.prime, &seat.hidden, &seat.exempt)
    })();
    let mut outcome = result.unwrap_or_else(|e| {
        *pair = None;
        Outcome {
            step: case.steps.len(),
            verdict: Verdict::Different(format!("connection lost: {e}")),
            gate: None,
            prime: None,
        }
    });
    if let Some(witness) = witness
        && matches!(outcome.verdict, Verdict::Different(_) | Verdict::Planner)
        && (compare::one_sided(&outcome) || compare::both_answered(&outcome))
    {
        outcome.verdict = settle(&outcome, seat, case, mode, witness);
    }
    outcome
}

/// Says what an error stands for that only one side raised, or that each raised in its own way, and rows that differ:
/// which of two equal values a set operation keeps is the planner's, too.
fn settle(outcome: &Outcome, seat: &Seat, case: &Case, mode: Mode, witness: &Witnesses<'_>) -> Verdict {
    let Some(gate) = &outcome.gate else {
        return outcome.verdict.clone();
    };
    let question = Question {
        seat,
        case,
        mode,
        step: outcome.step,
    };
    let Some(error) = &gate.error else {
        return match (witness.plans.answer(question, gate), &outcome.verdict) {
            (Verdict::Unclear, Verdict::Different(how)) => Verdict::Different(how.clone()),
            (verdict, _) => verdict,
        };
    };
    if witness.plans.raise(question, error) {
        return Verdict::Planner;
    }
    match witness.ask(question, error.code()) {
        Raised::BySeen => Verdict::Planner,
        Raised::Unclear => Verdict::Unclear,
        Raised::ByHidden => Verdict::Leaked(format!(
            "by an error that hidden rows raise: {} {}",
            error.code(),
            error.message()
        )),
    }
}

fn one(
    world: &World,
    seat: &Seat,
    ask: &mut dyn FnMut(&Case, Mode) -> Outcome,
    plan: Plan,
    index: u64,
    tally: &mut Tally,
) {
    let mut tape = tape_of(plan.seed, index);
    let made = case(&mut tape, &seat.schema, &world.whole);
    let mut again = |tape: &mut Tape| case(tape, &seat.schema, &world.whole);
    rule(seat, ask, plan, index, &made, &tape, &mut again, tally);
    for n in 0..plan.twins {
        let other = |case: &Case| twin(case, &mut tape_of(plan.seed ^ (n + 1) << 40, index));
        let Some(twin) = other(&made) else { break };
        let mut again = |tape: &mut Tape| {
            let first = case(tape, &seat.schema, &world.whole);
            other(&first).unwrap_or(first)
        };
        rule(seat, ask, plan, index, &twin, &tape, &mut again, tally);
    }
}

/// Asks one case and counts what comes of it.
#[allow(clippy::too_many_arguments)]
fn rule(
    seat: &Seat,
    ask: &mut dyn FnMut(&Case, Mode) -> Outcome,
    plan: Plan,
    index: u64,
    made: &Case,
    tape: &Tape,
    again: &mut dyn FnMut(&mut Tape) -> Case,
    tally: &mut Tally,
) {
    let mode = mode_of(index);
    let outcome = ask(made, mode);
    tally.cases += 1;
    if plan.only.is_some() {
        for s in texts(made, &outcome) {
            println!("{s}");
        }
        println!("{:?} {:?}", mode, outcome.verdict);
        println!("gate:  {}", said(outcome.gate.as_ref()));
        println!("prime: {}", said(outcome.prime.as_ref()));
    }
    match &outcome.verdict {
        Verdict::Same => {
            tally.same += 1;
            if outcome.gate.as_ref().is_some_and(|g| g.error.is_some()) {
                tally.same_errors += 1;
            }
        }
        Verdict::BothFailed(how) => {
            let text = made.steps[outcome.step].sql.clone();
            note(&mut tally.both_failed, pattern(how), text);
        }
        Verdict::Planner => tally.planner += 1,
        Verdict::TimedOut => tally.timed_out += 1,
        Verdict::Denied(_) => tally.denied += 1,
        Verdict::Unclear => {
            let told = |a: &Option<crate::wire::Answer>| {
                let error = a.as_ref().and_then(|a| a.error.as_ref());
                error.map_or("rows".to_owned(), |e| format!("{} {}", e.code(), e.message()))
            };
            let what = format!(
                "case {index} as {}: {} and not {}",
                seat.person.login,
                told(&outcome.gate),
                told(&outcome.prime)
            );
            note(&mut tally.unclear, what, texts(made, &outcome).join("; "));
        }
        Verdict::Typmod => tally.typmods += 1,
        Verdict::Refused(why) => {
            let text = made.steps[outcome.step].sql.clone();
            note(&mut tally.refused, pattern(why), text);
        }
        verdict => {
            let steps = texts(made, &outcome);
            let sort = verdict.sort();
            let (mut smallest, mut last) = (steps.clone(), show(verdict));
            if tally.failures.iter().filter(|f| f.verdict.sort() == sort).count() < 3 {
                let started = Instant::now();
                shrink(&tape.drawn, 250, |choices| {
                    if started.elapsed() > SHRINKING {
                        return false;
                    }
                    let smaller = again(&mut Tape::replayed(choices.to_vec()));
                    let o = ask(&smaller, mode);
                    let fails = bad(&o.verdict) && o.verdict.sort() == sort;
                    if fails {
                        smallest = texts(&smaller, &o);
                        last = show(&o.verdict);
                    }
                    fails
                });
            }
            tally.failures.push(Failure {
                index,
                login: seat.person.login,
                mode,
                kind: made.kind,
                verdict: verdict.clone(),
                steps,
                smallest,
                last,
            });
        }
    }
}

fn said(answer: Option<&crate::wire::Answer>) -> String {
    let Some(a) = answer else { return "nothing".to_owned() };
    match &a.error {
        Some(e) => format!("{} {} {:?}", e.code(), e.message(), e.fields),
        None => {
            let rows: Vec<String> = a
                .results
                .iter()
                .flat_map(|r| r.rows.iter().take(5))
                .map(|r| {
                    r.iter()
                        .map(|v| v.as_ref().map_or("NULL".into(), |b| String::from_utf8_lossy(b)))
                        .collect::<Vec<_>>()
                        .join(" | ")
                })
                .collect();
            format!(
                "{} rows\n  {}",
                a.results.iter().map(|r| r.rows.len()).sum::<usize>(),
                rows.join("\n  ")
            )
        }
    }
}
