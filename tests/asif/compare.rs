//! Runs one case on two servers and says whether the answers are the same, and if not, in which way.

use crate::generate::case::{Case, Step};
use crate::wire::{Answer, Client, Field, Mode, ResultSet, Row};
use std::collections::{BTreeMap, HashSet};

/// Marks of values that this person must never receive.
pub type Marks = HashSet<String>;

/// How a step came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Same,
    /// The gate cannot secure it (with its message), where D′ gave rows: never counted as equal.
    Refused(String),
    /// The policy gives no such right (to export, to make temp tables), which D′ knows nothing of.
    Denied(String),
    /// D′ gave an error too, of another code, and the gate said no.
    BothFailed(String),
    /// Only one side raised, in an expression that the planner may or may not run: D′ gives either answer.
    Planner,
    /// Only one side raised, and no plan of D′ that was tried gives the gate's answer; nor do the rows that are seen
    /// raise the gate's error by themselves, nor the hidden ones.
    Unclear,
    /// A time-out on either side.
    TimedOut,
    /// Only the table and the column that a result field is said to come from.
    Origin(String),
    /// Only the type modifier that an expression (no column of a table) is described with.
    Typmod,
    Different(String),
    Leaked(String),
}

impl Verdict {
    /// What sort of failure: shrinking keeps to it.
    pub fn sort(&self) -> String {
        match self {
            Self::Origin(_) => "origin".into(),
            Self::Leaked(_) => "leak".into(),
            Self::Different(how) => how.split(' ').next().unwrap_or_default().to_owned(),
            other => format!("{other:?}"),
        }
    }
}

/// Sends one step.
pub fn send(client: &mut Client, step: &Step, mode: Mode) -> std::io::Result<Answer> {
    if step.simple || mode == Mode::Simple {
        client.copy_data.clone_from(&step.data);
        let answer = client.simple(&step.sql);
        client.copy_data = None;
        return answer;
    }
    let values: Vec<Option<String>> = step.params.iter().map(|p| p.value.clone()).collect();
    client.extended(&step.sql, &[], &values, mode == Mode::ExtendedBinary, step.row_limit)
}

/// Finds the marks in what a server sent.
pub fn marks_in(raw: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let hex = |b: u8| b.is_ascii_hexdigit();
    for at in 0..raw.len().saturating_sub(8) {
        let window = &raw[at..at + 9];
        let text = window[..2].eq_ignore_ascii_case(b"qz") && window[2..].iter().all(|&b| hex(b));
        let digits = window.starts_with(b"9174") && window[4..].iter().all(u8::is_ascii_digit);
        if text || digits {
            found.push(String::from_utf8_lossy(window).to_lowercase());
        }
    }
    found
}

/// Marks that stand in what was sent and that the person neither has, nor wrote, nor computed on D′ too.
pub fn leaked(answer: &Answer, prime: &Answer, hidden: &Marks, statement: &str) -> Option<String> {
    let mut found = marks_in(&answer.raw);
    found.retain(|m| hidden.contains(m));
    if found.is_empty() {
        return None;
    }
    let statement = statement.to_lowercase();
    let computed = marks_in(&prime.raw);
    found
        .into_iter()
        .find(|m| !statement.contains(m.as_str()) && !computed.contains(m))
}

/// Compares the gate's answer with D′'s.
pub fn judge(step: &Step, gate: &Answer, prime: &Answer, exempt: &Exempt) -> Verdict {
    let timeout = |a: &Answer| a.error.as_ref().is_some_and(|e| e.code() == "57014");
    if timeout(gate) || timeout(prime) {
        return Verdict::TimedOut;
    }
    match (&gate.error, &prime.error) {
        (Some(g), Some(p)) if g.code() == p.code() => {
            if g.message() == p.message()
                && !g.get(b'P').is_empty()
                && g.get(b'P') != p.get(b'P')
                && g.get(b'R') == p.get(b'R')
            {
                return Verdict::Different(format!("error position {} and not {}", g.get(b'P'), p.get(b'P')));
            }
            Verdict::Same
        }
        // whether a session already has a temp schema depends on what was done before on its connection
        (Some(g), Some(p))
            if [g, p].iter().any(|e| e.message().contains("pg_temp"))
                && [g.code(), p.code()].iter().all(|c| matches!(*c, "3F000" | "42P01")) =>
        {
            Verdict::Same
        }
        (Some(g), Some(p)) => {
            if own(g) {
                Verdict::BothFailed(format!("{} {} for {} {}", g.code(), g.message(), p.code(), p.message()))
            } else if step.leaky && raised(g.code()) && raised(p.code()) {
                Verdict::Planner
            } else {
                Verdict::Different(format!(
                    "{} {} and not {} {}",
                    g.code(),
                    g.message(),
                    p.code(),
                    p.message()
                ))
            }
        }
        (Some(g), None) if own(g) && matches!(g.code(), "42501" | "53400") => {
            Verdict::Denied(format!("{} {}", g.code(), g.message()))
        }
        (Some(g), None) if own(g) => Verdict::Refused(format!("{} {}", g.code(), g.message())),
        (Some(g), None) => Verdict::Different(format!("{} {} and not rows", g.code(), g.message())),
        (None, Some(p)) if step.leaky && raised(p.code()) => Verdict::Planner,
        (None, Some(p)) => Verdict::Different(format!("rows and not {} {}", p.code(), p.message())),
        (None, None) => match same_results(step, gate, prime, exempt) {
            Verdict::Different(_) if same_but(step, gate, prime, exempt, modifier) => Verdict::Typmod,
            Verdict::Different(how) if same_but(step, gate, prime, exempt, origin) => Verdict::Origin(how),
            verdict => verdict,
        },
    }
}

