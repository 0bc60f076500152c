//! The servers of a run: a throwaway PostgreSQL with the demonstration's data and canaries, and rowgate in front of it.

use crate::dprime::CANARIES;
use crate::wire::{Address, Client};
use rowgate::cluster::{Cluster, SUPERUSER, free_port};
use rowgate::demo::data::{self, Scale};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio_postgres::NoTls;

/// D: what everybody's own database is copied from, and what rowgate stands before.
pub const WHOLE: &str = "asif_d";
/// The same, kept free of connections, to copy from while rowgate stands before D.
pub const TEMPLATE: &str = "asif_t";
/// rowgate's role on the server.
pub const READER: &str = "rowgate";
const SUPERUSER_PASSWORD: &str = "asif";
/// 60 customers, 180 contacts, 120 opportunities, 60 contracts, 240 service records.
const SCALE: f64 = 0.03;

/// Somebody who may log in and has no right at all.
const VISITOR: &str = "INSERT INTO crm.users VALUES (61, 'visitor', 'Visitor Nobody', '{visitor}', 18, NULL, \
    'visitor@example.com', '2020-01-01', true); CREATE ROLE visitor LOGIN PASSWORD 'visitor-demo'; ANALYZE;";

/// What statistics say of the tables through which others show is that of a large CRM, so that all the words that rowgate has
/// for a scope are put to use: who sees much gets other ones, and so does a list with an end.
const LARGE: &str = "ALTER TABLE customers SET (autovacuum_enabled = off); \
    ALTER TABLE customers ALTER owner_id SET (n_distinct = 48), ALTER team_id SET (n_distinct = 15); \
    ALTER TABLE customer_members SET (autovacuum_enabled = off); ANALYZE customers, customer_members; \
    UPDATE pg_class SET reltuples = 100000 WHERE oid = 'customers'::regclass; \
    UPDATE pg_class SET reltuples = 30000 WHERE oid = 'customer_members'::regclass;";

/// A server, its data, and what keeps it alive.
pub struct Stage {
    pub superuser: Address,
    _cluster: Cluster,
}

async fn connect(cluster: &Cluster, database: &str) -> Result<tokio_postgres::Client, String> {
    let (client, connection) = cluster
        .superuser(database)
        .connect(NoTls)
        .await
        .map_err(|e| e.to_string())?;
    tokio::spawn(connection);
    Ok(client)
}

async fn fill(cluster: &Cluster) -> Result<(), String> {
    let say = |e: tokio_postgres::Error| format!("{e:?}");
    let admin = connect(cluster, "postgres").await?;
    admin
        .batch_execute(&format!("CREATE DATABASE {WHOLE}"))
        .await
        .map_err(say)?;
    let mut client = connect(cluster, WHOLE).await?;
    data::fill(&mut client, Scale::new(SCALE).expect("a scale"))
        .await
        .map_err(|e| e.to_string())?;
    client.batch_execute(CANARIES).await.map_err(say)?;
    client.batch_execute(VISITOR).await.map_err(say)?;
    client.batch_execute(LARGE).await.map_err(say)?;
    drop(client);
    copy_of_whole(&admin).await?;
    admin
        .batch_execute(&format!("ALTER ROLE {SUPERUSER} PASSWORD '{SUPERUSER_PASSWORD}'"))
        .await
        .map_err(say)
}

/// The connection that filled D takes a moment to end.
async fn copy_of_whole(admin: &tokio_postgres::Client) -> Result<(), String> {
    for _ in 0..100 {
        let copied = admin
            .batch_execute(&format!("CREATE DATABASE {TEMPLATE} TEMPLATE {WHOLE}"))
            .await;
        match copied {
            Ok(()) => return Ok(()),
            Err(e) if e.code() == Some(&tokio_postgres::error::SqlState::OBJECT_IN_USE) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(e) => return Err(format!("{e:?}")),
        }
    }
    Err(format!("{WHOLE} stays in use"))
}

