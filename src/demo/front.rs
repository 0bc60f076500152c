//! rowgate inside this process: what `rowgate serve` runs, on a configuration made on the spot.

use crate::config::Config;
use crate::keeper::{Keeper, Source};
use crate::server::{self, Server};
use crate::session::Shared;
use crate::world::WorldHandle;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The database behind, as rowgate's own role sees it.
#[derive(Debug, Clone)]
pub struct Behind {
    /// A name, an address or a socket directory.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database, with the demonstration's roles in it.
    pub database: String,
}

/// A running rowgate on 127.0.0.1.
pub struct Front {
    port: u16,
    metrics_port: Option<u16>,
    world: WorldHandle,
    shared: Arc<Shared>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
    keeping: JoinHandle<()>,
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Front {
    /// Starts it with the policies of a directory; port 0 takes any free one.
    pub async fn start(behind: &Behind, policies: &Path, port: u16) -> Result<Self, String> {
        Self::with_config(configuration(behind, policies, port)?).await
    }

    /// Starts it with a configuration of the caller's.
    pub async fn with_config(config: Config) -> Result<Self, String> {
        let keeper = Keeper::begin(Source::from_config(&config)?).await.map_err(lines)?;
        let world = keeper.handle();
        let server = Server::open(config, world.clone()).await?;
        let (port, metrics_port) = (server.port(), server.metrics_port());
        let shared = Arc::clone(server.shared());
        let (stop, stopped) = oneshot::channel();
        Ok(Self {
            port,
            metrics_port,
            world,
            shared,
            stop,
            keeping: tokio::spawn(keeper.recording().run()),
            serving: tokio::spawn(server.run(async {
                // stopped by a word or by the end of whoever could say it
                let _ = stopped.await;
            })),
        })
    }

    /// The port that clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port that metrics are served on.
    pub fn metrics_port(&self) -> Option<u16> {
        self.metrics_port
    }

    /// The world that it judges under.
    pub fn world(&self) -> &WorldHandle {
        &self.world
    }

    /// What SIGHUP does, with another configuration.
    pub async fn reload(&self, config: Result<Config, String>) {
        server::reload(&self.shared, config).await;
    }

    /// Ends it; running statements may end first.
    pub async fn stop(self) {
        drop(self.stop);
        // a server that ended by itself has nothing left to stop
        let _ = self.serving.await;
        self.keeping.abort();
    }
}

/// What the demonstration is served with.
pub fn configuration(behind: &Behind, policies: &Path, port: u16) -> Result<Config, String> {
    let policies = std::path::absolute(policies).map_err(|e| format!("{}: {e}", policies.display()))?;
    if !policies.is_dir() {
        return Err(format!(
            "there are no policies at {}; name their directory with --policies",
            policies.display()
        ));
    }
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let text = format!(
        "[listen]\nport = {port}\n\
         [upstream]\nhost = {}\nport = {}\ndatabase = {}\nuser = \"rowgate\"\npassword = {}\n\
         [policies]\ndirectory = {}\n\
         [login]\nauth_query = \"SELECT login, verifier FROM rowgate.verifier($1)\"\n\
         [audit]\noutput = \"off\"\n\
         [limits]\nshutdown_timeout = \"1s\"\n",
        quoted(&behind.host),
        behind.port,
        quoted(&behind.database),
        quoted(&super::data::password("rowgate")),
        quoted(&policies.to_string_lossy()),
    );
    Config::parse("the demonstration's configuration", &text, Path::new(""))
        .map_err(|errors| errors.iter().map(lines).collect::<Vec<_>>().join("\n"))
}

fn lines(error: impl fmt::Display) -> String {
    error.to_string()
}
