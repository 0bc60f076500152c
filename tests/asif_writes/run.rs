//! A run: generated cases for every person, each checked step by step and then against all that stands in D.

use crate::again::{Sides, another_order_does_the_same};
use crate::compare::{leaked, send};
use crate::dprime;
use crate::generate::case::{Case, Step};
use crate::judge::{Ruling, does_nothing, judge};
use crate::make::case;
use crate::mapping;
use crate::orders::{ORDERS, shuffle};
use crate::schema::{Schema, texts as texts_of};
use crate::stage::Server;
use crate::state::Watch;
use crate::tape::{Tape, shrink};
use crate::turns::ways;
use crate::wire::{Address, Answer, Client, Mode};
use crate::yard::{Seat, Yard};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How many plans of D′ are tried for an error that it did not give.
const PLANS: usize = 200;

/// Where a person's statements go to be judged.
pub type Gate<'a> = &'a (dyn Fn(&Seat) -> Address + Sync);

/// rowgate before what a person sees of D, rows that are hidden taken out.
pub type Witness<'a> = &'a (dyn Fn(&Seat) -> (Server, Client) + Sync);

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub statements: u64,
    pub seed: u64,
    /// Only this case.
    pub only: Option<u64>,
    pub progress: bool,
    /// The longest that it may take.
    pub time: Option<Duration>,
}

/// A case that came out wrong.
#[derive(Debug, Clone)]
pub struct Failure {
    pub index: u64,
    pub login: &'static str,
    pub mode: Mode,
    pub kind: &'static str,
    pub ruling: Ruling,
    pub steps: Vec<String>,
    pub smallest: Vec<String>,
    pub last: String,
}

type Counts = BTreeMap<String, (u64, String)>;

/// What came of a run.
#[derive(Debug, Default)]
pub struct Tally {
    pub cases: u64,
    pub statements: u64,
    pub same: u64,
    pub changed: u64,
    pub same_errors: BTreeMap<String, u64>,
    pub kinds: BTreeMap<&'static str, (u64, u64)>,
    pub refused: Counts,
    pub early: Counts,
    pub both_failed: Counts,
    pub constraints: Counts,
    pub reordered: Counts,
    pub timed_out: u64,
    pub failures: Vec<Failure>,
}

fn note(counts: &mut Counts, what: String, text: String) {
    let entry = counts.entry(what).or_insert((0, text.clone()));
    entry.0 += 1;
    if text.len() < entry.1.len() {
        entry.1 = text;
    }
}

fn merge_counts(mine: &mut Counts, theirs: Counts) {
    for (k, (n, example)) in theirs {
        let entry = mine.entry(k).or_insert((0, example.clone()));
        entry.0 += n;
        if example.len() < entry.1.len() {
            entry.1 = example;
        }
    }
}

/// A message without the names and numbers in it.
fn pattern(message: &str) -> String {
    let mut out = String::new();
    for (i, part) in message.split('"').enumerate() {
        if i % 2 == 1 {
            out.push('…');
        } else {
            out.extend(part.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }));
        }
    }
    message.chars().take(5).chain(out.chars().skip(5)).collect()
}

impl Tally {
    pub fn merge(&mut self, other: Tally) {
        self.cases += other.cases;
        self.statements += other.statements;
        self.same += other.same;
        self.changed += other.changed;
        self.timed_out += other.timed_out;
        for (k, n) in other.same_errors {
            *self.same_errors.entry(k).or_default() += n;
        }
        for (k, (n, same)) in other.kinds {
            let entry = self.kinds.entry(k).or_default();
            entry.0 += n;
            entry.1 += same;
        }
        merge_counts(&mut self.refused, other.refused);
        merge_counts(&mut self.early, other.early);
        merge_counts(&mut self.both_failed, other.both_failed);
        merge_counts(&mut self.constraints, other.constraints);
        merge_counts(&mut self.reordered, other.reordered);
        self.failures.extend(other.failures);
    }

