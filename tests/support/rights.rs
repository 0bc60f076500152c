//! Temporary rights in a test's database: the schema made by its owner, rights put there as any instance would.

use super::gate::Gate;
use super::{Database, data};
use rowgate::rights::schema;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// Makes the schema; gives a connection of its owner.
pub async fn prepared(database: &Database) -> Client {
    let mut owner = database.superuser().await;
    schema::prepare(&mut owner, "rowgate", false).await.unwrap();
    owner
}

/// A place with a configuration for commands.
pub fn configured(database: &Database, more: &str) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let text = format!(
        "[upstream]\nhost = \"127.0.0.1\"\nport = {}\ndatabase = \"{}\"\nuser = \"rowgate\"\npassword = \"{}\"\n\
         [policies]\ndirectory = \"{}/policies\"\n{more}",
        database.cluster.port(),
        database.name,
        data::password("rowgate"),
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::write(place.path().join("rowgate.toml"), text).unwrap();
    place
}

/// What a command of rowgate's says there, with a line on standard input: did it go well?
pub fn command(place: &Path, arguments: &[&str], input: &str) -> (bool, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rowgate"))
        .current_dir(place)
        .args(arguments)
        .env("USER", "dora")
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // whoever is refused before may not read it
    let _ = writeln!(child.stdin.take().unwrap(), "{input}");
    let done = child.wait_with_output().unwrap();
    let said = [done.stderr, done.stdout].map(|bytes| String::from_utf8(bytes).unwrap());
    (done.status.success(), said.concat().trim().to_owned())
}

impl Gate {
    /// Until the world is another one than that of this generation.
    pub async fn after(&self, generation: u64) {
        self.until("another world", |world| world.generation > generation).await;
    }

    /// Until the world is like this; the promise is one second.
    pub async fn until(&self, what: &str, holds: impl Fn(&rowgate::world::World) -> bool) {
        let begun = Instant::now();
        let mut changed = self.world().watch();
        while !holds(&self.world().current()) {
            let left = Duration::from_secs(1).checked_sub(begun.elapsed());
            let left = left.unwrap_or_else(|| panic!("not within a second: {what}"));
            let _ = tokio::time::timeout(left, changed.changed()).await;
        }
    }

    /// Carries out a statement on the schema and waits until it is in force.
    pub async fn change(&self, owner: &Client, sql: &str) {
        let generation = self.world().current().generation;
        owner
            .batch_execute(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        self.after(generation).await;
    }
}
