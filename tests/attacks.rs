//! The attacks: readable cases of what a hostile person with psql would try, each with the answer that it must get.
//!
//! A case in `attacks/*.md` is a heading, `as LOGIN`, and statements (`> …`, continued by `>> …`; `| …` is a line of data
//! for COPY), each followed by what must come of it (`= …`):
//!
//! - `as-if`: what PostgreSQL answers on the person's D′; `as-if SQL`: what it answers there to other words
//! - `refused`: a refusal by rowgate itself (42501 or 0A000); `refused CODE`: with this SQLSTATE
//! - `error CODE`: an error of this SQLSTATE, by whomever; `rows …`: these rows, `|` between values, `;` between rows
//! - `ok`: no error; `safe`: whatever, as long as nothing hidden comes out of it
//!
//! Behind `since 17` an older server must get an error for each statement, and nothing else.
//!
//! `A or B` allows either. Hidden marks in any byte of any answer fail the case, and the connection must still work.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

#[path = "asif/compare.rs"]
mod compare;
#[path = "asif/dprime/mod.rs"]
mod dprime;
#[path = "asif/generate/mod.rs"]
mod generate;
#[path = "asif/schema.rs"]
mod schema;
#[path = "asif/stage.rs"]
mod stage;
#[path = "asif/tape.rs"]
mod tape;
#[path = "asif/wire.rs"]
mod wire;
#[path = "asif/world.rs"]
mod world;

use compare::{Verdict, judge, leaked, own};
use generate::case::Step;
use std::collections::HashMap;
use wire::{Answer, Client};
use world::{Seat, World};

/// What both sides of a comparison are set to.
pub const SETTINGS: &str = "SET timezone = 'UTC'; SET datestyle = 'ISO, MDY'; SET statement_timeout = '4s'";

struct Attack {
    name: String,
    login: String,
    /// The first major version of PostgreSQL that has what is tried.
    since: u32,
    steps: Vec<(String, String)>,
    /// Data for COPY, by the number of the step.
    data: HashMap<usize, String>,
}

fn read(text: &str) -> Vec<Attack> {
    let mut attacks = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            attacks.push(Attack {
                name: name.to_owned(),
                login: String::new(),
                since: 0,
                steps: Vec::new(),
                data: HashMap::new(),
            });
            continue;
        }
        let Some(attack) = attacks.last_mut() else { continue };
        if let Some(login) = line.strip_prefix("as ") {
            attack.login = login.trim().to_owned();
        } else if let Some(version) = line.strip_prefix("since ") {
            attack.since = version.trim().parse().expect("a version");
        } else if let Some(more) = line.strip_prefix(">> ") {
            let last = attack.steps.last_mut().expect("a statement to continue");
            last.0.push('\n');
            last.0.push_str(more);
        } else if let Some(sql) = line.strip_prefix("> ") {
            attack.steps.push((sql.to_owned(), String::new()));
        } else if let Some(more) = line.strip_prefix("| ") {
            let data = attack.data.entry(attack.steps.len() - 1).or_default();
            data.push_str(more);
            data.push('\n');
        } else if let Some(want) = line.strip_prefix("= ") {
            attack.steps.last_mut().expect("a statement").1 = want.trim().to_owned();
        }
    }
    attacks
}

fn shown(answer: &Answer) -> String {
    match &answer.error {
        Some(e) => format!("{} {}", e.code(), e.message()),
        None => rows(answer),
    }
}

fn rows(answer: &Answer) -> String {
    let all: Vec<String> = answer
        .results
        .iter()
        .flat_map(|r| &r.rows)
        .map(|r| {
            let cells: Vec<String> = r
                .iter()
                .map(|v| {
                    v.as_ref()
                        .map_or_else(|| "NULL".into(), |b| String::from_utf8_lossy(b).into_owned())
                })
                .collect();
            cells.join(" | ")
        })
        .collect();
    all.join("; ")
}

fn meets(want: &str, sql: &str, gate: &Answer, seat: &Seat, prime: &mut Client, as_if: &Answer) -> bool {
    let code = gate.error.as_ref().map_or("", |e| e.code());
    let mut words = want.splitn(2, ' ');
    match (words.next().unwrap_or_default(), words.next()) {
        ("as-if", None) => matches!(judge(&Step::plain(sql), gate, as_if, &seat.exempt), Verdict::Same),
        ("as-if", Some(other)) => {
            let answer = prime.simple(other).expect("D′ answers");
            matches!(judge(&Step::plain(other), gate, &answer, &seat.exempt), Verdict::Same)
        }
        ("refused", None) => gate
            .error
            .as_ref()
            .is_some_and(|e| own(e) && matches!(e.code(), "42501" | "0A000")),
        ("refused", Some(which)) => gate.error.as_ref().is_some_and(own) && code == which,
        ("error", Some(which)) => code == which,
        ("rows", which) => gate.error.is_none() && rows(gate) == which.unwrap_or_default(),
        ("ok", None) => gate.error.is_none(),
        ("safe", None) => true,
        other => panic!("no such expectation: {other:?}"),
    }
}