    /// The whole as text.
    pub fn print(&self, seed: u64) {
        let mut sorts: BTreeMap<String, u64> = BTreeMap::new();
        for f in &self.failures {
            let n = sorts.entry(f.ruling.sort()).or_default();
            *n += 1;
            if *n > 5 {
                continue;
            }
            println!(
                "\n=== seed {seed} case {} as {} ({:?}, {})",
                f.index, f.login, f.mode, f.kind
            );
            for s in &f.steps {
                println!("    {s}");
            }
            println!("  {:?}", f.ruling);
            if f.smallest != f.steps {
                println!("  smallest:");
                for s in &f.smallest {
                    println!("    {s}");
                }
                println!("  {}", f.last);
            }
        }
        println!("\nfailures by sort: {sorts:?}");
        for (title, counts) in [
            ("refused", &self.refused),
            ("refused early, with nothing to do", &self.early),
            ("failed on both sides, differently", &self.both_failed),
            ("by constraints of what is hidden", &self.constraints),
            ("as D′ with its rows in another order", &self.reordered),
        ] {
            println!("\n{title}:");
            let mut list: Vec<_> = counts.iter().collect();
            list.sort_by_key(|(_, (n, _))| std::cmp::Reverse(*n));
            for (why, (n, example)) in list.iter().take(20) {
                println!("{n:7} {why}\n        {}", example.chars().take(300).collect::<String>());
            }
        }
        println!("\nkinds (cases, of them as D′): {:?}", self.kinds);
        println!("same errors: {:?}", self.same_errors);
        let sum = |c: &Counts| c.values().map(|v| v.0).sum::<u64>();
        println!(
            "\nseed {seed}: {} statements in {} cases; {} cases as D′ ({} of them changed rows, {} gave the same error), {} refused, \
             {} refused early, {} failed on both sides differently, {} by constraints of what is hidden, {} as D′ in another order, {} timed out, {} FAILED",
            self.statements,
            self.cases,
            self.same,
            self.changed,
            self.same_errors.values().sum::<u64>(),
            sum(&self.refused),
            sum(&self.early),
            sum(&self.both_failed),
            sum(&self.constraints),
            sum(&self.reordered),
            self.timed_out,
            self.failures.len()
        );
    }
}

/// The connections of one person.
struct Bench<'a> {
    witness: Option<Witness<'a>>,
    seen: Option<(Server, Client)>,
    gate: Client,
    prime: Client,
    enforced: Option<Client>,
    whole: Watch,
    guarded: Watch,
    worn: u64,
}

impl<'a> Bench<'a> {
    fn open(gate: &Address, seat: &Seat, witness: Option<Witness<'a>>) -> std::io::Result<Self> {
        let mut bench = Self {
            witness,
            seen: None,
            gate: Client::connect(gate)?,
            prime: Client::connect(&seat.prime)?,
            enforced: None,
            whole: seat.watch(&seat.whole),
            guarded: seat.watch(&seat.prime),
            worn: 0,
        };
        bench.settle()?;
        Ok(bench)
    }

    fn settle(&mut self) -> std::io::Result<()> {
        for text in crate::SETTINGS.split(';') {
            let answer = self.gate.simple(text)?;
            assert!(answer.error.is_none(), "{text}: {:?}", answer.error);
        }
        self.prime.simple(crate::SETTINGS)?;
        Ok(())
    }

    /// A fresh pair of connections, where one was lost.
    fn again(&mut self, gate: &Address, seat: &Seat) -> std::io::Result<()> {
        self.gate = Client::connect(gate)?;
        self.prime = Client::connect(&seat.prime)?;
        self.settle()
    }
}

/// How a case came out: the step that decided it.
struct Outcome {
    step: usize,
    ruling: Ruling,
    gate: Option<Answer>,
    prime: Option<Answer>,
    changed: bool,
}

fn mode_of(index: u64) -> Mode {
    [Mode::Simple, Mode::ExtendedText, Mode::ExtendedBinary][(index / 7 % 3) as usize]
}

pub fn tape_of(seed: u64, index: u64) -> Tape {
    Tape::seeded(seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(index))
}

fn texts(case: &Case, outcome: &Outcome) -> Vec<String> {
    case.steps
        .iter()
        .take(outcome.step + 1)
        .map(|s| {
            let params: Vec<String> = s.params.iter().map(|p| format!("{:?}", p.value)).collect();
            if let Some(data) = &s.data {
                format!("{} -- {:?}", s.sql, String::from_utf8_lossy(data))
            } else if params.is_empty() {
                s.sql.clone()
            } else {
                format!("{} -- {}", s.sql, params.join(", "))
            }
        })
        .collect()
}

