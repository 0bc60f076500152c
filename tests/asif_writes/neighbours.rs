//! Other people's sessions beside a writer's, on the same few connections: what each of them leaves there is theirs alone.

use crate::stage::Server;
use crate::wire::Answer;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// Says stop however the work ends.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does the work while these people come and go at every server; what they get is checked.
pub fn beside<T>(servers: &[&Server], logins: &[&str], work: impl FnOnce() -> T) -> T {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for server in servers {
            for (n, login) in logins.iter().enumerate() {
                let stop = &stop;
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        visit(server, login, n).expect("rowgate answers");
                    }
                });
            }
        }
        let _stop = Stop(&stop);
        work()
    })
}

fn value(answer: &Answer) -> String {
    match &answer.error {
        Some(e) => e.code().to_owned(),
        None => answer
            .results
            .iter()
            .flat_map(|r| r.rows.iter().flatten().flatten())
            .map(|v| String::from_utf8_lossy(v).into_owned())
            .collect::<Vec<_>>()
            .join(" "),
    }
}

/// One session: statements, and what each must answer.
fn visit(server: &Server, login: &str, n: usize) -> io::Result<()> {
    let mut client = server.connect(login)?;
    let memory = format!("{}kB", 1000 + n);
    let told = [
        (format!("SET work_mem = '{memory}'"), String::new()),
        ("SHOW work_mem".into(), memory.clone()),
        (format!("PREPARE w1 AS SELECT {n}"), String::new()),
        ("EXECUTE w1".into(), n.to_string()),
        ("SHOW work_mem".into(), memory.clone()),
        ("EXECUTE w1".into(), n.to_string()),
        ("DEALLOCATE w1".into(), String::new()),
        ("EXECUTE w1".into(), "26000".into()),
        ("BEGIN ISOLATION LEVEL REPEATABLE READ".into(), String::new()),
        ("SHOW transaction_isolation".into(), "repeatable read".into()),
        ("SET LOCAL work_mem = '5MB'".into(), String::new()),
        ("SHOW work_mem".into(), "5MB".into()),
        ("SELECT 1 / 0".into(), "22012".into()),
        ("SELECT 1".into(), "25P02".into()),
        ("ROLLBACK".into(), String::new()),
        ("SHOW work_mem".into(), memory),
        ("SHOW transaction_isolation".into(), "read committed".into()),
        (
            "SELECT count(*) FILTER (WHERE name = 'x') FROM crm.teams".into(),
            "0".into(),
        ),
    ];
    for (sql, right) in &told {
        let answer = client.simple(sql)?;
        assert_eq!(value(&answer), *right, "{login}: {sql}: {:?}", answer.error);
    }
    let wanted = [Some(n.to_string())];
    let answer = client.extended("SELECT $1::int4 + 1", &[], &wanted, false, 0)?;
    assert_eq!(value(&answer), (n + 1).to_string(), "{login}");
    // and gone in the middle of a transaction
    client.simple("BEGIN")?;
    client.simple("SELECT count(*) FROM crm.teams")?;
    Ok(())
}
