//! OAUTHBEARER (RFC 7628), as PostgreSQL 18 speaks it: the client's words are read, the answer to a bad token is written.

use crate::net::{Body, Malformed};
use serde_json::Value;

/// The mechanism's name.
pub const NAME: &str = "OAUTHBEARER";
/// Stands between a message's parts.
const SEPARATOR: u8 = 1;
const SEPARATOR_CHAR: char = '\u{1}';
const MALFORMED: Malformed = Malformed("malformed OAUTHBEARER message");

/// What a client's message says.
#[derive(Debug, PartialEq, Eq)]
pub enum Said<'m> {
    /// Nothing: it asks what it needs for a token.
    Discovery,
    /// This is its token.
    Token(&'m str),
    /// What it sends is no bearer token.
    Unusable,
    /// It asks to be somebody else than the startup packet says, which PostgreSQL does not know.
    Identity,
}

/// Reads SASLInitialResponse; `None` where the client's message comes with the next one.
pub fn initial(body: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let mut body = Body::new(body);
    if body.cstr_bytes()? != NAME.as_bytes() {
        return Err(Malformed("client selected an invalid SASL authentication mechanism"));
    }
    let data = match body.i32()? {
        -1 => None,
        length => Some(body.bytes(usize::try_from(length).map_err(|_| MALFORMED)?)?),
    };
    body.finish()?;
    Ok(data)
}

/// Reads the client's message: `n,,`, then parts of `key=value` each between separators.
pub fn said(message: &[u8]) -> Result<Said<'_>, Malformed> {
    let message = std::str::from_utf8(message).map_err(|_| MALFORMED)?;
    // no channel binding is defined; 'y' is a client that would know one
    let rest = message.strip_prefix("n,").or_else(|| message.strip_prefix("y,"));
    let rest = rest.ok_or(MALFORMED)?;
    if rest.starts_with('a') {
        return Ok(Said::Identity);
    }
    let parts = rest.strip_prefix(',').and_then(|r| r.strip_prefix(SEPARATOR_CHAR));
    let parts = parts.and_then(|p| p.strip_suffix(SEPARATOR_CHAR)).ok_or(MALFORMED)?;
    let mut bearer = None;
    for part in parts
        .strip_suffix(SEPARATOR_CHAR)
        .ok_or(MALFORMED)?
        .split(SEPARATOR_CHAR)
    {
        let (key, value) = part.split_once('=').ok_or(MALFORMED)?;
        let readable = |b: u8| matches!(b, b'\t' | b'\r' | b'\n' | b' '..=b'~');
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphabetic()) || !value.bytes().all(readable) {
            return Err(MALFORMED);
        }
        if key == "auth" && bearer.replace(value).is_some() {
            return Err(MALFORMED);
        }
    }
    match bearer.ok_or(MALFORMED)? {
        "" => Ok(Said::Discovery),
        bearer => Ok(token(bearer).map_or(Said::Unusable, Said::Token)),
    }
}

/// The token behind `Bearer`.
fn token(bearer: &str) -> Option<&str> {
    const SCHEME: &str = "Bearer ";
    let (scheme, token) = bearer.split_at_checked(SCHEME.len())?;
    let token = token.trim_start_matches(' ');
    let usable = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
    let body = token.trim_end_matches('=');
    (scheme.eq_ignore_ascii_case(SCHEME) && !body.is_empty() && body.bytes().all(usable)).then_some(token)
}

/// What a client whose token is not taken is told: where it gets one, and for what.
pub fn invalid_token(issuer: &str, discovery: Option<&str>, scope: &str) -> String {
    const WELL_KNOWN: &str = "/.well-known/";
    let discovery = match discovery {
        Some(discovery) => discovery.to_owned(),
        None if issuer.contains(WELL_KNOWN) => issuer.to_owned(),
        None => format!("{issuer}{WELL_KNOWN}openid-configuration"),
    };
    format!(
        "{{ \"status\": \"invalid_token\", \"openid-configuration\": {}, \"scope\": {} }}",
        Value::from(discovery),
        Value::from(scope)
    )
}

