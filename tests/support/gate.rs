//! rowgate in front of a test's database, in this process.

use super::raw::PATIENCE;
use super::{Database, data};
use rowgate::config::{Config, PoolConfig};
use rowgate::demo::front::Front;
use std::path::Path;
use std::time::{Duration, Instant};

/// Everything open to everybody who is in the demonstration's directory.
pub const OPEN_POLICY: &[(&str, &str)] = &[
    ("tables.toml", "[defaults]\nunprotected = \"open\"\n"),
    (
        "directory.toml",
        "[directory]\nusers = \"SELECT login, user_id, 'open'::text AS role, team_id, manager_id, active FROM crm.users\"\n",
    ),
    (
        "roles/open.toml",
        "title = \"Everything\"\n[rights]\nexplain = true\ntemp_tables = true\nlisten = [\"ch\"]\nnotify = [\"ch\"]\nsleep = true\n",
    ),
];

/// A directory in which everybody is a representative: the role `rep`.
pub const REPRESENTATIVES: (&str, &str) = (
    "directory.toml",
    "[directory]\nusers = \"SELECT login, user_id, 'rep'::text AS role, team_id, manager_id, active FROM crm.users\"\n",
);

/// A running rowgate and the directory of its files.
pub struct Gate {
    front: Front,
    pub files: tempfile::TempDir,
}

impl Gate {
    /// With policy files given by name and text.
    pub async fn start(database: &Database, policies: &[(&str, &str)]) -> Self {
        Self::with(database, policies, "").await
    }

    /// With more lines for the configuration; `DIR` in them stands for the directory of its files.
    pub async fn with(database: &Database, policies: &[(&str, &str)], more: &str) -> Self {
        Self::with_changed(database, policies, more, |_| ()).await
    }

    /// With what stands in sections that every configuration has already.
    pub async fn with_changed(
        database: &Database,
        policies: &[(&str, &str)],
        more: &str,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let files = tempfile::tempdir().unwrap();
        for (name, text) in policies {
            let path = files.path().join("policies").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let mut config = config(database, files.path(), more);
        change(&mut config);
        Self {
            front: Front::with_config(config).await.unwrap(),
            files,
        }
    }

    /// With another `[login]` section.
    pub async fn with_login(database: &Database, policies: &[(&str, &str)], login: &str) -> Self {
        Self::with(database, policies, &format!("[login]\n{login}")).await
    }

    pub fn port(&self) -> u16 {
        self.front.port()
    }

    pub fn metrics_port(&self) -> u16 {
        self.front.metrics_port().unwrap()
    }

    pub fn world(&self) -> &rowgate::world::WorldHandle {
        self.front.world()
    }

    /// Puts in force what other lines say of logins, as SIGHUP does.
    pub async fn reload(&self, database: &Database, more: &str) {
        let config = config(database, self.files.path(), more);
        self.front.reload(Ok(config)).await;
    }

    /// The record in `audit.jsonl`, as soon as this stands in it; its lines are written in their order, by a thread of
    /// their own.
    pub async fn audited(&self, what: &str) -> String {
        let begun = Instant::now();
        loop {
            let text = std::fs::read_to_string(self.files.path().join("audit.jsonl")).unwrap();
            if text.contains(what) && text.ends_with('\n') {
                return text;
            }
            assert!(begun.elapsed() < PATIENCE, "{what} is not in {text}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops it; its files stay as long as what this gives.
    pub async fn stopped(self) -> tempfile::TempDir {
        self.front.stop().await;
        self.files
    }

    pub async fn stop(self) {
        self.front.stop().await;
    }
}

/// A configuration for a test's database.
pub fn config(database: &Database, directory: &Path, more: &str) -> Config {
    let audit = if more.contains("[audit]") {
        ""
    } else {
        "[audit]\noutput = \"off\"\n"
    };
    let login = if more.contains("[login]") {
        ""
    } else {
        "[login]\nauth_query = \"SELECT login, verifier FROM rowgate.verifier($1)\"\n"
    };
    let text = format!(
        "[listen]\nport = 0\n[upstream]\nhost = \"127.0.0.1\"\nport = {}\ndatabase = \"{}\"\nuser = \"rowgate\"\n\
         password = \"{}\"\n{login}{audit}{}",
        database.cluster.port(),
        database.name,
        data::password("rowgate"),
        more.replace("DIR", &directory.to_string_lossy()),
    );
    let mut config = Config::parse("test", &text, directory).unwrap_or_else(|e| panic!("{e:?}"));
    let wanted = |section, name| wanted(section, name).filter(|_| !more.contains(&format!("[{section}]")));
    if let Some(wanted) = wanted("pool", "ROWGATE_POOL") {
        config.pool = wanted.pool;
    }
    if let Some(wanted) = wanted("cache", "ROWGATE_CACHE") {
        config.cache = wanted.cache;
    }
    config
}

/// The connections that every suite shall share, if it is to be so.
pub fn pool_wanted() -> Option<PoolConfig> {
    Some(wanted("pool", "ROWGATE_POOL")?.pool)
}

/// Every suite can be run with shared connections or another cache: these variables hold lines for the section.
fn wanted(section: &str, name: &str) -> Option<Config> {
    let lines = std::env::var(name).ok()?;
    let text = format!("[upstream]\nhost = \"x\"\ndatabase = \"x\"\nuser = \"x\"\n[{section}]\n{lines}\n");
    Some(Config::parse(name, &text, Path::new("")).unwrap_or_else(|e| panic!("{e:?}")))
}