fn bad(ruling: &Ruling) -> bool {
    matches!(ruling, Ruling::Different(_) | Ruling::Leaked(_) | Ruling::OneSided(_))
}

/// Runs a case on both sides, then looks at everything that stands in D, and puts all back.
fn attempt(bench: &mut Bench<'_>, seat: &Seat, case: &Case, mode: Mode) -> std::io::Result<Outcome> {
    let mode = case.mode(mode);
    let text: String = case.steps.iter().map(|s| s.sql.as_str()).collect::<Vec<_>>().join("\n");
    // which of several rows gets which number of a sequence
    let numbers = text.contains("UPDATE") && text.contains("DEFAULT");
    let draws = ["INSERT", "COPY", "DEFAULT"].iter().any(|word| text.contains(word));
    if draws {
        bench.whole.wind();
        bench.guarded.wind();
    }
    let mut answers = Vec::new();
    let mut outcome = Outcome {
        step: 0,
        ruling: Ruling::Same,
        gate: None,
        prime: None,
        changed: false,
    };
    for (i, step) in case.steps.iter().enumerate() {
        let g = send(&mut bench.gate, step, mode)?;
        let other = step.prime.as_ref().map(|sql| Step {
            sql: sql.clone(),
            ..step.clone()
        });
        let p = send(&mut bench.prime, other.as_ref().unwrap_or(step), mode)?;
        let mut said: String = text.clone() + &step.params.iter().filter_map(|p| p.value.clone()).collect::<String>();
        said.push_str(&String::from_utf8_lossy(step.data.as_deref().unwrap_or_default()));
        let ruling = match leaked(&g, &p, &seat.hidden, &said) {
            Some(mark) => Ruling::Leaked(mark),
            None => judge(step, &g, &p, &seat.exempt),
        };
        if draws && ruling == Ruling::SameError {
            bench.guarded.follow(&mut bench.whole);
        }
        answers.push(g.clone());
        outcome = Outcome {
            step: i,
            ruling,
            gate: Some(g),
            prime: Some(p),
            changed: false,
        };
        if !outcome.ruling.goes_on() {
            break;
        }
    }
    let code = outcome
        .prime
        .as_ref()
        .and_then(|p| p.error.as_ref())
        .map_or("", |e| e.code());
    let text = case.steps.get(outcome.step).map_or("", |s| s.sql.as_str());
    let wrote_before = outcome.step > 0 || case.kind == "several" || text.contains("opened_at");
    if code == "23503" && wrote_before && matches!(&outcome.ruling, Ruling::Different(how) if how.starts_with("done")) {
        // a row that was written in the same transaction, or that moves to another partition, is held against its
        // foreign keys again, changed or not, and what a hidden row's key points to is not there in D′
        outcome.ruling = Ruling::Conflict("23503 again".to_owned());
    }
    if matches!(outcome.ruling, Ruling::Constraint(_)) || on_a_hidden_row(case, &outcome) {
        ask_the_enforced(bench, seat, case, mode, &mut outcome)?;
    }
    for text in &case.cleanup {
        bench.gate.simple(text)?;
        bench.prime.simple(text)?;
    }
    if let (Ruling::OneSided(how), Some(witness)) = (&outcome.ruling, bench.witness) {
        if bench.seen.is_none() {
            bench.seen = Some(witness(seat));
        }
        if let Some((_, client)) = &mut bench.seen
            && raises_there(client, case, mode, &outcome)?
        {
            outcome.ruling = Ruling::BothFailed(format!("by rows that show: {how}"));
        }
    }
    if let Ruling::OneSided(how) = &outcome.ruling {
        let how = how.clone();
        if another_plan_raises(bench, case, mode, &outcome)? {
            outcome.ruling = Ruling::BothFailed(format!("under another plan: {how}"));
        }
    }
    if let Ruling::Different(how) = &outcome.ruling
        && how.starts_with("done and not 22")
        && untouched(&outcome)
        && planning_raises(&mut bench.prime, case, mode, &outcome)?
    {
        outcome.ruling = Ruling::Conflict(format!("by constants: {how}"));
    }
    let (a, mut b) = look_around(bench, seat, case, &mut outcome);
    if let Ruling::Different(how) = &outcome.ruling
        && numbers
    {
        let sides = &mut Sides {
            whole: &mut bench.whole,
            guarded: &mut bench.guarded,
            prime: &mut bench.prime,
        };
        if another_order_does_the_same(sides, seat, case, mode, &answers)? {
            outcome.ruling = Ruling::Reordered(how.clone());
        }
        b = bench.guarded.changed();
    }
    put_back(bench, &a, &b);
    Ok(outcome)
}

