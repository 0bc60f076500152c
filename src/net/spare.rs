//! Empty buffers that connections hand on to each other, so that a statement makes and grows none of its own.

use bytes::BytesMut;
use std::cell::RefCell;

/// Bytes that each has room for, at least.
pub(super) const ROOM: usize = 8 << 10;
/// One that has grown beyond this is not kept.
const LARGEST: usize = 4 * ROOM;
/// How many are kept for a thread.
const MOST: usize = 64;

thread_local! {
    static BUFFERS: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer.
pub(super) fn take() -> BytesMut {
    BUFFERS
        .with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| BytesMut::with_capacity(ROOM))
}

/// Empties a buffer; its room goes to whoever needs some next.
pub(super) fn give_back(buffer: &mut BytesMut) {
    let mut buffer = std::mem::take(buffer);
    if buffer.capacity() == 0 {
        return;
    }
    buffer.clear();
    if buffer.try_reclaim(ROOM) && buffer.capacity() <= LARGEST {
        BUFFERS.with_borrow_mut(|buffers| {
            if buffers.len() < MOST {
                buffers.push(buffer);
            }
        });
    }
}
