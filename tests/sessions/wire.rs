//! Wire transcripts: what a client sends, and what it must get from PostgreSQL and from rowgate alike, under a
//! policy that allows everything.
//!
//! `UPDATE=1 cargo test --test sessions wire::` writes PostgreSQL's answers into the transcripts; a person reads the diff.

use crate::support::gate::{Gate, OPEN_POLICY};
use crate::support::raw::{Raw, command};
use crate::support::{Database, data};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A batch of messages that are sent at once, and the answers.
#[derive(Default, Clone)]
struct Step {
    send: Vec<String>,
    /// Which of them are sent without waiting for the answer to those before.
    joined: Vec<usize>,
    expect: Vec<String>,
}

impl Step {
    /// Does its last message make the server answer?
    fn is_answered(&self) -> bool {
        let last = self.send.last().map_or("", |m| m.split(' ').next().unwrap());
        matches!(last, "Q" | "S" | "F" | "H" | "c" | "f")
    }
}

/// A conversation on a connection of its own.
struct Case {
    name: String,
    steps: Vec<Step>,
}

fn read(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("== ") {
            cases.push(Case {
                name: name.to_owned(),
                steps: Vec::new(),
            });
        } else if let Some(sent) = line.strip_prefix("> ") {
            let steps = &mut cases.last_mut().unwrap().steps;
            if steps.last().is_none_or(Step::is_answered) {
                steps.push(Step::default());
            }
            steps.last_mut().unwrap().send.push(sent.to_owned());
        } else if let Some(sent) = line.strip_prefix("& ") {
            let step = cases.last_mut().unwrap().steps.last_mut().unwrap();
            step.send.push(sent.to_owned());
            step.joined.push(step.send.len() - 1);
        } else if let Some(got) = line.strip_prefix("< ") {
            let step = cases.last_mut().unwrap().steps.last_mut().unwrap();
            step.expect.push(got.to_owned());
        } else if !line.is_empty() && !line.starts_with('#') {
            panic!("not a line of a transcript: {line}");
        }
    }
    cases
}

/// What a server answers to a case.
async fn play(port: u16, login: &str, database: &str, case: &Case) -> Vec<Vec<String>> {
    let mut raw = Raw::login(port, login, &data::password(login), &[("database", database)])
        .await
        .unwrap();
    let mut answers = Vec::new();
    for step in &case.steps {
        let mut bytes = Vec::new();
        for message in &step.send {
            bytes.extend_from_slice(&command(message));
        }
        raw.send(&bytes).await;
        let tags = || step.send.iter().filter_map(|m| m.split(' ').next());
        // in the extended protocol the end of the data is answered with its Sync
        let syncs = tags().any(|tag| tag == "S");
        let ready = tags()
            .filter(|tag| matches!(*tag, "Q" | "S" | "F") || !syncs && matches!(*tag, "c" | "f"))
            .count();
        answers.push(if ready == 0 {
            raw.until_quiet().await
        } else {
            raw.until_ready(ready).await
        });
    }
    answers
}

async fn run(file: &str) {
    run_under(file, OPEN_POLICY).await;
}

async fn run_under(file: &str, policies: &[(&str, &str)]) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire").join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let cases = read(&text);
    let database = Database::new().await;
    let gate = Gate::start(&database, policies).await;
    let update = std::env::var_os("UPDATE").is_some();
    let (mut written, mut wrong) = (header(&text), String::new());
    for case in &cases {
        let straight = play(database.cluster.port(), "rowgate", &database.name, case).await;
        let through = play(gate.port(), "alice", &database.name, case).await;
        writeln!(written, "\n== {}", case.name).unwrap();
        for (index, step) in case.steps.iter().enumerate() {
            for (at, sent) in step.send.iter().enumerate() {
                let mark = if step.joined.contains(&at) { '&' } else { '>' };
                writeln!(written, "{mark} {sent}").unwrap();
            }
            for got in &straight[index] {
                writeln!(written, "< {got}").unwrap();
            }
            let expected = if update { &straight[index] } else { &step.expect };
            for (who, got) in [("PostgreSQL", &straight[index]), ("rowgate", &through[index])] {
                let same =
                    got.len() == expected.len() && got.iter().zip(expected).all(|(g, e)| same_line(g, e, &step.send));
                if !same {
                    let sent = step.send.join("; ");
                    writeln!(wrong, "{}: {sent}\n  expected {expected:?}\n  {who} {got:?}", case.name).unwrap();
                }
            }
        }
    }
    if update {
        std::fs::write(&path, written).unwrap();
    }
    assert!(wrong.is_empty(), "{file}\n{wrong}");
    gate.stop().await;
}

/// rowgate may leave out the place of an error in an earlier text, which EXECUTE meets.
fn same_line(got: &str, expected: &str, sent: &[String]) -> bool {
    let placeless = expected.split_once(" @").map_or(expected, |(line, _)| line);
    let may_be_placeless = sent.iter().any(|m| m.starts_with("Q execute "));
    got == expected || (may_be_placeless && got == placeless)
}

/// The comment lines that a transcript begins with.
fn header(text: &str) -> String {
    text.lines()
        .take_while(|l| l.starts_with('#'))
        .fold(String::new(), |all, l| all + l + "\n")
}

#[tokio::test]
async fn simple() {
    run("simple.txt").await;
}

#[tokio::test]
async fn extended() {
    run("extended.txt").await;
}

#[tokio::test]
async fn errors() {
    run("errors.txt").await;
}

#[tokio::test]
async fn transactions() {
    run("transactions.txt").await;
}

/// A representative who sees everything and writes what is theirs: each write is checked, and none is forbidden.
const WRITER: &[(&str, &str)] = &[
    (
        "tables.toml",
        "[defaults]\nunprotected = \"open\"\ncolumns = \"clear\"\n\
         [customers]\nrelation = \"public.customers\"\nkey = \"id\"\nowner = \"owner_id\"\n\
         [contacts]\nrelation = \"public.contacts\"\nkey = \"id\"\n\
         parent = { table = \"customers\", column = \"customer_id\" }\n",
    ),
    (
        "directory.toml",
        "[directory]\nusers = \"SELECT login, user_id, 'rep'::text AS role, team_id, manager_id, active FROM crm.users\"\n",
    ),
    (
        "roles/rep.toml",
        "title = \"Representative\"\n\
         [customers]\nview = [\"all\"]\ninsert = [\"own\"]\nedit = [\"own\"]\ndelete = [\"own\"]\nexport = [\"all\"]\n\
         [customers.columns]\nowner_id = { transfer = [\"all\"] }\n\
         [contacts]\nview = [\"all\"]\ninsert = [\"parent:own\"]\nedit = [\"parent:own\"]\ndelete = [\"parent:own\"]\n\
         export = [\"all\"]\n[contacts.columns]\ncustomer_id = { transfer = [\"all\"] }\n",
    ),
];

#[tokio::test]
async fn writes() {
    run_under("writes.txt", WRITER).await;
}

#[tokio::test]
async fn copy_from() {
    run("copy_from.txt").await;
}

#[tokio::test]
async fn prepared_and_cursors() {
    run("prepared_and_cursors.txt").await;
}
