//! Says of one step whether rowgate and the guarded D′ answered the same, and if not, in which way.

use crate::compare::{self, Exempt, Verdict, own};
use crate::generate::case::Step;
use crate::state;
use crate::wire::{Answer, Report};

/// How a step of a writing case came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    Same,
    /// The same error.
    SameError,
    /// rowgate cannot secure it.
    Refused(String),
    /// rowgate says no before it looks at rows, and there would have been nothing to do.
    Early(String),
    /// Both say no, for different reasons: one row breaks several rules.
    BothFailed(String),
    /// A constraint of D that D′ does not have, or that meets a hidden row.
    Constraint(String),
    /// An error about a value that D′ does not raise.
    OneSided(String),
    /// D′ says no where D had no reason to: ON CONFLICT DO NOTHING never looked at the row that was proposed, or a
    /// condition that raises was not run. Only rows that show may have changed.
    Conflict(String),
    /// D′ does the very same with its rows in another order.
    Reordered(String),
    TimedOut,
    Different(String),
    Leaked(String),
}

impl Ruling {
    /// What sort of failure: shrinking keeps to it.
    pub fn sort(&self) -> String {
        match self {
            Self::Leaked(_) => "leak".into(),
            Self::Different(how) | Self::OneSided(how) => how.split(' ').take(2).collect::<Vec<_>>().join(" "),
            Self::Constraint(how) => format!("constraint {}", how.split(' ').next().unwrap_or_default()),
            other => format!("{other:?}").split('(').next().unwrap_or_default().to_owned(),
        }
    }

    /// Are the two databases expected to go on alike?
    pub fn goes_on(&self) -> bool {
        matches!(self, Self::Same | Self::SameError)
    }
}

/// The classes of error that data raise: values, constraints, and rights.
fn by_data(code: &str) -> bool {
    code.starts_with("22") || code.starts_with("23") || matches!(code, "42501" | "44000")
}

pub fn does_nothing(prime: &Answer) -> bool {
    prime
        .results
        .iter()
        .all(|r| r.rows.is_empty() && (r.tag.ends_with(" 0") || r.tag.is_empty()))
}

fn told(error: &Report) -> String {
    format!("{} {}", error.code(), error.message())
}

/// Does a text that makes rows name columns that may only take their default? Then rowgate may say no at once.
fn inserts_a_default(sql: &str, error: &Report) -> bool {
    let makes = sql.trim_start().to_uppercase();
    let words = ["INSERT INTO", "WHEN NOT MATCHED", "FROM STDIN"];
    words.iter().any(|w| makes.contains(w)) && error.message().contains("column")
}

/// Compares the gate's answer with D′'s.
pub fn judge(step: &Step, gate: &Answer, prime: &Answer, exempt: &Exempt) -> Ruling {
    let timeout = |a: &Answer| a.error.as_ref().is_some_and(|e| e.code() == "57014");
    if timeout(gate) || timeout(prime) {
        return Ruling::TimedOut;
    }
    match (&gate.error, &prime.error) {
        (Some(g), Some(p)) if g.code() == p.code() || !stricter(step, g) => both(step, g, p),
        (Some(g), _) if stricter(step, g) => Ruling::Refused(told(g)),
        (Some(g), None) if own(g) && g.code() == "0A000" => Ruling::Refused(g.message().to_owned()),
        (Some(g), None) if own(g) && g.code() == "42501" => {
            let word = step.sql.contains("DEFAULT") && g.message().contains("column");
            let early = word || inserts_a_default(&step.sql, g) || step.sql.starts_with("PREPARE");
            if does_nothing(prime) || early || g.message().contains("temporary tables") {
                Ruling::Early(told(g))
            } else {
                Ruling::Different(format!("{} and not done", told(g)))
            }
        }
        (Some(g), None) if g.code().starts_with("23") => Ruling::Constraint(told(g)),
        (Some(g), None) if g.code().starts_with("22") => Ruling::OneSided(told(g)),
        (Some(g), _) => Ruling::Different(format!("{} and not done", told(g))),
        // nothing may be locked: an error there, no row here
        (None, Some(p)) if step.sql.contains(" FOR ") && p.code() == "42501" && does_nothing(gate) => {
            Ruling::Early(format!("no row, for {}", told(p)))
        }
        // DO UPDATE looks at the row that was proposed, DO NOTHING does not
        (None, Some(p)) if step.sql.contains("DO NOTHING") && p.code() == "42501" => Ruling::Conflict(told(p)),
        (None, Some(p)) if step.sql.contains("ON CONFLICT") && p.code().starts_with("23") => Ruling::Conflict(told(p)),
        (None, Some(p)) if step.leaky && p.code().starts_with("22") => Ruling::Conflict(told(p)),
        (None, Some(p)) => Ruling::Different(format!("done and not {}", told(p))),
        (None, None) => match compare::judge(step, &drawn(step, &as_insert(step, gate)), &drawn(step, prime), exempt) {
            Verdict::Same | Verdict::Typmod => Ruling::Same,
            Verdict::Origin(how) => Ruling::Different(format!("origin {how}")),
            Verdict::Different(how) => Ruling::Different(how),
            other => Ruling::Different(format!("{other:?}")),
        },
    }
}

