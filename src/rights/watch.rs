//! Hears of every change of temporary rights at once, and looks twice a second whether one was missed.

use super::read;
use super::schema::{self, SchemaError};
use super::snapshot::Snapshot;
use crate::world::WorldHandle;
use std::future::poll_fn;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_postgres::config::Host;
use tokio_postgres::{AsyncMessage, Client, Config, Connection};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::task::AbortOnDropHandle;

/// The channel that the schema's triggers tell of changes on.
const CHANNEL: &str = "rowgate_rights";
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long an answer may take before the schema counts as out of reach.
const ANSWER: Duration = Duration::from_secs(5);
/// How long a look whether anything has changed may take.
const LOOK: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_millis(500);
/// The clock on the wall may be set: nobody sleeps longer than this without a look at it.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

/// Where temporary rights are kept.
#[derive(Clone)]
pub struct Watch {
    /// The database.
    pub database: Config,
    /// TLS towards it; `None` speaks none.
    pub tls: Option<MakeRustlsConnect>,
    /// How long what was given holds after the schema was last reached.
    pub patience: Duration,
}

/// A connection that tells of changes.
pub struct Line {
    client: Client,
    hears: mpsc::Receiver<()>,
    #[expect(dead_code, reason = "ends with the line")]
    driving: AbortOnDropHandle<()>,
}

impl Watch {
    /// Every right, read for the first time.
    pub async fn first(&self) -> Result<Snapshot, SchemaError> {
        let line = self.open().await?;
        schema::check(&line.client).await?;
        Ok(read::all(&line.client).await?)
    }

    /// A connection to the database.
    pub async fn open(&self) -> Result<Line, tokio_postgres::Error> {
        let is_socket = |host: &Host| matches!(host, Host::Unix(_));
        match &self.tls {
            Some(tls) if !self.database.get_hosts().iter().all(is_socket) => {
                let (client, connection) = self.database.connect(tls.clone()).await?;
                Ok(line(client, connection))
            }
            Some(_) | None => {
                let (client, connection) = self.database.connect(tokio_postgres::NoTls).await?;
                Ok(line(client, connection))
            }
        }
    }

    /// Keeps a world's rights as they are in the database, until dropped.
    pub async fn run(self, world: WorldHandle) {
        let _ticking = AbortOnDropHandle::new(tokio::spawn(tick(world.clone())));
        let mut told = String::new();
        loop {
            let trouble = match timeout(ANSWER, self.open()).await {
                Ok(Ok(line)) => line.follow(&world, &mut told).await,
                Ok(Err(error)) => SchemaError::Database(error).to_string(),
                Err(_) => "it does not answer".to_owned(),
            };
            if told != trouble {
                tracing::error!(
                    "temporary rights cannot be read: what was given ends within {:?}: {trouble}",
                    self.patience
                );
                told = trouble;
            }
            world.lose_rights(SystemTime::now(), self.patience);
            sleep(AGAIN).await;
        }
    }
}

fn line<S, T>(client: Client, mut connection: Connection<S, T>) -> Line
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (tell, hears) = mpsc::channel(1);
    let driving = tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(_) = message {
                // a look that is already asked for covers this one
                let _ = tell.try_send(());
            }
        }
    });
    Line {
        client,
        hears,
        driving: AbortOnDropHandle::new(driving),
    }
}

impl Line {
    /// What asks it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The same, for transactions.
    pub fn client_mut(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Follows every change until the connection breaks; gives the reason.
    async fn follow(mut self, world: &WorldHandle, told: &mut String) -> String {
        let begun = async {
            self.client.batch_execute(&format!("LISTEN {CHANNEL}")).await?;
            schema::check(&self.client).await
        };
        match timeout(ANSWER, begun).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error.to_string(),
            Err(_) => return "it does not answer".to_owned(),
        }
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut known = None;
        loop {
            tokio::select! {
                heard = self.hears.recv() => if heard.is_none() {
                    return "the connection was lost".to_owned();
                },
                _ = looks.tick() => {}
            }
            let stamp = match timeout(LOOK, read::stamp(&self.client)).await {
                Ok(Ok((stamp, version))) if version == schema::version() => stamp,
                Ok(Ok(_)) => return "the schema was given another version".to_owned(),
                Ok(Err(error)) => return SchemaError::Database(error).to_string(),
                Err(_) => return "it does not answer".to_owned(),
            };
            if known == Some(stamp) {
                continue;
            }
            match timeout(ANSWER, read::all(&self.client)).await {
                Ok(Ok(rights)) => world.update_rights(rights),
                Ok(Err(error)) => return SchemaError::Database(error).to_string(),
                Err(_) => return "it does not answer".to_owned(),
            }
            if !told.is_empty() {
                tracing::info!("temporary rights are read again");
                told.clear();
            }
            known = Some(stamp);
        }
    }
}

/// Wakes the world at the moments at which something begins or ends, so that idle sessions hear of it, too.
async fn tick(world: WorldHandle) {
    let mut changed = world.watch();
    loop {
        let left = world.current().until.map_or(LONGEST_SLEEP, |until| {
            until.duration_since(SystemTime::now()).unwrap_or_default()
        });
        tokio::select! {
            () = sleep(left.min(LONGEST_SLEEP)) => {}
            heard = changed.changed() => if heard.is_err() {
                return;
            },
        }
    }
}