/// A refusal by the gate itself: it has no source file of the server's.
pub fn own(report: &crate::wire::Report) -> bool {
    report.get(b'R').is_empty()
}

fn raised(code: &str) -> bool {
    code.starts_with("22")
}

/// What may differ by the contract itself.
#[derive(Debug, Clone, Default)]
pub struct Exempt {
    /// Row types of tables with hidden columns: a whole row comes as a plain record.
    pub row_types: HashSet<u32>,
    /// Relations that were there before: any other one is a temp table, and its OID is each server's own.
    pub lasting: HashSet<u32>,
}

const RECORD: u32 = 2249;

fn same_field(gate: &Field, prime: &Field, exempt: &Exempt) -> bool {
    let own_tables = !exempt.lasting.contains(&gate.table) && !exempt.lasting.contains(&prime.table);
    if own_tables && (gate.table == 0) == (prime.table == 0) && gate.table != 0 {
        let gate = Field {
            table: prime.table,
            ..gate.clone()
        };
        return gate == *prime || gate.name == prime.name && gate.type_oid > 16384 && prime.type_oid > 16384;
    }
    gate == prime
        || (gate.type_oid == RECORD
            && exempt.row_types.contains(&prime.type_oid)
            && Field {
                type_oid: prime.type_oid,
                ..gate.clone()
            } == *prime)
}

/// Is all the same once this is taken from every field?
fn same_but(step: &Step, gate: &Answer, prime: &Answer, exempt: &Exempt, take: fn(&mut Field)) -> bool {
    let strip = |a: &Answer| {
        let mut a = a.clone();
        for f in a.results.iter_mut().filter_map(|r| r.fields.as_mut()).flatten() {
            take(f);
        }
        a
    };
    same_results(step, &strip(gate), &strip(prime), exempt) == Verdict::Same
}

/// Where a field is said to come from.
fn origin(f: &mut Field) {
    f.table = 0;
    f.number = 0;
}

/// An expression's type modifier: the planner may have seen through a NULL mask before the field is described.
fn modifier(f: &mut Field) {
    if f.table == 0 {
        f.typmod = -1;
    }
}

fn same_results(step: &Step, gate: &Answer, prime: &Answer, exempt: &Exempt) -> Verdict {
    if gate.results.len() != prime.results.len() {
        return Verdict::Different(format!(
            "{} results and not {}",
            gate.results.len(),
            prime.results.len()
        ));
    }
    for (g, p) in gate.results.iter().zip(&prime.results) {
        if let Some(how) = differs(step, g, p, exempt) {
            return Verdict::Different(how);
        }
    }
    if gate.parameter_types != prime.parameter_types {
        return Verdict::Different(format!(
            "parameter types {:?} and not {:?}",
            gate.parameter_types, prime.parameter_types
        ));
    }
    if gate.status != prime.status {
        return Verdict::Different(format!(
            "status {} and not {}",
            gate.status as char, prime.status as char
        ));
    }
    Verdict::Same
}

fn differs(step: &Step, g: &ResultSet, p: &ResultSet, exempt: &Exempt) -> Option<String> {
    match (&g.fields, &p.fields) {
        (None, None) => {}
        (Some(a), Some(b)) => {
            if a.len() != b.len() {
                return Some(format!("columns {:?} and not {:?}", names(a), names(b)));
            }
            if let Some((a, b)) = a.iter().zip(b).find(|(a, b)| !same_field(a, b, exempt)) {
                return Some(format!("field {a:?} and not {b:?}"));
            }
        }
        (a, b) => return Some(format!("described {} and not {}", a.is_some(), b.is_some())),
    }
    if g.tag != p.tag {
        return Some(format!("tag {} and not {}", g.tag, p.tag));
    }
    let (shown, right) = (as_records(&g.rows, exempt), as_records(&p.rows, exempt));
    let rows = if step.ordered {
        shown == right
    } else {
        counted(&shown) == counted(&right)
    };
    if !rows {
        return Some(first_difference(&g.rows, &p.rows));
    }
    let copied = if step.ordered {
        g.copied == p.copied
    } else {
        lines(&g.copied) == lines(&p.copied)
    };
    if !copied {
        return Some("copied rows".to_owned());
    }
    None
}