/// Did a statement of the gate's answer touch no row?
fn untouched(outcome: &Outcome) -> bool {
    let results = outcome.gate.as_ref().map(|g| g.results.as_slice()).unwrap_or_default();
    results.iter().any(|r| r.tag.ends_with(" 0"))
}

/// Does D′ raise the same error while it only plans the step? Then constants do, whatever rows there are.
fn planning_raises(prime: &mut Client, case: &Case, mode: Mode, outcome: &Outcome) -> std::io::Result<bool> {
    prime.simple("BEGIN")?;
    let mut last = None;
    for (n, step) in case.steps.iter().take(outcome.step + 1).enumerate() {
        let ends = ["BEGIN", "START", "COMMIT"].iter().any(|w| step.sql.starts_with(w));
        if n == outcome.step {
            let sql = format!("EXPLAIN {}", step.sql.replace("; ", "; EXPLAIN "));
            last = send(prime, &Step { sql, ..step.clone() }, mode)?.error;
        } else if !ends {
            send(prime, step, mode)?;
        }
    }
    prime.simple("ROLLBACK")?;
    prime.simple("DEALLOCATE ALL")?;
    let told = |e: &crate::wire::Report| (e.code().to_owned(), e.message().to_owned());
    let there = outcome.prime.as_ref().and_then(|p| p.error.as_ref());
    Ok(last.as_ref().map(told) == there.map(told))
}

/// Does rowgate before a database without the hidden rows raise the same error? Then none of them did.
fn raises_there(client: &mut Client, case: &Case, mode: Mode, outcome: &Outcome) -> std::io::Result<bool> {
    client.simple("BEGIN")?;
    let mut last = None;
    for step in case.steps.iter().take(outcome.step + 1) {
        let ends = ["BEGIN", "START", "COMMIT"].iter().any(|w| step.sql.starts_with(w));
        if !ends {
            last = send(client, step, mode)?.error;
        }
    }
    client.simple("ROLLBACK")?;
    let code = |a: &Option<Answer>| a.as_ref()?.error.as_ref().map(|e| e.code().to_owned());
    Ok(last.map(|e| e.code().to_owned()) == code(&outcome.gate))
}

/// Does D′ raise the gate's very error where the planner goes another way? Then no hidden row did.
fn another_plan_raises(bench: &mut Bench<'_>, case: &Case, mode: Mode, outcome: &Outcome) -> std::io::Result<bool> {
    let told = |a: &Option<Answer>| {
        Some((
            a.as_ref()?.error.as_ref()?.code().to_owned(),
            a.as_ref()?.error.as_ref()?.message().to_owned(),
        ))
    };
    let wanted = told(&outcome.gate);
    let superuser = &mut bench.guarded.client;
    dprime::run(superuser, dprime::SIZES);
    let mut found = false;
    for (n, way) in ways().into_iter().cycle().take(PLANS).enumerate() {
        dprime::resize(superuser, (n > PLANS / 2).then_some(n));
        bench.prime.simple("BEGIN")?;
        for turn in &way {
            bench.prime.simple(&format!("SET LOCAL {turn}"))?;
        }
        let mut last = None;
        for step in case.steps.iter().take(outcome.step + 1) {
            let ends = ["BEGIN", "START", "COMMIT"].iter().any(|w| step.sql.starts_with(w));
            if !ends {
                last = Some(send(&mut bench.prime, step, mode)?);
            }
        }
        bench.prime.simple("ROLLBACK")?;
        for text in &case.cleanup {
            bench.prime.simple(text)?;
        }
        if told(&last) == wanted {
            found = true;
            break;
        }
    }
    dprime::resize(superuser, None);
    Ok(found)
}

/// ON CONFLICT on a hidden row inserts nothing or fails, where D′ has no such row.
fn on_a_hidden_row(case: &Case, outcome: &Outcome) -> bool {
    let text = case.steps.get(outcome.step).map_or("", |s| s.sql.as_str());
    let how = match &outcome.ruling {
        Ruling::Different(how) => how.starts_with("tag INSERT 0") || how.starts_with("42501"),
        _ => false,
    };
    how && text.contains("ON CONFLICT")
}

