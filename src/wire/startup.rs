//! The first packets of a connection: TLS, cancel or the login's parameters.

use crate::net::{Body, Malformed};
use bytes::{Buf, BytesMut};

/// The longest first packet, as in PostgreSQL.
const LONGEST: usize = 10_000;

/// What a connection begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum First {
    /// SSLRequest.
    Tls,
    /// GSSENCRequest.
    Gss,
    /// CancelRequest.
    Cancel {
        /// The process that BackendKeyData named.
        process: i32,
        /// The secret beside it.
        secret: i32,
    },
    /// StartupMessage.
    Startup(Startup),
}

/// The parameters of a login, in the client's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Startup {
    /// Minor protocol version asked for.
    pub minor: u16,
    /// Names and values.
    pub parameters: Vec<(String, String)>,
}

impl Startup {
    /// One parameter; the last where it is given twice.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .rev()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Takes the first packet out of a buffer once it is there whole.
pub fn take(buffer: &mut BytesMut) -> Result<Option<First>, Malformed> {
    let Some(length) = buffer.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*length) as usize;
    if !(8..=LONGEST).contains(&length) {
        return Err(Malformed("invalid length of startup packet"));
    }
    if buffer.len() < length {
        return Ok(None);
    }
    let mut packet = buffer.split_to(length);
    packet.advance(4);
    let mut body = Body::new(&packet);
    let major = body.u16()?;
    let minor = body.u16()?;
    let first = match (major, minor) {
        (1234, 5679) => First::Tls,
        (1234, 5680) => First::Gss,
        (1234, 5678) => First::Cancel {
            process: body.i32()?,
            secret: body.i32()?,
        },
        (3, _) => First::Startup(Startup {
            minor,
            parameters: parameters(&mut body)?,
        }),
        _ => return Err(Malformed("unsupported frontend protocol: rowgate speaks version 3")),
    };
    body.finish()?;
    Ok(Some(first))
}

fn parameters(body: &mut Body<'_>) -> Result<Vec<(String, String)>, Malformed> {
    let mut parameters = Vec::new();
    loop {
        let name = text(body)?;
        if name.is_empty() {
            return Ok(parameters);
        }
        parameters.push((name, text(body)?));
    }
}

fn text(body: &mut Body<'_>) -> Result<String, Malformed> {
    let bytes = body
        .cstr_bytes()
        .map_err(|_| Malformed("invalid startup packet layout: expected terminator as last byte"))?;
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| Malformed("startup packet is not UTF-8"))
}

/// Splits the `options` parameter into settings, as the server's command line takes them: `-c name=value`,
/// `-cname=value`, `--name=value`; a backslash keeps the next character.
pub fn split_options(options: &str) -> Result<Vec<(String, String)>, Malformed> {
    let mut words = vec![];
    let mut word: Option<String> = None;
    let mut characters = options.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => word.get_or_insert_default().extend(characters.next()),
            c if c.is_ascii_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);

    let mut settings = vec![];
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let assignment = if word == "-c" {
            words.next().ok_or(Malformed("option -c needs a value"))?
        } else if let Some(rest) = word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            rest.to_owned()
        } else {
            return Err(Malformed(
                "invalid command-line argument in the startup option \"options\"",
            ));
        };
        let (name, value) = assignment
            .split_once('=')
            .ok_or(Malformed("the startup option \"options\" needs name=value"))?;
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(code: (u16, u16), rest: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        out.extend_from_slice(&u32::try_from(rest.len() + 8).unwrap().to_be_bytes());
        out.extend_from_slice(&code.0.to_be_bytes());
        out.extend_from_slice(&code.1.to_be_bytes());
        out.extend_from_slice(rest);
        out
    }

    #[test]
    fn first_packets() {
        let got = take(&mut packet((3, 0), b"user\0alice\0database\0crm\0\0")).unwrap();
        let Some(First::Startup(startup)) = got else {
            panic!("{got:?}")
        };
        assert_eq!(startup.get("user"), Some("alice"));
        assert_eq!(take(&mut packet((1234, 5679), b"")).unwrap(), Some(First::Tls));
        assert_eq!(take(&mut BytesMut::from(&b"\0\0\0\x10\0\x03"[..])).unwrap(), None);
    }

    #[test]
    fn broken_ones() {
        for rest in [&b"user\0alice\0"[..], b"user\0al\xff\0\0", b"\0x", b"user"] {
            assert!(take(&mut packet((3, 0), rest)).is_err(), "{rest:?}");
        }
        assert!(take(&mut packet((2, 0), b"\0")).is_err());
        assert!(take(&mut BytesMut::from(&b"GET / HTTP/1.1"[..])).is_err());
    }

    #[test]
    fn options_as_on_the_command_line() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            split_options(r"-c work_mem=4MB --search-path=a\ b -cgeqo=off").unwrap(),
            [pair("work_mem", "4MB"), pair("search_path", "a b"), pair("geqo", "off")]
        );
        assert!(split_options("-d 5").is_err());
        assert!(split_options("-c").is_err());
    }
}
