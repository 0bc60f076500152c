//! A stream with one buffer each way, polled by hand so that one task can move both directions at once.

use super::{Stream, spare};
use bytes::{Buf, BufMut, BytesMut};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// What a quiet connection reads at once.
const SMALL_READ: usize = spare::ROOM;
/// What does not keep the buffer that it was read into.
const LITTLE: usize = 1 << 10;
/// What a busy one reads at once.
const LARGE_READ: usize = 64 << 10;

/// A buffered connection.
#[derive(Debug)]
pub struct Channel {
    stream: Stream,
    /// Bytes that came and are not used yet.
    pub input: BytesMut,
    /// Bytes that shall go out.
    pub output: BytesMut,
    next_read: usize,
    flushing: bool,
    ended: bool,
}

impl Channel {
    /// Wraps a stream whose first bytes may have been read already.
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            output: BytesMut::new(),
            next_read: SMALL_READ,
            flushing: false,
            ended: false,
        }
    }

    /// The stream below.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Gives the stream back, for the change to TLS; what had been read too early is lost with it.
    pub fn into_stream(self) -> Stream {
        self.stream
    }

    /// Has the other side closed its direction?
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Reads once; `Ok(0)` is the end. While there is nothing to read, there is no room for it, and what is little gets
    /// no more than it takes: a thousand clients who wait hold no thousand empty buffers.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let is_full = self.input.capacity() - self.input.len() < SMALL_READ / 2;
        if is_full {
            ready!(self.stream.poll_readable(cx))?;
        }
        let read = if self.input.capacity() == 0 && self.next_read == SMALL_READ {
            ready!(self.poll_fill_empty(cx))?
        } else {
            if is_full {
                self.input.reserve(self.next_read);
            }
            let stream = Pin::new(&mut self.stream);
            ready!(tokio_util::io::poll_read_buf(stream, cx, &mut self.input))?
        };
        self.ended = read == 0;
        self.next_read = if read >= SMALL_READ / 2 { LARGE_READ } else { SMALL_READ };
        Poll::Ready(Ok(read))
    }

    fn poll_fill_empty(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut room = spare::take();
        let read = tokio_util::io::poll_read_buf(Pin::new(&mut self.stream), cx, &mut room);
        if room.len() > LITTLE {
            self.input = room;
        } else {
            self.input = BytesMut::from(room.as_ref());
            spare::give_back(&mut room);
        }
        read
    }

    /// Makes sure that something can go out without growing room for it bit by bit.
    pub fn make_room(&mut self) {
        if self.output.capacity() == 0 {
            self.output = spare::take();
        }
    }

    /// Writes until the output is empty and flushed.
    pub fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.output))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.advance(written);
            self.flushing = true;
        }
        if self.flushing {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.flushing = false;
            spare::give_back(&mut self.output);
        }
        Poll::Ready(Ok(()))
    }

    /// Gives back the room of buffers that are empty.
    pub fn shrink(&mut self) {
        if self.input.is_empty() {
            spare::give_back(&mut self.input);
        }
        if self.output.is_empty() && self.output.capacity() > 0 {
            spare::give_back(&mut self.output);
        }
    }

    /// Is there anything to write?
    pub fn has_output(&self) -> bool {
        self.flushing || !self.output.is_empty()
    }

    /// Reads once.
    pub async fn fill(&mut self) -> io::Result<usize> {
        std::future::poll_fn(|cx| self.poll_fill(cx)).await
    }

    /// Writes everything.
    pub async fn drain(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_drain(cx)).await
    }

    /// Writes everything and says goodbye, TLS included; errors do not matter any more.
    pub async fn close(mut self) {
        let _ = self.drain().await;
        let _ = std::future::poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await;
    }

    /// Moves the first `count` bytes of this channel's input to another's output; large runs without copying.
    pub fn relay_to(&mut self, other: &mut Self, count: usize) {
        let count = count.min(self.input.len());
        if other.output.is_empty() && count >= SMALL_READ / 2 {
            other.output = self.input.split_to(count);
        } else {
            other.make_room();
            other.output.put_slice(self.input.get(..count).unwrap_or_default());
            self.input.advance(count);
        }
    }
}
