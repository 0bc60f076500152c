//! The revocation race: sixteen clients of two rowgates ask without a pause while rights come and go; one second after
//! a change no answer may follow the old ones. `ROWGATE_RACE` says how many changes; a few unless told.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use support::gate::{Gate, pool_wanted};
use support::raw::{Raw, command};
use support::{Database, data, one};
use tokio_postgres::Client;

const CLIENTS: usize = 16;
const PROMISE: Duration = Duration::from_secs(1);
const FILES: [(&str, &str); 5] = [
    (
        "tables.toml",
        "[customers]\nrelation = \"public.customers\"\nkey = \"id\"\nowner = \"owner_id\"\nteam = \"team_id\"\n",
    ),
    (
        "directory.toml",
        "[directory]\nrefresh = \"1min\"\nusers = \"SELECT login, user_id, roles::text[] AS role, team_id, manager_id, active FROM crm.users\"\n",
    ),
    (
        "roles/sales_rep.toml",
        "[customers]\nview = [\"own\", \"member\", \"delegated\"]\n[customers.columns]\n\"*\" = \"clear\"\n",
    ),
    (
        "roles/sales_manager.toml",
        "[customers]\nview = [\"all\"]\n[customers.columns]\n\"*\" = \"clear\"\n",
    ),
    (
        "roles/auditor.toml",
        "[customers]\nview = [\"all\"]\n[customers.columns]\n\"*\" = \"clear\"\n",
    ),
];

/// What somebody sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Own,
    /// And one record that is shared.
    OneMore,
    /// And those of a colleague.
    Both,
    All,
    /// The table is closed.
    Nothing,
}

/// What an answer must be, since when, and until when; `None` while that changes.
type Known = Option<(Seen, SystemTime, Option<SystemTime>)>;
type Truth = Arc<Mutex<Known>>;

#[derive(Clone)]
struct Race {
    truth: Truth,
    over: Arc<AtomicBool>,
    checked: Arc<AtomicU64>,
    wrong: Arc<Mutex<Vec<String>>>,
    /// The longest that an old answer was given after a change, in microseconds.
    latest: Arc<AtomicU64>,
    own: i64,
    colleague: i64,
    all: i64,
}

const CLOSED: &str = "closed";
const OVERTAKEN: &str =
    "E FATAL 57P01 terminating connection because your rights have changed while statements were waiting";

impl Race {
    fn now(&self) -> Known {
        let known = *self.truth.lock().unwrap();
        known.filter(|(_, _, until)| until.is_none_or(|until| SystemTime::now() < until))
    }

    /// One answer to a question that was asked at a moment.
    fn check(&self, way: usize, asked: SystemTime, before: Known, answer: &str) {
        let Some((seen, since, _)) = before.filter(|before| self.now() == Some(*before)) else {
            return;
        };
        let right = match seen {
            Seen::Own => self.own.to_string(),
            Seen::OneMore => (self.own + 1).to_string(),
            Seen::Both => (self.own + self.colleague).to_string(),
            Seen::All => self.all.to_string(),
            Seen::Nothing => CLOSED.to_owned(),
        };
        let Ok(after) = asked.duration_since(since) else { return };
        if answer != right {
            self.latest
                .fetch_max(u64::try_from(after.as_micros()).unwrap(), Ordering::Relaxed);
        }
        if after >= PROMISE {
            self.checked.fetch_add(1, Ordering::Relaxed);
            if answer != right {
                self.wrong.lock().unwrap().push(format!(
                    "way {way}: {answer} and not {right}, {after:?} after the change"
                ));
            }
        }
    }

    async fn open(port: u16, database: &str, way: usize) -> Raw {
        let more = [("database", database)];
        let mut raw = Raw::login(port, "alice", &data::password("alice"), &more)
            .await
            .unwrap();
        raw.send(&[command(&format!("P s | {COUNT}")), command("S")].concat())
            .await;
        raw.until_ready(1).await;
        if way % 4 == 1 {
            // PREPARE keeps a shared connection
            raw.query(&format!("prepare p as {COUNT}")).await;
        }
        raw
    }

