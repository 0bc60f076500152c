//! Cuts a byte stream into protocol messages by their length, before anybody looks inside.

use super::Malformed;
use bytes::{Buf, BytesMut};

/// Bytes of a message's tag and length.
pub const HEADER: usize = 5;

/// A message's first five bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Its type.
    pub tag: u8,
    /// Bytes behind the header.
    pub body: usize,
}

impl Header {
    /// Bytes of the whole message.
    pub fn total(self) -> usize {
        HEADER + self.body
    }
}

/// The header at the beginning of a buffer, if it is there whole.
pub fn header(buffer: &[u8]) -> Result<Option<Header>, Malformed> {
    let Some(&[tag, a, b, c, d]) = buffer.first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes([a, b, c, d]);
    let body = length
        .checked_sub(4)
        .filter(|_| length <= i32::MAX as u32)
        .ok_or(Malformed("invalid message length"))?;
    Ok(Some(Header {
        tag,
        body: body as usize,
    }))
}

/// The header at the beginning of a buffer, if the whole message is there. `limit` bounds the body by tag, so that
/// nobody makes rowgate wait for or hold more than that.
pub fn whole(buffer: &[u8], limit: impl Fn(u8) -> usize) -> Result<Option<Header>, Malformed> {
    let Some(header) = header(buffer)? else {
        return Ok(None);
    };
    if header.body > limit(header.tag) {
        return Err(Malformed("message is too long"));
    }
    Ok((buffer.len() >= header.total()).then_some(header))
}

/// Takes a whole message out of a buffer: its tag and its body. `limit` is that of [`whole`].
pub fn take(buffer: &mut BytesMut, limit: impl Fn(u8) -> usize) -> Result<Option<(u8, BytesMut)>, Malformed> {
    let Some(header) = whole(buffer, limit)? else {
        return Ok(None);
    };
    let mut message = buffer.split_to(header.total());
    message.advance(HEADER);
    Ok(Some((header.tag, message)))
}

/// Writes one message: its tag, its length, and what `body` writes.
pub fn put(out: &mut BytesMut, tag: u8, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.extend_from_slice(&[tag, 0, 0, 0, 0]);
    body(out);
    let length = u32::try_from(out.len() - start - 1).unwrap_or(u32::MAX);
    if let Some(slot) = out.get_mut(start + 1..start + HEADER) {
        slot.copy_from_slice(&length.to_be_bytes());
    }
}

/// Writes text and the zero that ends it.
pub fn put_cstr(out: &mut BytesMut, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(&[0]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_cut_only_when_whole() {
        let mut buffer = BytesMut::from(&b"Q\0\0\0\x06a\0S\0\0"[..]);
        let (tag, body) = take(&mut buffer, |_| 100).unwrap().unwrap();
        assert_eq!((tag, &body[..]), (b'Q', &b"a\0"[..]));
        assert_eq!(take(&mut buffer, |_| 100).unwrap(), None);
        assert_eq!(&buffer[..], b"S\0\0");
    }

    #[test]
    fn lengths_out_of_bounds_are_refused_at_once() {
        for bytes in [&b"Q\0\0\0\x03"[..], b"Q\xff\xff\xff\xff", b"Q\0\0\x01\0"] {
            assert!(take(&mut BytesMut::from(bytes), |_| 100).is_err());
        }
    }

    #[test]
    fn what_put_writes_take_reads() {
        let mut buffer = BytesMut::new();
        put(&mut buffer, b'C', |out| put_cstr(out, "SELECT 1"));
        let (tag, body) = take(&mut buffer, |_| 100).unwrap().unwrap();
        assert_eq!((tag, &body[..]), (b'C', &b"SELECT 1\0"[..]));
        assert!(buffer.is_empty());
    }
}
