//! The server: listens, bounds, and stops cleanly.

use crate::admin;
use crate::audit::Audit;
use crate::backend::{Connector, Pool};
use crate::config::{Config, PoolMode};
use crate::keeper::Source;
use crate::login::used::Used;
use crate::login::{Lockout, Place, decoy, totp};
use crate::net::Stream;
use crate::session::{self, Arrivals, Cancels, Shared, prepare_socket};
use crate::world::WorldHandle;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, UNIX_EPOCH};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// Connections to the database beyond those of sessions, for auth queries.
const SPARE_UPSTREAM: usize = 4;

/// Everything that is open before the first client comes.
pub struct Server {
    shared: Arc<Shared>,
    tcp: TcpListener,
    unix: Option<UnixListener>,
    side_door: Option<TcpListener>,
    stop: watch::Sender<bool>,
    arrivals: Arc<Arrivals>,
    sessions: TaskTracker,
}

impl Server {
    /// Opens sockets, files and the pool; nothing is accepted yet.
    pub async fn open(config: Config, world: WorldHandle) -> Result<Self, String> {
        let connector = Arc::new(Connector::new(config.upstream.clone())?);
        let size = match config.pool.mode {
            PoolMode::Session => config.limits.max_connections as usize + SPARE_UPSTREAM,
            PoolMode::Transaction => config.pool.size,
        };
        let pool = Pool::new(Arc::clone(&connector), size)?;
        let address = format!("{}:{}", config.listen.address, config.listen.port);
        let tcp = TcpListener::bind(&address)
            .await
            .map_err(|e| format!("cannot listen on {address}: {e}"))?;
        let unix = match &config.listen.unix_socket {
            None => None,
            Some(path) => {
                // a socket that a server which is gone has left behind
                if std::os::unix::net::UnixStream::connect(path).is_err() {
                    let _ = std::fs::remove_file(path);
                }
                Some(UnixListener::bind(path).map_err(|e| format!("cannot listen on {}: {e}", path.display()))?)
            }
        };
        let side_door = match &config.metrics {
            None => None,
            Some(address) => {
                let bound = TcpListener::bind(address).await;
                Some(bound.map_err(|e| format!("cannot listen on {address} for metrics: {e}"))?)
            }
        };
        let doors = session::Doors::open(&config, None).await?;
        let mock_secret = decoy::secret(config.login.decoy_key.as_deref(), config.tls.key.as_deref())?;
        let arrivals = Arc::new(Arrivals::new(config.limits.max_connections));
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            audit: Audit::open(config.audit.clone())?,
            doors: ArcSwap::from_pointee(doors),
            judgements: session::Judgements::new(config.cache),
            desk: Source::from_config(&config)?.desk(&world),
            lockout: Lockout::new(config.login.lockout),
            used: Used::default(),
            config,
            world,
            pool,
            connector,
            cancels: Cancels::default(),
            mock_secret,
            mock_totp: totp::new_secret(),
            stop: stopped,
            alarms: session::Alarms::default(),
            violations: session::Probes::default(),
            running: session::Running::default(),
            counters: session::Counters::default(),
            shares: session::Shares::default(),
            known_settings: session::Known::default(),
            known_parameters: session::Known::default(),
            known_views: session::Known::default(),
            sessions: AtomicU64::new(0),
        });
        Ok(Self {
            shared,
            tcp,
            unix,
            side_door,
            stop,
            arrivals,
            sessions: TaskTracker::new(),
        })
    }

    /// The port that metrics are served on.
    pub fn metrics_port(&self) -> Option<u16> {
        self.side_door.as_ref()?.local_addr().ok().map(|a| a.port())
    }

    /// The port that clients connect to.
    pub fn port(&self) -> u16 {
        self.tcp.local_addr().map_or(0, |a| a.port())
    }

    /// What the sessions share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Serves until `stop` is done; then lets running statements end, within the configured time.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let idle = self.shared.config.upstream.idle_timeout;
        let janitor = tokio::spawn(self.shared.pool.clone().close_idle(idle));
        if let Some(listener) = self.side_door.take() {
            tokio::spawn(admin::serve(listener, Arc::clone(&self.shared)));
        }
        let ringer = tokio::spawn(ring(Arc::clone(&self.shared)));
        tokio::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = self.tcp.accept() => match accepted {
                    Ok((tcp, address)) => {
                        if prepare_socket(&tcp).is_ok() {
                            self.serve(Stream::Tcp(tcp), Place::of(Some(address.ip())), address.to_string());
                        }
                    }
                    Err(error) => refused(&error).await,
                },
                accepted = accept_unix(self.unix.as_ref()) => match accepted {
                    Ok(unix) => self.serve(Stream::Unix(unix), Place::of(None), "local".to_owned()),
                    Err(error) => refused(&error).await,
                },
            }
        }
        self.stop.send_replace(true);
        drop(self.tcp);
        self.sessions.close();
        let patience = self.shared.config.limits.shutdown_timeout;
        if tokio::time::timeout(patience, self.sessions.wait()).await.is_err() {
            tracing::warn!("statements that did not end in time are broken off");
        }
        janitor.abort();
        ringer.abort();
        self.shared.pool.close();
        if let Some(path) = &self.shared.config.listen.unix_socket {
            let _ = std::fs::remove_file(path);
        }
    }

    fn serve(&self, stream: Stream, from: Place, address: String) {
        if let Some(arrival) = self.arrivals.arrive(from) {
            let newcomer = Box::new(session::Newcomer {
                stream,
                address,
                arrival,
            });
            self.sessions.spawn(session::serve(Arc::clone(&self.shared), newcomer));
        }
    }
}

/// Wakes the sessions that wait whenever there is something for them to know, and those whose time has come.
async fn ring(shared: Arc<Shared>) {
    let (mut world, mut stop) = (shared.world.watch(), shared.stop.clone());
    let mut clock = tokio::time::interval(Duration::from_secs(1));
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let changed = tokio::select! {
            changed = world.changed() => changed,
            changed = stop.changed() => changed,
            _ = clock.tick() => {
                shared.alarms.strike(UNIX_EPOCH.elapsed().map_or(0, |now| now.as_secs()));
                continue;
            }
        };
        if changed.is_err() {
            return;
        }
        shared.alarms.ring();
    }
}

/// Puts in force, after SIGHUP, what the configuration says of logins, as a whole or not at all; reads policies and people
/// again, and opens the audit's file anew.
pub async fn reload(shared: &Shared, config: Result<Config, String>) {
    let doors = async { session::Doors::open(&config?, Some(&shared.doors.load_full())).await };
    match doors.await {
        Ok(doors) => {
            shared.doors.store(Arc::new(doors));
            shared.alarms.ring();
        }
        Err(error) => tracing::error!("logins stay as they were: {error}"),
    }
    shared.audit.reopen();
    shared.world.request_refresh();
}

async fn accept_unix(listener: Option<&UnixListener>) -> std::io::Result<tokio::net::UnixStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

/// Out of file descriptors or the like: the next try comes later.
async fn refused(error: &std::io::Error) {
    tracing::error!(%error, "a connection cannot be accepted");
    tokio::time::sleep(Duration::from_millis(100)).await;
}