    async fn ask(self, port: u16, database: String, way: usize) {
        let mut raw = Self::open(port, &database, way).await;
        while !self.over.load(Ordering::Relaxed) {
            let (asked, before) = (SystemTime::now(), self.now());
            let answers = match way % 4 {
                0 => raw.query(COUNT).await,
                1 => raw.query("execute p").await,
                2 => {
                    raw.send(&[command("B | s"), command("E"), command("S")].concat()).await;
                    raw.until_ready(1).await
                }
                _ => {
                    let batch: Vec<Vec<u8>> = (0..8)
                        .flat_map(|_| [command("B | s").to_vec(), command("E").to_vec()])
                        .collect();
                    raw.send(&[batch.concat(), command("S").to_vec()].concat()).await;
                    raw.until_ready(1).await
                }
            };
            // rights that change between Bind and Execute end the portal
            let ended = |line: &str| way % 4 > 1 && line.ends_with("since this cursor was opened");
            let mut seen = 0;
            for line in &answers {
                if let Some(row) = line.strip_prefix("D ") {
                    self.check(way, asked, before, row);
                } else if line.starts_with("E 42501 permission denied for table customers") {
                    self.check(way, asked, before, CLOSED);
                } else if line.starts_with("E ") && !(way % 4 > 1 && line == OVERTAKEN) {
                    assert!(line.starts_with("E 42501") && ended(line), "way {way}: {answers:?}");
                } else if !line.starts_with("E ") {
                    continue;
                }
                seen += 1;
            }
            assert!(seen > 0, "way {way}: {answers:?}");
            if answers.iter().any(|line| line == OVERTAKEN) {
                raw = Self::open(port, &database, way).await;
            }
        }
    }

    /// A change: nothing is known until it is committed.
    async fn change(&self, owner: &Client, sql: &str, seen: Seen) {
        self.change_until(owner, sql, seen, None).await;
    }

