//! The database `rowgate` under hostile hands: what is kept for a client, what is written down, and that it always answers.

use crate::support::gate::Gate;
use crate::support::raw::{Raw, command};
use crate::support::{Database, connect, data, login_at};
use std::path::Path;
use std::time::Duration;
use tokio_postgres::Client;

const FILES: [(&str, &str); 5] = [
    (
        "tables.toml",
        "[customers]\nrelation = \"public.customers\"\nkey = \"id\"\nowner = \"owner_id\"\n",
    ),
    (
        "directory.toml",
        "[directory]\nrefresh = \"1min\"\nusers = \"SELECT login, user_id, roles::text[] AS role, team_id, manager_id, active FROM crm.users\"\n",
    ),
    (
        "roles/sales_rep.toml",
        "[customers]\nview = [\"own\"]\n[rights.temporary]\nraise = [\"auditor\"]\nto = [\"team\"]\nshare = [\"customers\"]\n",
    ),
    ("roles/sales_manager.toml", "[customers]\nview = [\"all\"]\n"),
    ("roles/auditor.toml", "[customers]\nview = [\"all\"]\n"),
];

const AUDIT: &str = "[rights]\n[audit]\noutput = \"file\"\nfile = \"DIR/audit.jsonl\"\n";

struct Stage {
    owner: Client,
    gate: Gate,
    _database: Database,
}

impl Stage {
    async fn new() -> Self {
        let database = Database::new().await;
        let owner = crate::support::rights::prepared(&database).await;
        let gate = Gate::with(&database, &FILES, AUDIT).await;
        Self {
            owner,
            gate,
            _database: database,
        }
    }

    async fn raw(&self, login: &str) -> Raw {
        let more = [("database", "rowgate")];
        Raw::login(self.gate.port(), login, &data::password(login), &more)
            .await
            .unwrap()
    }

    /// Rights of alice's with long reasons, of which a listing shows a part.
    async fn many_rights(&self) {
        let many = "INSERT INTO rowgate.rights (kind, login, table_name, record, reason) \
             SELECT 'share', 'alice', 'customers', ARRAY[n::text], repeat('界', 1000) FROM generate_series(1, 900) AS n";
        self.gate.change(&self.owner, many).await;
    }

    /// Commands that were written down.
    fn written(&self) -> Vec<serde_json::Value> {
        lines(&self.gate.files.path().join("audit.jsonl"))
    }
}

fn lines(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let all = whole
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    all.filter(|event| event["event"] == "rights" || event["event"] == "raise")
        .collect()
}