/// Does D′ have the constraint of an error, too? It has none on masked columns.
fn holds_there(guarded: &mut Watch, gate: &Answer) -> bool {
    let Some(error) = &gate.error else { return true };
    let quoted = |letter: u8| error.get(letter).replace('\'', "''");
    let sql = if error.code() == "23502" {
        format!(
            "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('{}.{}') AND attname = '{}' AND attnotnull",
            quoted(b's'),
            quoted(b't'),
            quoted(b'c')
        )
    } else {
        format!(
            "SELECT count(*) FROM pg_class WHERE relname = '{0}' UNION ALL SELECT count(*) FROM pg_constraint WHERE conname = '{0}'",
            quoted(b'n')
        )
    };
    texts_of(&mut guarded.client, &sql)
        .iter()
        .flatten()
        .flatten()
        .any(|n| n != "0")
}

/// The last answer to a case that is rolled back.
fn rolled_back(client: &mut Client, case: &Case, mode: Mode, last_step: usize) -> std::io::Result<Option<Answer>> {
    client.simple("BEGIN")?;
    let mut last = None;
    for step in case.steps.iter().take(last_step + 1) {
        if !step.sql.starts_with("BEGIN") && !step.sql.starts_with("START") && step.sql != "COMMIT" {
            let other = step.prime.as_ref().map(|sql| Step {
                sql: sql.clone(),
                ..step.clone()
            });
            last = Some(send(client, other.as_ref().unwrap_or(step), mode)?);
        }
    }
    client.simple("ROLLBACK")?;
    Ok(last)
}

/// What PostgreSQL's own row security says in a database that holds everything: constraints act there as in D.
fn ask_the_enforced(
    bench: &mut Bench<'_>,
    seat: &Seat,
    case: &Case,
    mode: Mode,
    outcome: &mut Outcome,
) -> std::io::Result<()> {
    if bench.enforced.is_none() {
        let mut client = Client::connect(&seat.enforced())?;
        client.simple(crate::SETTINGS)?;
        bench.enforced = Some(client);
    }
    let Some(client) = bench.enforced.as_mut() else {
        return Ok(());
    };
    let last = rolled_back(client, case, mode, outcome.step)?;
    let (Some(there), Some(gate)) = (last, &outcome.gate) else {
        return Ok(());
    };
    let code = |a: &Answer| a.error.as_ref().map(|e| (e.code().to_owned(), e.get(b'n').to_owned()));
    let tags = |a: &Answer| a.results.iter().map(|r| r.tag.clone()).collect::<Vec<_>>();
    match &outcome.ruling {
        Ruling::Constraint(how) if code(&there) != code(gate) => {
            let other = there.error.as_ref().map_or("done".to_owned(), |e| e.code().to_owned());
            // another rule broken at the same time, or a mask in the way of the comparison
            // where a mask keeps a condition from being the same there, other rows are tried
            let same_rows = outcome.prime.as_ref().is_some_and(|prime| tags(prime) == tags(&there));
            if other == "done" && same_rows && !does_nothing(&there) && holds_there(&mut bench.guarded, gate) {
                let how = how.clone();
                let mut superuser = Client::connect(&seat.superuser_at(&client.address.database))?;
                let mut in_another_order = false;
                for seed in 0..ORDERS {
                    shuffle(&mut superuser, seed);
                    let again = rolled_back(client, case, mode, outcome.step)?;
                    in_another_order |= again.is_some_and(|again| code(&again) == code(gate));
                }
                outcome.ruling = if in_another_order {
                    Ruling::Constraint(format!("in another order of rows: {how}"))
                } else {
                    Ruling::Different(format!("{how} and nothing there breaks it"))
                };
            }
        }
        Ruling::Different(how)
            if code(&there).map(|c| c.0) == code(gate).map(|c| c.0)
                && (gate.error.is_some() || tags(&there) == tags(gate)) =>
        {
            outcome.ruling = Ruling::Constraint(format!("conflict {how}"));
        }
        _ => {}
    }
    Ok(())
}