fn writes(sql: &str) -> bool {
    ["INSERT", "UPDATE", "DELETE", "MERGE", "COPY"]
        .iter()
        .any(|w| sql.starts_with(w) || sql.starts_with("WITH") && sql.contains(&format!("({w}")))
}

fn run(attack: &Attack, seat: &Seat, server: &stage::Server) -> std::io::Result<Vec<String>> {
    let mut wrong = Vec::new();
    let mut is_old = false;
    let mut gate = server.connect(&attack.login)?;
    let mut prime = Client::connect(&seat.prime)?;
    for text in SETTINGS.split(';') {
        gate.simple(text)?;
        prime.simple(text)?;
    }
    if attack.since > 0 {
        let version = rows(&prime.simple("SHOW server_version_num")?);
        is_old = version.parse::<u32>().expect("a version") / 10_000 < attack.since;
    }
    for (at, (sql, want)) in attack.steps.iter().enumerate() {
        gate.copy_data = attack.data.get(&at).map(|d| d.clone().into_bytes());
        let answer = match gate.simple(sql) {
            Ok(answer) => answer,
            Err(e) => {
                wrong.push(format!("{sql}\n    the connection is gone: {e}"));
                return Ok(wrong);
            }
        };
        // what rowgate must refuse is not done to D′ either, and what is written is written to D alone
        let as_if = if want.contains("as-if") || !want.contains("refused") && !writes(sql) {
            prime.simple(sql)?
        } else {
            Answer::default()
        };
        let said = attack
            .data
            .get(&at)
            .map_or_else(|| sql.clone(), |data| format!("{sql}\n{data}"));
        if let Some(mark) = leaked(&answer, &as_if, &seat.hidden, &said) {
            wrong.push(format!("{sql}\n    LEAKED {mark}: {}", shown(&answer)));
        }
        if is_old {
            if answer.error.is_none() {
                wrong.push(format!(
                    "{sql}\n    must be an error on this server\n    was  {}",
                    shown(&answer)
                ));
            }
            continue;
        }
        if !want
            .split(" or ")
            .any(|w| meets(w, sql, &answer, seat, &mut prime, &as_if))
        {
            wrong.push(format!(
                "{sql}\n    must be {want}\n    was  {}\n    D′   {}",
                shown(&answer),
                shown(&as_if)
            ));
        }
    }
    gate.simple("ROLLBACK")?;
    let alive = gate.simple("SELECT 1")?;
    if rows(&alive) != "1" {
        wrong.push(format!("afterwards SELECT 1 gave {}", shown(&alive)));
    }
    Ok(wrong)
}

#[test]
fn every_attack_gets_the_answer_it_must_get() {
    let stage = stage::Stage::set();
    let world = World::of(&stage);
    let server = stage::Server::start(&stage, &stage::shipped_policies());
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attacks");
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    files.sort();
    let (mut count, mut failed) = (0, 0);
    for file in files {
        for attack in read(&std::fs::read_to_string(&file).unwrap()) {
            count += attack.steps.len();
            let seat = world
                .seats
                .iter()
                .find(|s| s.person.login == attack.login)
                .expect("a person of the oracle");
            let wrong = run(&attack, seat, &server).unwrap_or_else(|e| vec![format!("no connection: {e}")]);
            if !wrong.is_empty() {
                let file = file.file_stem().unwrap().to_string_lossy();
                println!(
                    "{file}: {} (as {})\n  {}\n",
                    attack.name,
                    attack.login,
                    wrong.join("\n  ")
                );
            }
            failed += wrong.len();
        }
    }
    println!("{count} statements, {failed} came through or got another answer");
    assert_eq!(failed, 0);
}

/// Where a condition on customers c may stand: `{id}` is the row that is asked for, `{term}` what must be true of it.
const PLACES: [&str; 12] = [
    "SELECT count(*) FROM customers c WHERE c.id = {id} AND {term}",
    "SELECT count(*) FROM customers c WHERE c.id = {id} AND NOT NOT ({term} OR c.id < 0)",
    "SELECT count(c.id) FROM (VALUES (1)) v(n) LEFT JOIN customers c ON c.id = {id} AND {term}",
    "SELECT count(*) FROM (VALUES (1)) v(n) FULL JOIN customers c ON c.id = v.n AND {term} WHERE c.id = {id}",
    "SELECT count(*) FROM (SELECT c.id FROM customers c GROUP BY c.id, c.name, c.tags HAVING c.id = {id} AND {term}) q",
    "SELECT count(*) FROM (SELECT c.id, {term} AS hit FROM customers c) q WHERE q.id = {id} AND q.hit",
    "SELECT count(*) FROM (VALUES (1)) v(n) WHERE EXISTS (SELECT FROM customers c WHERE c.id = {id} AND {term})",
    "SELECT count(*) FROM (VALUES (1)) v(n), LATERAL (SELECT FROM customers c WHERE c.id = {id} * v.n AND {term}) q",
    "WITH q AS (SELECT c.id FROM customers c WHERE c.id = {id} AND {term}) SELECT count(*) FROM q",
    "INSERT INTO activities (customer_id, owner_id, summary, happened_at) \
     SELECT 5, 36, 'x', now() FROM customers c WHERE c.id = {id} AND {term}",
    "WITH q AS (UPDATE customers c SET city = c.city WHERE c.id = {id} AND {term} RETURNING c.id) SELECT count(*) FROM q",
    "MERGE INTO customers c USING (VALUES (1)) v(n) ON c.id = {id} AND {term} WHEN MATCHED THEN UPDATE SET city = c.city",
];

