//! Moves bytes both ways at once, with bounds, and runs the session until it ends.

use super::{End, Session};
use crate::net::frame::{self, HEADER};
use crate::refusal::{Refusal, SqlState};
use crate::wire::message::body_limit;
use bytes::Buf;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Bytes that may wait for a slow client or a slow database before the other side is no longer read.
pub(super) const HIGH: usize = 256 << 10;
/// An answer of no more bytes is likely to be the whole one.
const LITTLE: usize = 4 << 10;
/// How long a statement whose client is gone may go on.
const GONE: Duration = Duration::from_secs(600);
/// Messages that may wait for the database's answer.
const LONGEST_QUEUE: usize = 4_096;

/// What the client's input has given.
enum Taken {
    Message,
    /// No whole message is there.
    Nothing,
    /// What is under way has to become less first.
    NoRoom,
}

impl Taken {
    /// What is to be said of all, if this is the last one's.
    fn or(self, last: Self) -> Self {
        match self {
            Self::Message => self,
            Self::Nothing | Self::NoRoom => last,
        }
    }
}

impl Session<'_> {
    /// Until the session ends.
    pub(super) async fn converse(&mut self) -> Result<(), End> {
        loop {
            self.read_upstream()?;
            if self.overflow.as_ref().is_some_and(|o| o.has_ended()) {
                self.end_overflow().await?;
                continue;
            }
            if self.enclosed_has_ended() {
                self.end_enclosed(false).await?;
                continue;
            }
            if self.may_let_go() {
                self.let_go().await?;
            }
            match self.take_client_messages().await? {
                Taken::Message => continue,
                Taken::Nothing if self.client.ended() => {
                    self.break_off("the client is gone");
                    // who is gone does not keep a connection for ever
                    tokio::time::timeout(GONE, Box::pin(self.drain()))
                        .await
                        .unwrap_or(Ok(()))?;
                    let _ = self.client.drain().await;
                    return Err(End::Client);
                }
                Taken::Nothing | Taken::NoRoom => {}
            }
            if self.queue.is_empty() {
                self.idle().await?;
            } else {
                self.pump().await?;
            }
        }
    }

    /// Takes all that the client has sent, as long as there is room for what it will cause.
    async fn take_client_messages(&mut self) -> Result<Taken, End> {
        if self.copying && !self.is_full() {
            self.pass_data(self.shared.config.limits.message_bytes)?;
        }
        // read where it lies; what comes meanwhile goes behind what is left
        let mut input = std::mem::take(&mut self.client.input);
        let mut at = 0;
        let taken = self.take_from(&input, &mut at).await;
        input.advance(at);
        if !self.client.input.is_empty() {
            input.extend_from_slice(&self.client.input);
        }
        self.client.input = input;
        // who waits for an answer holds no empty buffer
        self.client.shrink();
        taken
    }

    /// Takes the messages that are there whole, from the one that begins `at` on.
    async fn take_from(&mut self, input: &[u8], at: &mut usize) -> Result<Taken, End> {
        let limits = &self.shared.config.limits;
        let limit = |tag| body_limit(tag, limits.statement_bytes, limits.message_bytes);
        let mut taken = Taken::Nothing;
        loop {
            if self.is_full() {
                return Ok(taken.or(Taken::NoRoom));
            }
            let rest = input.get(*at..).unwrap_or_default();
            let Some(header) = frame::whole(rest, limit).map_err(End::Malformed)? else {
                return Ok(taken);
            };
            let body = rest.get(HEADER..header.total()).unwrap_or_default();
            self.client_message(header.tag, body).await?;
            *at += header.total();
            taken = Taken::Message;
            if self.copying {
                // data goes by many at once
                return Ok(taken);
            }
        }
    }

    /// Has what is under way to become less before the client's next message is taken?
    fn is_full(&mut self) -> bool {
        if self.queue.len() >= LONGEST_QUEUE {
            // the server answers without a Sync only when asked to
            if !self.queue.flushed {
                self.queue.flushed = true;
                self.back.flush();
            }
            return true;
        }
        self.backlogs().iter().any(|bytes| *bytes >= HIGH) || self.waits_for_copy()
    }

    /// Waits until everything that was forwarded is answered.
    pub(super) async fn drain(&mut self) -> Result<(), End> {
        if self.queue.is_empty() && self.overflow.is_none() && self.enclosure.is_none() {
            return Ok(());
        }
        if self.state.segment_open {
            self.back.flush();
        }
        loop {
            self.read_upstream()?;
            if self.overflow.as_ref().is_some_and(|o| o.has_ended()) {
                Box::pin(self.end_overflow()).await?;
                continue;
            }
            if self.enclosed_has_ended() {
                Box::pin(self.end_enclosed(false)).await?;
                continue;
            }
            if self.queue.is_empty() {
                return Ok(());
            }
            self.pump().await?;
        }
    }

    /// Waits for the client while nothing is under way; also for the world and the operator.
    async fn idle(&mut self) -> Result<(), End> {
        if !self.is_away() {
            self.back.shrink();
        }
        self.queue.shrink();
        let bell = Arc::clone(&self.bell);
        let rung = poll_fn(|cx| {
            if bell.has_rung(cx, &mut self.heard.0) {
                return Poll::Ready(Ok(true));
            }
            self.poll_move(cx).map_ok(|()| false)
        });
        if rung.await? {
            if *self.shared.stop.borrow() {
                return Err(stopped());
            }
            self.stay.look(self.shared, &self.bell)?;
            self.renew_world()?;
        }
        Ok(())
    }

    /// Moves bytes while something is under way. Who may not be here any more does not wait for its end.
    async fn pump(&mut self) -> Result<(), End> {
        let bell = Arc::clone(&self.bell);
        let deadlines = [self.overflow.as_ref().and_then(|o| o.cancel_at()), self.overtaken];
        let deadline = deadlines.into_iter().flatten().min();
        let mut moved = poll_fn(|cx| {
            if bell.has_rung(cx, &mut self.heard.1) {
                self.stay.look(self.shared, &bell)?;
                self.still_in(&self.shared.world.current())?;
                if self.world_moved_on() {
                    return Poll::Ready(Ok(()));
                }
            }
            self.poll_move(cx)
        });
        match deadline {
            None => moved.await?,
            Some(deadline) => tokio::select! {
                biased;
                moved = &mut moved => moved?,
                () = tokio::time::sleep_until(deadline) => {}
            },
        }
        // also where there was always something to move
        self.cancel_overflow();
        if self.overtaken.is_some() {
            Box::pin(self.end_overtaken()).await?;
        }
        Ok(())
    }

    /// Writes to both sides, reads from both sides; ready when there is something new to look at.
    fn poll_move(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let were_full = self.backlogs().map(|bytes| bytes >= HIGH);
        if self.back.has_output() {
            match self.back.poll_drain(cx) {
                // its last words may still be there to read
                Poll::Ready(Err(error)) if !self.upstream_has_news(cx) => return Poll::Ready(Err(broken(&error))),
                Poll::Ready(Err(_)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
        }
        if self.client.has_output() {
            match self.client.poll_drain(cx) {
                Poll::Ready(Err(_)) => return Poll::Ready(Err(End::Client)),
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
        }
        // what was left unread for the lack of room is looked at again as soon as there is some, not only when all is out
        let are_full = self.backlogs().map(|bytes| bytes >= HIGH);
        let mut news = were_full != are_full;
        if self.client.output.len() < HIGH {
            match self.back.poll_fill(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(End::Broken("it closed the connection".to_owned()))),
                // an answer goes out before the client is asked for more
                Poll::Ready(Ok(count)) if count <= LITTLE => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(_)) => news = true,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(broken(&error))),
                Poll::Pending => {}
            }
        }
        if !self.client.ended() && self.client.input.len() < self.client_room() {
            match self.client.poll_fill(cx) {
                Poll::Ready(Ok(_)) => news = true,
                Poll::Ready(Err(_)) => return Poll::Ready(Err(End::Client)),
                Poll::Pending => {}
            }
        }
        if news { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Bytes that wait for the database, and for the client.
    fn backlogs(&self) -> [usize; 2] {
        [self.back.backlog(), self.client.output.len()]
    }

    fn upstream_has_news(&mut self, cx: &mut Context<'_>) -> bool {
        matches!(self.back.poll_fill(cx), Poll::Ready(Ok(count)) if count > 0)
    }

    /// How much of the client's input may be held: a whole message, however long it may be, and no more than
    /// some beside it.
    fn client_room(&self) -> usize {
        match frame::header(&self.client.input) {
            Ok(Some(header)) => header.total().max(HIGH),
            _ => HIGH,
        }
    }

    /// Moves bytes of the database alone, for rowgate's own messages.
    pub(super) async fn pump_upstream(&mut self) -> Result<(), End> {
        self.back.drain().await.map_err(|e| broken(&e))?;
        match poll_fn(|cx| self.back.poll_fill(cx)).await {
            Ok(0) => Err(End::Broken("it closed the connection".to_owned())),
            Ok(_) => Ok(()),
            Err(error) => Err(broken(&error)),
        }
    }
}

fn broken(error: &std::io::Error) -> End {
    End::Broken(error.to_string())
}

fn stopped() -> End {
    End::Fatal(Refusal::new(
        "stopped",
        SqlState::AdminShutdown,
        "terminating connection due to administrator command",
    ))
}