/// Compares D with what it must be; which tables of it and of D′ have changed.
fn look_around(bench: &mut Bench<'_>, seat: &Seat, case: &Case, outcome: &mut Outcome) -> (Vec<usize>, Vec<usize>) {
    let (a, b) = (bench.whole.changed(), bench.guarded.changed());
    outcome.changed = !a.is_empty();
    let alike = outcome.ruling.goes_on();
    let in_one = case.steps.len() == 1 || case.kind == "transaction" || case.kind == "locking";
    // in one text, what follows was done to D alone
    if matches!(outcome.ruling, Ruling::Conflict(_)) && case.kind != "several" {
        if let Some(how) = mapping::beyond(&mut bench.whole, &bench.guarded) {
            outcome.ruling = Ruling::Leaked(how);
        }
    } else if alike && !(a.is_empty() && b.is_empty()) {
        if let Some(how) = mapping::differs(&mut bench.whole, &mut bench.guarded, &seat.defaults) {
            outcome.ruling = if how.starts_with("HIDDEN") {
                Ruling::Leaked(how)
            } else {
                Ruling::Different(how)
            };
        }
    } else if !alike && in_one && !a.is_empty() && !bad(&outcome.ruling) {
        let gate_failed = outcome.gate.as_ref().is_some_and(|g| g.error.is_some());
        if gate_failed {
            outcome.ruling = Ruling::Different("torn: an error that left changes behind".to_owned());
        }
    }
    (a, b)
}

/// Puts both databases back.
fn put_back(bench: &mut Bench<'_>, whole: &[usize], guarded: &[usize]) {
    bench.whole.restore(whole);
    bench.guarded.restore(guarded);
    // what was put aside may be there although nothing is different in the end
    bench.guarded.forget();
    if !guarded.is_empty() || !whole.is_empty() {
        bench.worn += 1;
        if bench.worn.is_multiple_of(150) {
            bench.whole.vacuum();
            bench.guarded.vacuum();
        }
    }
}

/// Sessions that go on from one run to the next, by login.
pub type Kept = Mutex<BTreeMap<&'static str, Client>>;

/// Runs the plan, every person on a thread of their own.
pub fn run(yard: &Yard, gate: Gate<'_>, witness: Option<Witness<'_>>, plan: Plan) -> Tally {
    run_on(yard, gate, witness, plan, &Kept::default())
}

/// The same in sessions that are there already, and stay.
pub fn run_on(yard: &Yard, gate: Gate<'_>, witness: Option<Witness<'_>>, plan: Plan, kept: &Kept) -> Tally {
    let total = Mutex::new(Tally::default());
    let (done, found) = (AtomicU64::new(0), AtomicU64::new(0));
    let started = Instant::now();
    let seats = yard.seats.len() as u64;
    std::thread::scope(|scope| {
        for (at, seat) in yard.seats.iter().enumerate() {
            let (total, done, found, whole) = (&total, &done, &found, &yard.whole);
            scope.spawn(move || {
                let address = gate(seat);
                let mut bench = Bench::open(&address, seat, witness).expect("connections");
                let before = kept.lock().expect("no thread panicked").remove(seat.person.login);
                bench.gate = before.unwrap_or(bench.gate);
                let mut tally = Tally::default();
                for index in (at as u64..).step_by(seats as usize) {
                    let late = plan.time.is_some_and(|t| started.elapsed() > t);
                    if late || done.load(Ordering::Relaxed) >= plan.statements || plan.only.is_some_and(|o| o < index) {
                        break;
                    }
                    if plan.only.is_some_and(|o| o != index) {
                        continue;
                    }
                    let mut one = One {
                        bench: &mut bench,
                        address: &address,
                        seat,
                        whole,
                        plan,
                    };
                    let before = (tally.statements, tally.failures.len());
                    one.run(index, &mut tally);
                    let n = done.fetch_add(tally.statements - before.0, Ordering::Relaxed);
                    let bad = found.fetch_add((tally.failures.len() - before.1) as u64, Ordering::Relaxed);
                    if plan.progress && n / 5000 != (n + tally.statements - before.0) / 5000 {
                        eprintln!("{n} statements, {bad} failed, {:?}", started.elapsed());
                    }
                }
                total.lock().expect("no thread panicked").merge(tally);
                let mut kept = kept.lock().expect("no thread panicked");
                kept.insert(seat.person.login, bench.gate);
            });
        }
    });
    let mut tally = total.into_inner().expect("no thread panicked");
    tally.failures.sort_by_key(|f| f.index);
    tally
}