/// Is this the one word that ends an exchange whose token was not taken?
pub fn ends(message: &[u8]) -> Result<(), Malformed> {
    if message == [SEPARATOR] { Ok(()) } else { Err(MALFORMED) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        for (message, expected) in [
            (
                "n,,\x01auth=Bearer abc.def-_~+/==\x01\x01",
                Said::Token("abc.def-_~+/=="),
            ),
            ("y,,\x01auth=bEARER   abc\x01\x01", Said::Token("abc")),
            ("n,,\x01host=db\x01auth=Bearer a\x01port=5432\x01\x01", Said::Token("a")),
            ("n,,\x01auth=\x01\x01", Said::Discovery),
            ("n,,\x01auth=Bearer \x01\x01", Said::Unusable),
            ("n,,\x01auth=Bearer ===\x01\x01", Said::Unusable),
            ("n,,\x01auth=Basic abc\x01\x01", Said::Unusable),
            ("n,,\x01auth=Bearer a b\x01\x01", Said::Unusable),
            ("n,,\x01auth=Bearer a=b\x01\x01", Said::Unusable),
            ("n,a=alice,\x01auth=Bearer a\x01\x01", Said::Identity),
        ] {
            assert_eq!(said(message.as_bytes()), Ok(expected), "{message:?}");
        }
    }

    #[test]
    fn what_is_no_message() {
        for message in [
            "",
            "n",
            "n,",
            "n,,",
            "n,,\x01",
            "n,,\x01\x01",
            "n,,\x01\x01\x01",
            "p=tls-server-end-point,,\x01auth=Bearer a\x01\x01",
            "n,,auth=Bearer a\x01\x01",
            "n,,\x01auth=Bearer a\x01",
            "n,,\x01auth=Bearer a",
            "n,,\x01auth=Bearer a\x01\x01x",
            "n,,\x01auth=Bearer a\x01\x01auth=Bearer b\x01\x01",
            "n,,\x01auth=Bearer a\x01auth=Bearer b\x01\x01",
            "n,,\x01auth\x01\x01",
            "n,,\x01=Bearer a\x01\x01",
            "n,,\x01au th=Bearer a\x01\x01",
            "n,,\x01host=db\x01\x01",
            "n,,\x01auth=Bearer \u{e9}\x01\x01",
            "n,,\x01auth=Bearer a\0\x01\x01",
            "n,x,\x01auth=Bearer a\x01\x01",
        ] {
            assert!(said(message.as_bytes()).is_err(), "{message:?}");
        }
        assert!(said(b"n,,\x01auth=Bearer \xff\x01\x01").is_err());
        assert!(ends(b"\x01").is_ok() && ends(b"").is_err() && ends(b"\x01\x01").is_err());
    }

    #[test]
    fn first_messages() {
        assert_eq!(initial(b"OAUTHBEARER\0\xff\xff\xff\xff"), Ok(None));
        assert_eq!(initial(b"OAUTHBEARER\0\0\0\0\x02ab"), Ok(Some(b"ab".as_slice())));
        for bad in [
            b"SCRAM-SHA-256\0\0\0\0\0".as_slice(),
            b"OAUTHBEARER\0\0\0\0\x02abc",
            b"OAUTHBEARER\0\0\0\0\x03ab",
            b"OAUTHBEARER\0\xff\xff\xff\xfe",
            b"OAUTHBEARER",
        ] {
            assert!(initial(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn where_a_token_comes_from() {
        assert_eq!(
            invalid_token("https://id.example.com/a", None, "openid \"x\""),
            "{ \"status\": \"invalid_token\", \"openid-configuration\": \
             \"https://id.example.com/a/.well-known/openid-configuration\", \"scope\": \"openid \\\"x\\\"\" }"
        );
        let told = invalid_token(
            "https://x",
            Some("https://x/.well-known/oauth-authorization-server"),
            "s",
        );
        assert!(told.contains("\"https://x/.well-known/oauth-authorization-server\""));
    }
}
