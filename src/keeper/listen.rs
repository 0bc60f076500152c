//! `NOTIFY rowgate_directory`: a connection of its own that listens, and comes back when it breaks.

use super::Source;
use std::future::poll_fn;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::Sender;
use tokio_postgres::{AsyncMessage, Client, Connection};

/// The channel on which the CRM, or a trigger, says that people have changed.
pub const DIRECTORY_CHANNEL: &str = "rowgate_directory";

/// Sends one unit for every notification, and one after every new connection (something may have been missed).
pub(super) async fn forward(source: Source, to: Sender<()>) {
    const AGAIN: Duration = Duration::from_secs(2);
    while !to.is_closed() {
        match &source.tls {
            Some(tls) => {
                if let Ok((client, connection)) = source.upstream.connect(tls.clone()).await {
                    hear(client, connection, &to).await;
                }
            }
            None => {
                if let Ok((client, connection)) = source.upstream.connect(tokio_postgres::NoTls).await {
                    hear(client, connection, &to).await;
                }
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn hear<S, T>(client: Client, mut connection: Connection<S, T>, to: &Sender<()>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let listen = format!("LISTEN {DIRECTORY_CHANNEL}");
    let begin = client.batch_execute(&listen);
    tokio::pin!(begin);
    let mut begun = false;
    loop {
        tokio::select! {
            done = &mut begin, if !begun => {
                if done.is_err() {
                    return;
                }
                begun = true;
                // a refresh that is already waiting covers this one
                let _ = to.try_send(());
            }
            message = poll_fn(|context| connection.poll_message(context)) => match message {
                Some(Ok(AsyncMessage::Notification(_))) => {
                    let _ = to.try_send(());
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}