/// In binary format a row within a row names its type: a table's with hidden columns reads as a plain record.
fn as_records(rows: &[Row], exempt: &Exempt) -> Vec<Row> {
    let plain = |value: &Vec<u8>| {
        let mut value = value.clone();
        for at in 0..value.len().saturating_sub(3) {
            let oid = u32::from_be_bytes([value[at], value[at + 1], value[at + 2], value[at + 3]]);
            if exempt.row_types.contains(&oid) {
                value[at..at + 4].copy_from_slice(&RECORD.to_be_bytes());
            }
        }
        value
    };
    rows.iter()
        .map(|row| row.iter().map(|v| v.as_ref().map(plain)).collect())
        .collect()
}

fn names(fields: &[Field]) -> Vec<&str> {
    fields.iter().map(|f| f.name.as_str()).collect()
}

fn counted(rows: &[Row]) -> BTreeMap<&Row, usize> {
    let mut out = BTreeMap::new();
    for r in rows {
        *out.entry(r).or_insert(0) += 1;
    }
    out
}

fn lines(data: &[u8]) -> Vec<&[u8]> {
    let mut out: Vec<&[u8]> = data.split(|&b| b == b'\n').collect();
    out.sort_unstable();
    out
}

fn first_difference(gate: &[Row], prime: &[Row]) -> String {
    let show = |r: Option<&Row>| {
        r.map_or_else(
            || "nothing".to_owned(),
            |r| {
                r.iter()
                    .map(|v| {
                        v.as_ref()
                            .map_or_else(|| "NULL".to_owned(), |b| String::from_utf8_lossy(b).into_owned())
                    })
                    .collect::<Vec<_>>()
                    .join(" | ")
            },
        )
    };
    let (a, b) = (counted(gate), counted(prime));
    let extra = gate.iter().find(|r| a.get(r) > b.get(r));
    let missing = prime.iter().find(|r| b.get(r) > a.get(r));
    format!(
        "{} rows and not {}; has {} and lacks {}",
        gate.len(),
        prime.len(),
        show(extra),
        show(missing)
    )
}

/// What came of a whole case: the step that decided it.
pub struct Outcome {
    pub step: usize,
    pub verdict: Verdict,
    pub gate: Option<Answer>,
    pub prime: Option<Answer>,
}

/// Runs a case on both and stops at the first step that is not the same.
pub fn run(
    case: &Case,
    mode: Mode,
    gate: &mut Client,
    prime: &mut Client,
    hidden: &Marks,
    exempt: &Exempt,
) -> std::io::Result<Outcome> {
    let mut last = Outcome {
        step: 0,
        verdict: Verdict::Same,
        gate: None,
        prime: None,
    };
    let text: String = case.steps.iter().map(|s| s.sql.as_str()).collect::<Vec<_>>().join("\n");
    let mode = case.mode(mode);
    for (i, step) in case.steps.iter().enumerate() {
        let g = send(gate, step, mode)?;
        let other = step.prime.as_ref().map(|sql| Step {
            sql: sql.clone(),
            ..step.clone()
        });
        let p = send(prime, other.as_ref().unwrap_or(step), mode)?;
        let said: String = text.clone() + &step.params.iter().filter_map(|p| p.value.clone()).collect::<String>();
        let verdict = match leaked(&g, &p, hidden, &said) {
            Some(mark) => Verdict::Leaked(mark),
            None => judge(step, &g, &p, exempt),
        };
        let done = verdict != Verdict::Same;
        last = Outcome {
            step: i,
            verdict,
            gate: Some(g),
            prime: Some(p),
        };
        if done {
            break;
        }
    }
    for text in &case.cleanup {
        gate.simple(text)?;
        prime.simple(text)?;
    }
    Ok(last)
}

/// Did one side raise an error about a value, and the other not?
pub fn one_sided(outcome: &Outcome) -> bool {
    let code = |a: &Option<Answer>| a.as_ref()?.error.as_ref().map(|e| e.code().to_owned());
    let (g, p) = (code(&outcome.gate), code(&outcome.prime));
    g != p && [g, p].iter().flatten().all(|c| raised(c))
}

/// Did both sides answer without an error?
pub fn both_answered(outcome: &Outcome) -> bool {
    let fine = |a: &Option<Answer>| a.as_ref().is_some_and(|a| a.error.is_none());
    fine(&outcome.gate) && fine(&outcome.prime)
}