/// Which row an UPDATE gives which number of a sequence is the order in which it meets them.
fn drawn(step: &Step, answer: &Answer) -> Answer {
    let mut answer = answer.clone();
    if step.sql.contains("UPDATE") && step.sql.contains("DEFAULT") {
        let number = |v: &[u8]| match v.len() {
            4 => i32::from_be_bytes([v[0], v[1], v[2], v[3]]).into(),
            8 => i64::from_be_bytes([v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]]),
            _ => std::str::from_utf8(v).ok().and_then(|t| t.parse().ok()).unwrap_or(0),
        };
        let cells = answer.results.iter_mut().flat_map(|r| &mut r.rows).flatten().flatten();
        for cell in cells.filter(|v| state::DRAWN.contains(&number(v))) {
            *cell = b"drawn".to_vec();
        }
    }
    answer
}

/// Row security knows no COPY … FROM, so D′ is given the rows by INSERT.
fn as_insert(step: &Step, gate: &Answer) -> Answer {
    let mut gate = gate.clone();
    if step.data.is_some() {
        for r in &mut gate.results {
            r.tag = r.tag.replace("COPY ", "INSERT 0 ");
        }
    }
    gate
}

/// What rowgate refuses although it need not: nothing is done, so it is counted with the refusals.
fn stricter(step: &Step, g: &Report) -> bool {
    let conflict = step.sql.contains("ON CONFLICT");
    match g.code() {
        // not verified is not sent
        "XX000" => own(g),
        // the type of a parameter for a column that may not be set
        "42P18" => !step.params.is_empty(),
        // a field of the target's row in functional notation; a proposed value of a column that shows masked
        "42703" => g.message().starts_with("column excluded.") || functional(&step.sql, g.message()),
        "42501" => g.message().contains("row violates") && step.sql.contains("DEFAULT"),
        "23503" => own(g) && conflict,
        _ => false,
    }
}

fn functional(sql: &str, message: &str) -> bool {
    let name = message.split('"').nth(1).unwrap_or_default();
    !name.is_empty() && sql.contains(&format!("({name})"))
}

fn both(step: &Step, g: &Report, p: &Report) -> Ruling {
    if g.code() == p.code() {
        for (letter, what) in [(b'n', "constraint"), (b't', "table"), (b's', "schema")] {
            if g.code().starts_with("23") && g.get(letter) != p.get(letter) {
                // partitions bear the same constraint, and two constraints may be broken at once
                let two = g.get(b'n') != p.get(b'n') && (!g.get(b'n').is_empty() || g.message().contains("partition"));
                return if two || what == "table" {
                    Ruling::BothFailed(format!("{} of {} for {}", g.code(), g.get(letter), p.get(letter)))
                } else {
                    Ruling::Different(format!("{what} {} and not {}", g.get(letter), p.get(letter)))
                };
            }
        }
        let data = by_data(g.code()) && !own(g);
        // COPY's context is the line that the client sent
        let letters: &[u8] = if step.data.is_some() { b"DH" } else { b"DHW" };
        if let Some(letter) = letters.iter().find(|l| data && !g.get(**l).is_empty()) {
            return Ruling::Leaked(format!("field {} of an error: {}", *letter as char, g.get(*letter)));
        }
        return Ruling::SameError;
    }
    let (a, b) = (told(g), told(p));
    // of several statements in a message D′ goes on behind the one that meets a hidden row, and fails by a later one
    if g.code().starts_with("23") && !own(g) && step.sql.contains("; ") {
        return Ruling::Constraint(a);
    }
    // COPY says of a view and of a generated column what INSERT says otherwise
    let copies = step.data.is_some() && matches!(g.code(), "42809" | "42P10");
    let read = |e: &Report| e.code().starts_with("42") && e.code() != "42501";
    if copies
        || read(g) && read(p)
        || p.code() == "25P02"
        || own(g) && matches!(g.code(), "0A000" | "55000")
        || by_data(g.code()) && (by_data(p.code()) || own(g))
    {
        Ruling::BothFailed(format!("{a} for {b}"))
    } else {
        Ruling::Different(format!("{a} and not {b}"))
    }
}