impl Stage {
    /// Starts the server; the data comes from a cache from the second time on.
    pub fn set() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let key = format!(
            "asif with a template\n{CANARIES}{VISITOR}{LARGE}{}",
            data::sql(Scale::new(SCALE).expect("a scale"))
        );
        let cluster = runtime
            .block_on(Cluster::start(&key, async |cluster| fill(cluster).await))
            .expect("a throwaway PostgreSQL");
        let superuser = Address {
            host: "127.0.0.1".into(),
            port: cluster.port(),
            user: SUPERUSER.into(),
            password: SUPERUSER_PASSWORD.into(),
            database: "postgres".into(),
        };
        Self {
            superuser,
            _cluster: cluster,
        }
    }

    /// D itself, as rowgate's role.
    pub fn whole(&self) -> Address {
        Address {
            database: WHOLE.into(),
            user: READER.into(),
            password: data::password(READER),
            ..self.superuser.clone()
        }
    }
}

/// A running `rowgate serve`. Dropping it ends it.
pub struct Server {
    child: Child,
    port: u16,
    directory: tempfile::TempDir,
    database: String,
}

/// The shipped policies.
pub fn shipped_policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
}

/// A copy of them, to be changed.
pub fn copied_policies() -> tempfile::TempDir {
    let own = tempfile::tempdir().expect("a directory");
    for part in ["", "roles"] {
        std::fs::create_dir_all(own.path().join(part)).expect("a directory");
        for file in std::fs::read_dir(shipped_policies().join(part)).expect("the shipped policies") {
            let file = file.expect("a file").path();
            if let (true, Some(name)) = (file.is_file(), file.file_name()) {
                std::fs::copy(&file, own.path().join(part).join(name)).expect("a copy");
            }
        }
    }
    own
}

/// Every run can be made with shared connections and with another cache: `ROWGATE_POOL` and `ROWGATE_CACHE` hold lines
/// for these sections of the configuration.
fn wanted_sections() -> String {
    [("pool", "ROWGATE_POOL"), ("cache", "ROWGATE_CACHE")]
        .into_iter()
        .filter_map(|(section, name)| Some(format!("[{section}]\n{}\n", std::env::var(name).ok()?)))
        .collect()
}

impl Server {
    /// Starts rowgate before D under these policies.
    pub fn start(stage: &Stage, policies: &Path) -> Self {
        Self::before(stage, WHOLE, policies)
    }

    /// Starts rowgate before any database of the stage.
    pub fn before(stage: &Stage, database: &str, policies: &Path) -> Self {
        Self::configured(stage, database, policies, &wanted_sections())
    }

    /// Starts rowgate with further sections in its configuration.
    pub fn configured(stage: &Stage, database: &str, policies: &Path, more: &str) -> Self {
        let port = free_port().expect("a port");
        let directory = tempfile::tempdir().expect("a directory");
        let config = format!(
            "[listen]\naddress = \"127.0.0.1\"\nport = {port}\n[upstream]\nhost = \"127.0.0.1\"\nport = {}\ndatabase = \"{database}\"\n\
             user = \"{READER}\"\npassword = \"{}\"\nsslmode = \"disable\"\n[policies]\ndirectory = \"{}\"\n[login]\nmethod = \"upstream\"\n\
             auth_query = \"SELECT login, verifier FROM rowgate.verifier($1)\"\n[audit]\noutput = \"off\"\n[limits]\nmax_connections = 150\n{more}",
            stage.superuser.port,
            data::password(READER),
            policies.display(),
        );
        let path = directory.path().join("rowgate.toml");
        std::fs::write(&path, config).expect("a configuration");
        let log = std::fs::File::create(directory.path().join("log")).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_rowgate"))
            .arg("serve")
            .arg("--config")
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("rowgate");
        let mut server = Self {
            child,
            port,
            directory,
            database: database.to_owned(),
        };
        server.wait_until_ready();
        server
    }

    fn wait_until_ready(&mut self) {
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.child.try_wait().expect("a child");
            assert!(
                ended.is_none() && started.elapsed() < Duration::from_secs(120),
                "rowgate does not serve: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().expect("a child")
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// How somebody logs in.
    pub fn login(&self, login: &str) -> Address {
        Address {
            host: "127.0.0.1".into(),
            port: self.port,
            user: login.into(),
            password: data::password(login),
            database: self.database.clone(),
        }
    }

    /// A connection of somebody's.
    pub fn connect(&self, login: &str) -> std::io::Result<Client> {
        Client::connect(&self.login(login))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // it may have ended already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
