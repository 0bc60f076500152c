//! What a client says after its login, decoded from isolated frames.

use crate::gate::Returned;
use crate::name::truncate_identifier;
use crate::net::{Body, Malformed};
use crate::refusal::{Refusal, SqlState};

/// One message of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientMessage<'a> {
    /// `Q`
    Query(&'a str),
    /// `P`
    Parse {
        /// The statement's name; empty for the unnamed one.
        name: &'a str,
        /// The SQL text.
        text: &'a str,
        /// Types of `$1 …` where the client gives them.
        types: Vec<u32>,
    },
    /// `B`
    Bind {
        /// The portal's name; empty for the unnamed one.
        portal: &'a str,
        /// The statement's name.
        statement: &'a str,
        /// The parameters, for the audit.
        parameters: Parameters<'a>,
        /// How many formats it gives for the result's columns; they stand at its end.
        result_formats: u16,
    },
    /// `D`
    Describe(Target<'a>),
    /// `E`
    Execute {
        /// The portal's name.
        portal: &'a str,
        /// At most so many rows; 0 for all.
        max_rows: i32,
    },
    /// `C`
    Close(Target<'a>),
    /// `H`
    Flush,
    /// `S`
    Sync,
    /// `X`
    Terminate,
    /// `d`, `c`, `f`: parts of COPY FROM STDIN.
    Copy,
    /// `F`
    FunctionCall,
}

/// A prepared statement or a portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// `S`
    Statement(&'a str),
    /// `P`
    Portal(&'a str),
}

/// A Bind's parameters, checked but not copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters<'a> {
    /// The formats' and the values' bytes as they came.
    raw: &'a [u8],
}

/// A message that cannot be taken.
#[derive(Debug)]
pub enum Unreadable {
    /// It breaks the protocol: the connection cannot go on.
    Malformed(Malformed),
    /// Its text cannot be taken, but the next message can be read.
    Refused(Refusal),
}

impl From<Malformed> for Unreadable {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error)
    }
}

/// Longest body by tag: texts, parameters, and the rest that is never long.
pub fn body_limit(tag: u8, statement_bytes: usize, message_bytes: usize) -> usize {
    match tag {
        // the text, a name and 65,535 parameter types
        b'Q' | b'P' => statement_bytes.saturating_add(300_000).min(1 << 30),
        b'B' | b'F' | b'd' => message_bytes,
        b'f' => 30_000,
        _ => 10_000,
    }
}

impl<'a> ClientMessage<'a> {
    /// Decodes one frame, which must be consumed whole.
    pub fn decode(tag: u8, body: &'a [u8]) -> Result<Self, Unreadable> {
        let mut body = Body::new(body);
        let message = match tag {
            b'Q' => Self::Query(text(&mut body)?),
            b'P' => {
                let (name, text) = (name(&mut body)?, text(&mut body)?);
                let count = body.u16()?;
                let mut types = Vec::with_capacity(usize::from(count).min(64));
                for _ in 0..count {
                    types.push(body.u32()?);
                }
                Self::Parse { name, text, types }
            }
            b'B' => {
                let (portal, statement) = (name(&mut body)?, name(&mut body)?);
                let raw = body.rest();
                let result_formats = check_bind(&mut body)?;
                Self::Bind {
                    portal,
                    statement,
                    parameters: Parameters { raw },
                    result_formats,
                }
            }
            b'D' => Self::Describe(target(&mut body)?),
            b'C' => Self::Close(target(&mut body)?),
            b'E' => Self::Execute {
                portal: name(&mut body)?,
                max_rows: body.i32()?,
            },
            b'H' => Self::Flush,
            b'S' => Self::Sync,
            b'X' => Self::Terminate,
            b'd' | b'c' | b'f' => return Ok(Self::Copy),
            b'F' => return Ok(Self::FunctionCall),
            _ => return Err(Malformed("invalid frontend message type").into()),
        };
        body.finish()?;
        Ok(message)
    }
}

fn text<'a>(body: &mut Body<'a>) -> Result<&'a str, Unreadable> {
    let bytes = body.cstr_bytes()?;
    std::str::from_utf8(bytes).map_err(|error| {
        let bad: Vec<String> = bytes
            .iter()
            .skip(error.valid_up_to())
            .take(error.error_len().unwrap_or(1))
            .map(|b| format!("0x{b:02x}"))
            .collect();
        Unreadable::Refused(Refusal::new(
            "not-utf8",
            SqlState::CharacterNotInRepertoire,
            format!("invalid byte sequence for encoding \"UTF8\": {}", bad.join(" ")),
        ))
    })
}

/// A statement's or portal's name. PostgreSQL tells names apart by their first 63 bytes: what is longer is cut, so that
/// what is one name there is one name here.
fn name<'a>(body: &mut Body<'a>) -> Result<&'a str, Unreadable> {
    text(body).map(truncate_identifier)
}

