//! What real clients send: which share of it goes through, client by client, and why the rest does not.
use rowgate::gate::{SessionView, judge};
use rowgate::identity::Principal;
use rowgate::world::World;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

/// Between the statements of a file.
const LINE: &str = "\n----------\n";

/// Who sends them all: an executive, from whom no column is hidden.
const LOGIN: &str = "grace";

fn answer(text: &str, who: &Principal, world: &World) -> Result<(), String> {
    let session = SessionView {
        search_path: vec!["public".to_owned()],
        temp_relations: Vec::new(),
        stored: None,
    };
    match judge(text, who, &session, &[], world) {
        Ok(_) => Ok(()),
        Err(refusal) => Err(match &refusal.detail {
            Some(detail) => format!("{}: {} ({detail})", refusal.code, refusal.message),
            None => format!("{}: {}", refusal.code, refusal.message),
        }),
    }
}

fn first_words(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(110).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_of_every_client() {
    let database = crate::support::Database::new().await;
    let more = "CREATE FUNCTION public.add_one(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i + 1'; CREATE SEQUENCE public.seq_x";
    database.superuser().await.batch_execute(more).await.unwrap();
    let front = database.rowgate().await;
    let world = front.world().current();
    let who = Arc::clone(world.directory.principal(LOGIN).unwrap());
    let judging = std::thread::Builder::new().stack_size(256 << 20);
    let mut new = judging.spawn(move || judge_all(&who, &world)).unwrap().join().unwrap();
    front.stop().await;
    // what clients of PostgreSQL 15 ask for and a newer server no longer has, it refuses as rowgate does
    let straight = database.superuser().await;
    let mut refused_alike = Vec::new();
    for (at, (reason, statement)) in new.iter().enumerate() {
        let absent = reason.contains(": no-column: ") || reason.contains(": no-relation: ");
        let said = straight.prepare(statement).await.err().and_then(|e| e.code().cloned());
        if absent && said.is_some_and(|code| matches!(code.code(), "42703" | "42P01")) {
            refused_alike.push(at);
        }
    }
    for at in refused_alike.into_iter().rev() {
        new.remove(at);
    }
    assert!(
        new.is_empty(),
        "new refusals; if they are meant, run with UPDATE=1:\n{new:#?}"
    );
}

/// Prints what becomes of each statement, and yields the refusals that nobody expects with the statements.
fn judge_all(who: &Principal, world: &World) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut clients: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    clients.sort();
    let (mut shares, mut refusals) = (String::new(), Vec::new());
    let (mut all, mut through) = (0, 0);
    for client in clients {
        let name = client.file_name().unwrap().to_string_lossy().into_owned();
        let (mut count, mut good) = (0, 0);
        for file in ["captured.sql", "written.sql"] {
            let Ok(statements) = std::fs::read_to_string(client.join(file)) else {
                continue;
            };
            for statement in statements.trim_end_matches('\n').split(LINE) {
                count += 1;
                match answer(statement, who, world) {
                    Ok(()) => good += 1,
                    Err(reason) => refusals.push((format!("{name}: {reason}"), statement.to_owned())),
                }
            }
        }
        writeln!(shares, "{name:<16}{good:>4} of {count:>4}").unwrap();
        all += count;
        through += good;
    }
    let told: String = refusals
        .iter()
        .map(|(reason, statement)| format!("{reason}\n    {}\n", first_words(statement)))
        .collect();
    let found = format!("{shares}{:<16}{through:>4} of {all:>4}\n\n{told}", "all");
    println!("{found}");
    let expected = folder.join("expected.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&expected, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&expected).unwrap_or_default();
    let known: Vec<_> = expected.lines().collect();
    refusals.retain(|(reason, _)| !known.contains(&reason.as_str()));
    refusals
}
