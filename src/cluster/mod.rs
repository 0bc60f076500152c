//! A throwaway PostgreSQL: made from the binaries of this machine, alive as long as its [`Cluster`], gone without a trace after.
//!
//! Both `rowgate demo` and the tests run on one. It listens on a free port of 127.0.0.1 (passwords by SCRAM) and
//! on a socket in a directory that only its own account can enter (no password). Whatever ends the process that
//! holds it (an error, Ctrl-C, SIGKILL), a keeper beside it notices, stops the server and removes its files.

mod account;
mod binaries;
mod cache;
mod keeper;

use account::Account;
use binaries::Binaries;
use keeper::Keeper;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// The superuser of every throwaway cluster.
pub const SUPERUSER: &str = "postgres";

const START_PATIENCE: Duration = Duration::from_secs(60);
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no throwaway PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No server binaries on this machine.
    #[error(
        "no PostgreSQL server was found on the PATH or where distributions put it\n\
         install one (apt-get install postgresql), or name its directory of programs in ROWGATE_POSTGRES"
    )]
    NoBinaries,
    /// Running as root, and there is no other account to run the server under.
    #[error("PostgreSQL does not run as root, and this machine has neither an account \"postgres\" nor \"nobody\"")]
    NoAccount,
    /// A program that it takes failed.
    #[error("{program} failed: {output}")]
    Program {
        /// Which.
        program: String,
        /// What it said.
        output: String,
    },
    /// The server did not come up.
    #[error("PostgreSQL did not start: {0}")]
    Start(String),
    /// The data could not be filled in.
    #[error("filling the database failed: {0}")]
    Fill(String),
    /// A file or a process could not be handled.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// A running PostgreSQL server. Dropping it stops the server and removes every file of it.
#[derive(Debug)]
pub struct Cluster {
    keeper: Keeper,
    server: Child,
    port: u16,
    version: String,
}

impl Cluster {
    /// Starts a server whose data `fill` has made. What it made is kept in a cache under `key` and the server's
    /// version, so that the next start with the same key copies files instead.
    pub async fn start<E: std::fmt::Display>(
        key: &str,
        fill: impl AsyncFnOnce(&Cluster) -> Result<(), E>,
    ) -> Result<Self, ClusterError> {
        let account = Account::for_server()?;
        let binaries = Binaries::newest()?;
        let keeper = Keeper::new(&account)?;
        let cached = cache::Entry::of(&account, &binaries.version, key);
        if cached.restore(&account, &keeper.data()) {
            return Self::serve(&account, &binaries, keeper);
        }

        initdb(&account, &binaries, &keeper.data())?;
        let mut fresh = Self::serve(&account, &binaries, keeper)?;
        fill(&fresh).await.map_err(|e| ClusterError::Fill(e.to_string()))?;
        run(account
            .command(binaries.path("pg_ctl"))
            .args(["stop", "-w", "-s", "-m", "fast", "-D"])
            .arg(fresh.keeper.data()))?;
        fresh.server.wait()?;
        cached.store(&account, &fresh.keeper.data());
        fresh.server = spawn_server(&account, &binaries, &fresh.keeper, fresh.port)?;
        fresh.wait_until_ready()?;
        Ok(fresh)
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory of the Unix socket.
    pub fn socket_directory(&self) -> &Path {
        self.keeper.directory()
    }

    /// The server's version as it prints it, such as `15.4`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How to connect to `database` as superuser.
    pub fn superuser(&self, database: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config
            .host_path(self.socket_directory())
            .port(self.port)
            .user(SUPERUSER)
            .dbname(database)
            .application_name("rowgate cluster");
        config
    }

    fn serve(account: &Account, binaries: &Binaries, keeper: Keeper) -> Result<Self, ClusterError> {
        let port = free_port()?;
        let server = spawn_server(account, binaries, &keeper, port)?;
        let mut cluster = Self {
            keeper,
            server,
            port,
            version: binaries.version.clone(),
        };
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    fn wait_until_ready(&mut self) -> Result<(), ClusterError> {
        let started = Instant::now();
        loop {
            // the eighth line of this file is the server's own word on its state
            let state = std::fs::read_to_string(self.keeper.data().join("postmaster.pid")).unwrap_or_default();
            if state.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                return Ok(());
            }
            if self.server.try_wait()?.is_some() || started.elapsed() > START_PATIENCE {
                return Err(ClusterError::Start(self.keeper.log_tail()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.keeper.release();
        let asked = Instant::now();
        // the keeper stops it, unless somebody has taken its files away
        while matches!(self.server.try_wait(), Ok(None)) {
            if asked.elapsed() > STOP_PATIENCE {
                // one that has ended at this very moment cannot be killed, which is as well
                let _ = self.server.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.keeper.wait();
    }
}

fn spawn_server(account: &Account, binaries: &Binaries, keeper: &Keeper, port: u16) -> Result<Child, ClusterError> {
    let log = keeper.open_log()?;
    Ok(account
        .command(binaries.path("postgres"))
        .arg("-D")
        .arg(keeper.data())
        .arg("-k")
        .arg(keeper.directory())
        .args(["-h", "127.0.0.1", "-p", &port.to_string()])
        .args(SETTINGS.iter().flat_map(|setting| ["-c", setting]))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?)
}

/// Its data need not outlive a crash, and two runs must not differ by the machine's time zone.
const SETTINGS: [&str; 7] = [
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "max_connections=200",
    "timezone=UTC",
    "log_timezone=UTC",
    "unix_socket_permissions=0700",
];

fn initdb(account: &Account, binaries: &Binaries, data: &Path) -> Result<(), ClusterError> {
    let with_locale = |locale: &[&str]| {
        run(account
            .command(binaries.path("initdb"))
            .arg("-D")
            .arg(data)
            .args(["-U", SUPERUSER, "-E", "UTF8", "--no-sync", "--no-instructions"])
            .args(["--auth-local=trust", "--auth-host=scram-sha-256"])
            .args(locale))
    };
    // not every system has C.UTF-8, under which upper and lower know more than ASCII
    with_locale(&["--locale=C", "--lc-ctype=C.UTF-8"]).or_else(|_| with_locale(&["--locale=C"]))
}

fn run(command: &mut std::process::Command) -> Result<(), ClusterError> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(ClusterError::Program {
        program: PathBuf::from(command.get_program())
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
        output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// A port that nobody listens on at this moment.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