    async fn change_until(&self, owner: &Client, sql: &str, seen: Seen, until: Option<SystemTime>) {
        *self.truth.lock().unwrap() = None;
        owner
            .batch_execute(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        *self.truth.lock().unwrap() = Some((seen, SystemTime::now(), until));
    }
}

const COUNT: &str = "select count(*) from customers";
const NONE: &str = "DELETE FROM rowgate.rights";

/// What is given and what is seen by it, and how it is taken again.
const CHANGES: [(&str, Seen, &str); 7] = [
    (
        "INSERT INTO rowgate.rights (kind, login, table_name, operations, scope, until) VALUES ('grant', 'alice', 'customers', '{view}', 'all', now() + '1 h')",
        Seen::All,
        NONE,
    ),
    (
        "INSERT INTO rowgate.rights (kind, login, role, until) VALUES ('role', 'alice', 'auditor', now() + '1 h')",
        Seen::All,
        "INSERT INTO rowgate.rights (kind, role) VALUES ('suspension', 'auditor')",
    ),
    (
        "UPDATE crm.users SET roles = '{sales_manager}' WHERE login = 'alice'; NOTIFY rowgate_directory",
        Seen::All,
        "UPDATE crm.users SET roles = '{sales_rep}' WHERE login = 'alice'; NOTIFY rowgate_directory",
    ),
    // ends by itself
    (
        "INSERT INTO rowgate.rights (kind, login, role, until) VALUES ('role', 'alice', 'auditor', to_timestamp(UNTIL))",
        Seen::All,
        "",
    ),
    (
        "INSERT INTO rowgate.rights (kind, login, delegator, until) VALUES ('delegation', 'alice', 'hao', now() + '1 h')",
        Seen::Both,
        "INSERT INTO rowgate.rights (kind, login) VALUES ('suspension', 'hao')",
    ),
    (
        "INSERT INTO rowgate.rights (kind, login, table_name, record) SELECT 'share', 'alice', 'customers', ARRAY[min(id)::text] FROM customers WHERE owner_id = 37",
        Seen::OneMore,
        NONE,
    ),
    (
        "INSERT INTO rowgate.rights (kind, table_name) VALUES ('suspension', 'customers')",
        Seen::Nothing,
        NONE,
    ),
];

async fn number(owner: &Client, sql: &str) -> i64 {
    one(owner, sql).await.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_second_after_a_change_nobody_sees_by_the_old_rights() {
    let changes: usize = std::env::var("ROWGATE_RACE").map_or(14, |n| n.parse().unwrap());
    let database = Database::new().await;
    let owner = support::rights::prepared(&database).await;
    // PREPARE keeps two connections of each for good, and the others share what is left
    let shared = "[rights]\n[pool]\nmode = \"transaction\"\nsize = 5\n";
    let first = pool_wanted().map_or("[rights]\n", |_| shared);
    let gates = [
        Gate::with(&database, &FILES, first).await,
        Gate::with(&database, &FILES, shared).await,
    ];
    let race = Race {
        truth: Arc::default(),
        over: Arc::default(),
        checked: Arc::default(),
        wrong: Arc::default(),
        latest: Arc::default(),
        own: number(&owner, "SELECT count(*) FROM customers WHERE owner_id = 36").await,
        colleague: number(&owner, "SELECT count(*) FROM customers WHERE owner_id = 37").await,
        all: number(&owner, "SELECT count(*) FROM customers").await,
    };
    race.change(&owner, "SELECT 1", Seen::Own).await;
    let mut asking = Vec::new();
    for way in 0..CLIENTS {
        let port = gates[way / 4 % 2].port();
        asking.push(tokio::spawn(race.clone().ask(port, database.name.clone(), way)));
    }
    // long enough that every client asks after the promise has come due
    let due = PROMISE + Duration::from_millis(250);
    for change in 0..changes.div_ceil(2) {
        tokio::time::sleep(due).await;
        let (given, seen, taken) = CHANGES[change % CHANGES.len()];
        if given.contains("UNTIL") {
            let until = SystemTime::now() + Duration::from_millis(1_500);
            let seconds = until.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
            let sql = given.replace("UNTIL", &format!("{seconds:.6}"));
            race.change_until(&owner, &sql, seen, Some(until)).await;
            // on a busy machine it may be over already
            tokio::time::sleep(until.duration_since(SystemTime::now()).unwrap_or_default()).await;
            *race.truth.lock().unwrap() = Some((Seen::Own, until, None));
        } else {
            race.change(&owner, given, seen).await;
            tokio::time::sleep(due).await;
            race.change(&owner, taken, Seen::Own).await;
        }
        if taken.contains("suspension") {
            // what is suspended and what was given end together, so that nothing shows meanwhile
            tokio::time::sleep(due).await;
            race.change(&owner, NONE, Seen::Own).await;
        }
    }
    tokio::time::sleep(due).await;
    race.over.store(true, Ordering::Relaxed);
    for one in asking {
        one.await.unwrap();
    }
    let wrong = race.wrong.lock().unwrap().clone();
    let checked = race.checked.load(Ordering::Relaxed);
    let latest = Duration::from_micros(race.latest.load(Ordering::Relaxed));
    println!(
        "{changes} changes, {checked} answers after the promise came due, the latest old one {latest:?} after a change"
    );
    assert!(
        wrong.is_empty(),
        "{} violations: {:?}",
        wrong.len(),
        &wrong[..wrong.len().min(5)]
    );
    assert!(
        checked >= u64::try_from(CLIENTS * changes).unwrap(),
        "{checked} answers prove nothing"
    );
    for gate in gates {
        gate.stop().await;
    }
}