fn target<'a>(body: &mut Body<'a>) -> Result<Target<'a>, Unreadable> {
    let kind = body.u8()?;
    let name = name(body)?;
    match kind {
        b'S' => Ok(Target::Statement(name)),
        b'P' => Ok(Target::Portal(name)),
        _ => Err(Malformed("invalid message subtype").into()),
    }
}

/// Walks over a Bind's formats, values and result formats; gives how many the last are.
fn check_bind(body: &mut Body<'_>) -> Result<u16, Malformed> {
    let formats = body.u16()?;
    body.bytes(usize::from(formats) * 2)?;
    let values = body.u16()?;
    if formats > 1 && formats != values {
        return Err(Malformed("bind message has wrong number of parameter formats"));
    }
    for _ in 0..values {
        let length = body.i32()?;
        if length >= 0 {
            body.bytes(usize::try_from(length).map_err(|_| Malformed("invalid parameter length"))?)?;
        } else if length != -1 {
            return Err(Malformed("invalid parameter length"));
        }
    }
    let results = body.u16()?;
    body.bytes(usize::from(results) * 2)?;
    Ok(results)
}

/// What stands behind the names of a Bind, so that its result formats fit a result with one more column, of text,
/// before them, or with none that is the client's; `None` where it fits as it is.
pub fn bind_beside(body: &[u8], result_formats: u16, returned: Returned) -> Option<Vec<u8>> {
    if result_formats <= 1 {
        // none means text, one means all columns
        return None;
    }
    let (before, formats) = body.split_at_checked(body.len().checked_sub(usize::from(result_formats) * 2)?)?;
    let before = before.get(..before.len().checked_sub(2)?)?;
    let count = match returned {
        Returned::AsIs => return None,
        Returned::Nothing => return Some([before, &[0, 0]].concat()),
        Returned::AllButFirst => result_formats.checked_add(1)?.to_be_bytes(),
    };
    Some([before, &count, &[0, 0], formats].concat())
}

impl<'a> Parameters<'a> {
    /// All that stands behind the names.
    pub fn bytes(&self) -> &'a [u8] {
        self.raw
    }

    /// The values for the audit: text as it is, binary in hexadecimal, at most `longest` bytes of each.
    pub fn for_audit(&self, longest: usize) -> Vec<Option<String>> {
        let mut body = Body::new(self.raw);
        let mut read = || -> Result<Vec<Option<String>>, Malformed> {
            let count = body.u16()?;
            let mut formats = Vec::with_capacity(usize::from(count));
            for _ in 0..count {
                formats.push(body.u16()?);
            }
            let values = body.u16()?;
            let mut out = Vec::with_capacity(usize::from(values));
            for index in 0..usize::from(values) {
                let Ok(length) = usize::try_from(body.i32()?) else {
                    out.push(None);
                    continue;
                };
                let bytes = body.bytes(length)?;
                let shown = bytes.get(..longest).unwrap_or(bytes);
                let format = formats.get(index).or(formats.first()).copied().unwrap_or(0);
                out.push(Some(if format == 0 {
                    String::from_utf8_lossy(shown).into_owned()
                } else {
                    shown.iter().fold("\\x".to_owned(), |s, b| s + &format!("{b:02x}"))
                }));
            }
            Ok(out)
        };
        read().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(parameter: &[u8], claimed: i32) -> Vec<u8> {
        let mut body = b"\0s\0\0\0\0\x01".to_vec();
        body.extend_from_slice(&claimed.to_be_bytes());
        body.extend_from_slice(parameter);
        body.extend_from_slice(&[0, 0]);
        body
    }

    #[test]
    fn a_bind_is_read_to_its_end() {
        let body = bind(b"42", 2);
        let ClientMessage::Bind {
            statement, parameters, ..
        } = ClientMessage::decode(b'B', &body).unwrap()
        else {
            panic!("not a bind")
        };
        assert_eq!(statement, "s");
        assert_eq!(parameters.for_audit(10), [Some("42".to_owned())]);
    }

    #[test]
    fn a_parameter_that_reaches_out_of_its_frame_is_refused() {
        for claimed in [3, 5, 1_000, i32::MAX, -2, i32::MIN, 1, 0] {
            assert!(ClientMessage::decode(b'B', &bind(b"42", claimed)).is_err(), "{claimed}");
        }
    }

    #[test]
    fn leftovers_unknown_tags_and_bad_text_are_refused() {
        assert!(ClientMessage::decode(b'S', b"x").is_err());
        assert!(ClientMessage::decode(b'Q', b"SELECT 1\0;\0").is_err());
        assert!(ClientMessage::decode(b'Q', b"SELECT 1").is_err());
        assert!(ClientMessage::decode(0, b"").is_err());
        assert!(matches!(
            ClientMessage::decode(b'Q', b"SELECT '\xff'\0"),
            Err(Unreadable::Refused(_))
        ));
    }
}
