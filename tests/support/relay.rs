//! A network between rowgate and the database that is worse than that of one machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relay {
    /// Cancel requests stay on the way for ever.
    LosesCancels,
    /// It takes small pieces of what goes to the database, one at a time.
    IsSlow,
}

/// A relay to a port of 127.0.0.1: its own port, and how many cancel requests have come.
pub async fn start(to: u16, relay: Relay) -> (u16, Arc<AtomicUsize>) {
    let socket = TcpSocket::new_v4().unwrap();
    if relay == Relay::IsSlow {
        narrow(&socket);
    }
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(64).unwrap();
    let port = listener.local_addr().unwrap().port();
    let cancels = Arc::new(AtomicUsize::new(0));
    tokio::spawn(accept(listener, to, relay, Arc::clone(&cancels)));
    (port, cancels)
}

/// As behind an ordinary network: segments of 1,460 bytes and little room for what has not been read.
pub fn narrow(socket: &TcpSocket) {
    socket2::SockRef::from(socket).set_tcp_mss(1460).unwrap();
    socket.set_recv_buffer_size(65_536).unwrap();
}

async fn accept(listener: TcpListener, to: u16, relay: Relay, cancels: Arc<AtomicUsize>) {
    let mut held = Vec::new();
    while let Ok((mut near, _)) = listener.accept().await {
        let mut first = [0; 8];
        near.peek(&mut first).await.unwrap();
        if relay == Relay::LosesCancels && first[4..] == [4, 210, 22, 46] {
            cancels.fetch_add(1, Ordering::SeqCst);
            held.push(near);
            continue;
        }
        let mut far = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
        if relay == Relay::IsSlow {
            tokio::spawn(crawl(near, far));
        } else {
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    }
}

async fn crawl(near: TcpStream, far: TcpStream) {
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = far.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_far, &mut to_near).await });
    let mut piece = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from_near.read(&mut piece).await {
        if to_far.write_all(&piece[..read]).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
