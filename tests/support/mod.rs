//! What tests share: one throwaway PostgreSQL per test binary with the demonstration's data, a database of its own per test.

#![allow(
    dead_code,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod gate;
pub mod policies;
pub mod proofs;
pub mod raw;
pub mod relay;
pub mod rights;
pub mod slapd;
pub mod stages;

use rowgate::cluster::Cluster;
pub use rowgate::demo::data;
use rowgate::demo::data::Scale;
use rowgate::demo::front::{Behind, Front, configuration};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, Config, NoTls};

/// 100 customers, 300 contacts, 200 opportunities, 100 contracts, 400 service records; alice owns 7 customers.
pub const SCALE: f64 = 0.05;

/// The database that each test's own is copied from. Nobody may be connected to it.
const TEMPLATE: &str = "crm_template";

/// The server of this test binary. It goes when the process ends, however it ends.
pub async fn cluster() -> &'static Cluster {
    static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
    CLUSTER.get_or_init(start).await
}

async fn start() -> Cluster {
    let scale = Scale::new(SCALE).unwrap();
    let key = format!("tests\n{}", data::sql(scale));
    Cluster::start(&key, async |cluster| {
        let admin = connect(&cluster.superuser("postgres")).await;
        admin
            .batch_execute(&format!("CREATE DATABASE {TEMPLATE}"))
            .await
            .map_err(|e| e.to_string())?;
        let mut client = connect(&cluster.superuser(TEMPLATE)).await;
        data::fill(&mut client, scale).await.map_err(|e| e.to_string())
    })
    .await
    .expect("a throwaway PostgreSQL")
}

/// A database of a test's own, filled with the demonstration's data.
pub struct Database {
    pub name: String,
    pub cluster: &'static Cluster,
}

impl Database {
    /// A fresh copy, which takes some 50 ms.
    pub async fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let cluster = cluster().await;
        let name = format!("crm_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        connect(&cluster.superuser("postgres"))
            .await
            .batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}"))
            .await
            .expect("a copy of the template");
        Self { name, cluster }
    }

    /// A superuser's connection, past rowgate.
    pub async fn superuser(&self) -> Client {
        connect(&self.cluster.superuser(&self.name)).await
    }

    /// A rowgate of its own in front of it, with the shipped policies.
    pub async fn rowgate(&self) -> Front {
        self.rowgate_with(&shipped("policies")).await
    }

    /// The same with the policies of another directory.
    pub async fn rowgate_with(&self, policies: &Path) -> Front {
        let behind = Behind {
            host: "127.0.0.1".to_owned(),
            port: self.cluster.port(),
            database: self.name.clone(),
        };
        let mut config = configuration(&behind, policies, 0).unwrap();
        if let Some(pool) = gate::pool_wanted() {
            config.pool = pool;
        }
        Front::with_config(config).await.unwrap_or_else(|e| panic!("{e}"))
    }

    /// Somebody of the demonstration, connected through rowgate.
    pub async fn through(&self, front: &Front, login: &str) -> Client {
        connect(&login_at(front.port(), login, &self.name)).await
    }

    /// How somebody logs in straight to PostgreSQL, past rowgate, over TCP.
    pub fn straight(&self, login: &str) -> Config {
        login_at(self.cluster.port(), login, &self.name)
    }
}

/// A table that nobody else gets at.
pub struct Locked {
    holder: Client,
    locks: String,
}

impl Database {
    /// Keeps a table from everybody.
    pub async fn lock(&self, table: &str) -> Locked {
        let holder = self.superuser().await;
        let lock = format!("BEGIN; LOCK TABLE {table}");
        holder.batch_execute(&lock).await.expect("a lock");
        let locks = format!(
            "SELECT count(*) FROM pg_locks WHERE relation = '{table}'::regclass
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        );
        Locked { holder, locks }
    }
}

impl Locked {
    /// Until somebody waits for it.
    pub async fn until_wanted(&self) {
        until(&self.holder, &format!("{} AND NOT granted", self.locks), "1").await;
    }

    /// Gives it to whoever waits, and waits until they have done with it.
    pub async fn let_go(self) {
        self.holder.batch_execute("COMMIT").await.expect("an end");
        until(&self.holder, &self.locks, "0").await;
    }
}

/// Until this query gives this.
pub async fn until(client: &Client, sql: &str, wanted: &str) {
    let begun = Instant::now();
    loop {
        let found = one(client, sql).await;
        if found == wanted {
            return;
        }
        assert!(begun.elapsed() < raw::PATIENCE, "{sql}: {found}, not {wanted}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Until a statement sleeps in the database, or none does any more.
pub async fn until_sleeping(database: &Database, sleeping: bool) {
    let sql = "SELECT count(*) > 0 FROM pg_stat_activity
               WHERE datname = current_database() AND state = 'active' AND query LIKE '%sleep%' AND pid <> pg_backend_pid()";
    until(&database.superuser().await, sql, if sleeping { "t" } else { "f" }).await;
}

/// A file or directory of the repository.
pub fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// How somebody of the demonstration logs in to a server on 127.0.0.1.
pub fn login_at(port: u16, login: &str, database: &str) -> Config {
    let mut config = Config::new();
    config
        .host("127.0.0.1")
        .port(port)
        .user(login)
        .password(data::password(login))
        .dbname(database);
    config
}

/// A connection whose background task ends with it.
pub async fn connect(config: &Config) -> Client {
    try_connect(config).await.expect("a connection")
}

/// The same, for logins that may be refused.
pub async fn try_connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The first column of the first row of a query, as text.
pub async fn one(client: &Client, sql: &str) -> String {
    rows(client, sql).await[0][0].clone().unwrap_or_default()
}

/// The rows of a query sent by the simple protocol, every value as text.
pub async fn rows(client: &Client, sql: &str) -> Vec<Vec<Option<String>>> {
    let messages = client
        .simple_query(sql)
        .await
        .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    messages
        .iter()
        .filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(
                (0..row.len())
                    .map(|column| row.get(column).map(str::to_owned))
                    .collect(),
            ),
            _ => None,
        })
        .collect()
}

/// The SQLSTATE and message of a statement that must fail.
pub async fn failure(client: &Client, sql: &str) -> (String, String) {
    let error = client
        .simple_query(sql)
        .await
        .err()
        .unwrap_or_else(|| panic!("went through: {sql}"));
    let said = error.as_db_error().unwrap_or_else(|| panic!("{sql}: {error:?}"));
    (said.code().code().to_owned(), said.message().to_owned())
}