/// Values so deep that the server's stack is full before it has gone down to their end, though it has read them.
fn deep_terms() -> Vec<String> {
    let often = |part: &str, times: usize| part.repeat(times);
    let made = |value: &str| format!("(CASE WHEN c.id > 0 THEN {value} END)");
    let json = format!("'{}{}'::jsonb", often("[", 9_500), often("]", 9_500));
    let phrase = format!("'{}a'::tsquery", often("a<->", 20_000));
    let all = format!("'{}a'::tsquery", often("a&", 60_000));
    let (pattern, text) = (
        format!("'{}'", often("%a", 60_000)),
        format!("'{}'", often("a", 60_000)),
    );
    vec![
        format!("coalesce({} @@ {phrase}, true)", made("'a'::tsvector")),
        format!("coalesce({phrase} @@ {}, true)", made("'a'::tsvector")),
        format!("coalesce({} LIKE {pattern}, true)", made(&text)),
        format!("coalesce({} NOT ILIKE {pattern}, true)", made(&text)),
        format!("coalesce({} @> {json}, true)", made(&json)),
        format!("coalesce({json} <@ {}, true)", made(&json)),
        format!("coalesce({} = {all}, true)", made(&all)),
        format!("coalesce({} IN ({all}), true)", made(&all)),
        format!("coalesce({}::text <> '', true)", made(&all)),
    ]
}

/// The shipped policies, under which a statement may take its time: this machine may have other work.
fn patient_policies() -> tempfile::TempDir {
    let own = stage::copied_policies();
    let rep = own.path().join("roles/sales_rep.toml");
    let text = std::fs::read_to_string(&rep).unwrap();
    let patient = text.replace("statement_timeout = \"30s\"", "statement_timeout = \"600s\"");
    assert_ne!(patient, text);
    std::fs::write(rep, patient).unwrap();
    own
}

#[test]
fn what_raises_is_not_run_on_a_hidden_row_wherever_it_stands() {
    let stage = stage::Stage::set();
    let policies = patient_policies();
    let server = stage::Server::start(&stage, policies.path());
    let mut gate = server.connect("alice").unwrap();
    for text in SETTINGS.split(';').chain(["SET statement_timeout = '600s'"]) {
        gate.simple(text).unwrap();
    }
    let terms = include_str!("raising/terms.sql");
    let terms = terms.lines().filter(|l| !l.is_empty() && !l.starts_with("--"));
    let deep = deep_terms();
    let extreme = format!(
        "UPDATE customers SET founded_on = '5874897-12-31', profile = '{}{}' WHERE id = 5",
        "[".repeat(9_500),
        "]".repeat(9_500)
    );
    let terms = terms.chain(deep.iter().map(String::as_str));
    let (mut count, mut wrong) = (0, Vec::new());
    for term in terms {
        let mut ask = |place: &str, id: u32, name: &str| {
            let term = format!("CASE WHEN c.name LIKE '{name}%' THEN {term} ELSE false END");
            let sql = place.replace("{id}", &id.to_string()).replace("{term}", &term);
            gate.simple("BEGIN").unwrap();
            if sql.contains("o.id = 5") {
                let own = gate.simple(&extreme).unwrap();
                assert!(own.error.is_none(), "{}", shown(&own));
            }
            let answer = gate.simple(&sql).unwrap();
            gate.simple("ROLLBACK").unwrap();
            // what is refused is refused whatever the rows are
            let raised = answer.error.as_ref().is_some_and(|e| !own(e) || e.code() != "0A000");
            let sql: String = sql.chars().take(1_000).collect();
            (raised, format!("{sql}\n    {}", shown(&answer)))
        };
        for place in PLACES {
            count += 1;
            // alice sees customer 5, not customer 1, whose name it is
            let (raised, hidden) = ask(place, 1, "Lindner");
            if raised {
                wrong.push(hidden);
            }
        }
        let (raised, visible) = ask(PLACES[0], 5, "");
        if !raised {
            wrong.push(format!("raises nowhere: {visible}"));
        }
    }
    println!("{count} conditions\n{}", wrong.join("\n"));
    assert!(wrong.is_empty(), "{} told of a hidden row", wrong.len());
}