/// One person's next case.
struct One<'a, 'b> {
    bench: &'a mut Bench<'b>,
    address: &'a Address,
    seat: &'a Seat,
    whole: &'a Schema,
    plan: Plan,
}

impl One<'_, '_> {
    fn ask(&mut self, case: &Case, mode: Mode) -> Outcome {
        attempt(self.bench, self.seat, case, mode).unwrap_or_else(|e| {
            // the databases are put back before anything else is asked
            let (a, b) = (self.bench.whole.changed(), self.bench.guarded.changed());
            self.bench.whole.restore(&a);
            self.bench.guarded.restore(&b);
            self.bench.again(self.address, self.seat).expect("connections");
            Outcome {
                step: case.steps.len(),
                ruling: Ruling::Different(format!("connection lost: {e}")),
                gate: None,
                prime: None,
                changed: false,
            }
        })
    }

    fn run(&mut self, index: u64, tally: &mut Tally) {
        let mut tape = tape_of(self.plan.seed, index);
        let made = case(&mut tape, self.seat, self.whole);
        let mode = mode_of(index);
        let outcome = self.ask(&made, mode);
        tally.cases += 1;
        tally.statements += (outcome.step + 1).min(made.steps.len()) as u64;
        if self.plan.only.is_some() {
            for s in texts(&made, &outcome) {
                println!("{s}");
            }
            println!("{mode:?} {:?}", outcome.ruling);
            println!("gate:  {}", said(outcome.gate.as_ref()));
            println!("prime: {}", said(outcome.prime.as_ref()));
        }
        let kind = tally.kinds.entry(made.kind).or_default();
        kind.0 += 1;
        let text = made.steps.get(outcome.step).map_or_else(String::new, |s| s.sql.clone());
        match &outcome.ruling {
            Ruling::Same | Ruling::SameError => {
                kind.1 += 1;
                tally.same += 1;
                tally.changed += u64::from(outcome.changed);
                if let Some(e) = outcome.gate.as_ref().and_then(|g| g.error.as_ref()) {
                    *tally.same_errors.entry(e.code().to_owned()).or_default() += 1;
                }
            }
            Ruling::Refused(why) => note(&mut tally.refused, pattern(why), text),
            Ruling::Early(why) => note(&mut tally.early, pattern(why), text),
            Ruling::BothFailed(why) => note(&mut tally.both_failed, pattern(why), text),
            Ruling::Constraint(why) | Ruling::Conflict(why) => note(&mut tally.constraints, pattern(why), text),
            Ruling::Reordered(why) => note(&mut tally.reordered, pattern(why), text),
            Ruling::TimedOut => tally.timed_out += 1,
            ruling => {
                let failure = self.failure(&made, &outcome, ruling.clone(), &tape, index, tally);
                if self.plan.progress {
                    let (login, smallest) = (failure.login, failure.smallest.join("; "));
                    eprintln!("case {index} as {login}: {}\n    {smallest}", failure.last);
                }
                tally.failures.push(failure);
            }
        }
    }

    /// The failure with the smallest case that still fails the same way.
    fn failure(
        &mut self,
        made: &Case,
        outcome: &Outcome,
        ruling: Ruling,
        tape: &Tape,
        index: u64,
        tally: &Tally,
    ) -> Failure {
        let mode = mode_of(index);
        let steps = texts(made, outcome);
        let sort = ruling.sort();
        let (mut smallest, mut last) = (steps.clone(), format!("{ruling:?}"));
        if tally.failures.iter().filter(|f| f.ruling.sort() == sort).count() < 2 {
            shrink(&tape.drawn, 120, |choices| {
                let mut again = Tape::replayed(choices.to_vec());
                let smaller = case(&mut again, self.seat, self.whole);
                let o = self.ask(&smaller, mode);
                let fails = bad(&o.ruling) && o.ruling.sort() == sort;
                if fails {
                    smallest = texts(&smaller, &o);
                    last = format!("{:?}", o.ruling);
                }
                fails
            });
        }
        Failure {
            index,
            login: self.seat.person.login,
            mode,
            kind: made.kind,
            ruling,
            steps,
            smallest,
            last,
        }
    }
}

fn said(answer: Option<&Answer>) -> String {
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
            let tags: Vec<&str> = a.results.iter().map(|r| r.tag.as_str()).collect();
            format!("{tags:?}\n  {}", rows.join("\n  "))
        }
    }
}