#[tokio::test]
async fn whoever_reads_no_answers_is_heard_no_further() {
    const SAID: usize = 60;
    let stage = Stage::new().await;
    stage.many_rights().await;
    let mut raw = stage.raw("alice").await;
    raw.send(&command("Q SHOW RIGHTS").repeat(SAID)).await;
    // a megabyte each: what the sockets take and no more; that nothing follows only time can show
    let all = async {
        while stage.written().len() < SAID / 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let heard = tokio::time::timeout(Duration::from_secs(3), all).await;
    assert!(heard.is_err(), "{} commands were carried out", stage.written().len());
    // and it all comes when somebody reads
    let got = raw.until_ready(SAID).await;
    assert_eq!(got.iter().filter(|line| line.starts_with("C SHOW")).count(), SAID);
    stage.gate.stop().await;
}

#[tokio::test]
async fn one_portal_keeps_rows_and_a_listing_has_an_end() {
    let stage = Stage::new().await;
    stage.many_rights().await;
    let mut raw = stage.raw("alice").await;
    let whole = raw.query("SHOW RIGHTS").await;
    let rows = whole.iter().filter(|line| line.starts_with("D ")).count();
    assert!((200..900).contains(&rows), "{rows}");
    assert!(
        whole[0].starts_with("N NOTICE 00000 this is the newest of it"),
        "{}",
        whole[0]
    );
    assert!(
        whole[rows + 1].starts_with("D 900"),
        "the newest stands last: {:.20}",
        whole[rows + 1]
    );
    let portals = [
        command("P s | SHOW RIGHTS"),
        command("B a | s"),
        command("B b | s"),
        command("E a | 1"),
        command("E b | 1"),
        command("S"),
        command("B a | s"),
        command("B b | s"),
        command("E a"),
        command("E a"),
        command("E b | 1"),
        command("C P b"),
        command("B b | s"),
        command("E b | 2"),
        command("S"),
    ];
    raw.send(&portals.concat()).await;
    let got = raw.until_ready(2).await;
    let told: Vec<&str> = got
        .iter()
        .filter(|line| !line.starts_with("D ") && !line.starts_with("N "))
        .map(String::as_str)
        .collect();
    let all = format!("C SHOW {rows}");
    assert_eq!(
        told,
        [
            "1",
            "2",
            "2",
            "s",
            "E 53400 another portal of this session has rows left",
            "Z I",
            "2",
            "2",
            all.as_str(),
            "C SHOW 0",
            "s",
            "3",
            "2",
            "s",
            "Z I"
        ]
    );
    // a quarter of a megabyte of statements, whatever they are called
    let statements: Vec<_> = (0..20)
        .map(|n| command(&format!("P s{n} | SHOW HELP {}", "x".repeat(16_000))))
        .chain([command("S")])
        .collect();
    raw.send(&statements.concat()).await;
    let got = raw.until_ready(1).await;
    let told: Vec<&str> = got.iter().map(String::as_str).collect();
    let full = "E 53400 this session has too many prepared statements or portals";
    assert_eq!(told, [&["1"; 16][..], &[full, "Z I"]].concat());
    let long = format!("P | SHOW HELP {}", "x".repeat(17_000));
    raw.send(&[command(&long), command("S")].concat()).await;
    assert_eq!(
        raw.until_ready(1).await,
        ["E 42601 this command is longer than 16384 bytes", "Z I"]
    );
    stage.gate.stop().await;
}

#[tokio::test]
async fn a_command_is_written_down_whole_and_nothing_of_another_text() {
    let stage = Stage::new().await;
    let desk = connect(&login_at(stage.gate.port(), "alice", "rowgate")).await;
    let said = [
        (
            "RAISE ROLE auditor FOR '5 s' REASON 'reset PASSWORD'",
            "RAISE ROLE auditor FOR '5 s' REASON 'reset PASSWORD'",
        ),
        (
            "SUSPEND PERSON yun REASON 'his password'",
            "SUSPEND PERSON yun REASON 'his password'",
        ),
        ("GRANT ROLE x TO yun RESON 'his password is y'", "GRANT … (45 bytes)"),
        ("ALTER USER alice PASSWORD 'SCRAM-SHA-256$x'", "ALTER … (43 bytes)"),
        ("SELECT * FROM customers WHERE phone = '139'", "SELECT … (43 bytes)"),
        ("'geheim'", " … (8 bytes)"),
    ];
    for (text, _) in said {
        let _ = desk.batch_execute(text).await;
    }
    drop(desk);
    let kept = stage.gate.stopped().await;
    let written = lines(&kept.path().join("audit.jsonl"));
    let written: Vec<&str> = written
        .iter()
        .map(|event| event["statement"].as_str().unwrap())
        .collect();
    assert_eq!(written, said.map(|(_, written)| written));
}

#[tokio::test]
async fn a_text_that_is_no_text_is_answered_and_written_down() {
    let stage = Stage::new().await;
    let mut raw = stage.raw("alice").await;
    let broken = b"Q\0\0\0\x0bSHOW \xff\0";
    raw.send(broken).await;
    let got = raw.until_ready(1).await;
    assert!(got[0].starts_with("E 22021"), "{got:?}");
    assert_eq!(got[1], "Z I");
    // behind an error nothing is read before the Sync
    let skipped = [
        &command("E nowhere")[..],
        broken,
        &command("S"),
        &command("Q SHOW REQUESTS"),
    ]
    .concat();
    raw.send(&skipped).await;
    let got = raw.until_ready(2).await;
    let tags: String = got.iter().filter_map(|line| line.chars().next()).collect();
    assert_eq!(tags, "EZTCZ", "{got:?}");
    drop(raw);
    let kept = stage.gate.stopped().await;
    let written = lines(&kept.path().join("audit.jsonl"));
    assert_eq!(written[0]["decision"], "refused");
    assert_eq!(written.len(), 2, "{written:?}");
}

#[tokio::test]
async fn many_commands_at_once_take_few_connections() {
    let stage = Stage::new().await;
    let mut talks = Vec::new();
    for login in ["alice", "hao", "chloe", "yun", "bob"].repeat(4) {
        let mut raw = stage.raw(login).await;
        raw.send(&command("Q SHOW REQUESTS").repeat(20)).await;
        talks.push(raw);
    }
    let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rowgate rights'";
    let mut most = 0;
    let done = async {
        for raw in &mut talks {
            assert_eq!(raw.until_ready(20).await.len(), 60);
        }
    };
    let mut done = std::pin::pin!(done);
    loop {
        tokio::select! {
            () = &mut done => break,
            row = stage.owner.query_one(count, &[]) => most = most.max(row.unwrap().get::<_, i64>(0)),
        }
    }
    // four, the watch, and those that are on their way out
    assert!(most <= 12, "{most}");
    stage.gate.stop().await;
}
