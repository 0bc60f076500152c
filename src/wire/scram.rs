//! SCRAM-SHA-256 towards clients, from stored verifiers; whoever is unknown gets the same conversation.

use crate::net::{Body, Malformed};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use pgwire::api::auth::sasl::scram::{ScramSecret, ScramServerAuth, ScramServerAuthWaitingForClientFinal};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Without channel binding.
pub const PLAIN: &str = "SCRAM-SHA-256";
/// Bound to the server's certificate.
pub const PLUS: &str = "SCRAM-SHA-256-PLUS";

/// A stored verifier: it proves a password and does not tell it.
pub struct Verifier {
    iterations: usize,
    salt: Vec<u8>,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

impl Verifier {
    /// Reads `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`.
    pub fn parse(text: &str) -> Option<Self> {
        let (parameters, keys) = text.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
        let (iterations, salt) = parameters.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        let verifier = Self {
            iterations: iterations.parse().ok()?,
            salt: STANDARD.decode(salt).ok()?,
            stored_key: STANDARD.decode(stored_key).ok()?,
            server_key: STANDARD.decode(server_key).ok()?,
        };
        (verifier.stored_key.len() == 32 && verifier.server_key.len() == 32 && verifier.iterations > 0)
            .then_some(verifier)
    }

    /// Is this the password? Takes as much work as the client's side of SCRAM: some milliseconds.
    pub fn fits(&self, password: &str) -> bool {
        let prepared = stringprep::saslprep(password).unwrap_or(password.into());
        let stored_key = self.salted(prepared.as_bytes()).and_then(|salted| {
            let client_key = mac(&salted, b"Client Key")?;
            Some(Sha256::digest(client_key))
        });
        stored_key.is_some_and(|key| key.as_slice().ct_eq(&self.stored_key).into())
    }

    /// `Hi` of RFC 5802.
    fn salted(&self, password: &[u8]) -> Option<[u8; 32]> {
        let keyed = <Hmac<Sha256> as Mac>::new_from_slice(password).ok()?;
        let mut first = keyed.clone();
        first.update(&self.salt);
        first.update(&1_u32.to_be_bytes());
        let mut round: [u8; 32] = first.finalize().into_bytes().into();
        let mut all = round;
        for _ in 1..self.iterations {
            let mut next = keyed.clone();
            next.update(&round);
            round = next.finalize().into_bytes().into();
            for (sum, byte) in all.iter_mut().zip(round) {
                *sum ^= byte;
            }
        }
        Some(all)
    }

    /// The same to whoever asks, and no password fits: for those who are known and not let in from where they are.
    pub fn closed(self, mock: Self) -> Self {
        Self {
            iterations: self.iterations,
            salt: self.salt,
            ..mock
        }
    }

    /// A verifier that no password fits: the same salt for the same login at every try, and as many iterations as
    /// those that exist have, so that nobody learns which logins do.
    pub fn mock(login: &str, secret: &[u8; 32], iterations: usize) -> Self {
        let derive = |what: &str| {
            let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(secret).ok();
            if let Some(mac) = &mut mac {
                mac.update(what.as_bytes());
                mac.update(login.as_bytes());
            }
            mac.map(|m| m.finalize().into_bytes().to_vec()).unwrap_or_default()
        };
        let mut salt = derive("salt");
        salt.truncate(16);
        Self {
            iterations,
            salt,
            stored_key: derive("stored"),
            server_key: derive("server"),
        }
    }
}

fn mac(key: &[u8], data: &[u8]) -> Option<[u8; 32]> {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).ok()?;
    mac.update(data);
    Some(mac.finalize().into_bytes().into())
}

/// What a login exchange fails with.
#[derive(Debug)]
pub enum Failed {
    /// The client broke the protocol.
    Malformed(&'static str),
    /// The proof does not fit.
    WrongPassword,
}

impl From<Malformed> for Failed {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error.0)
    }
}

/// Begins: reads SASLInitialResponse, gives the server's first message. `server` carries the certificate
/// where the connection is encrypted.
pub fn first(
    body: &[u8],
    verifier: Verifier,
    server: &ScramServerAuth,
) -> Result<(String, ScramServerAuthWaitingForClientFinal), Failed> {
    let mut body = Body::new(body);
    let mechanism = body.cstr_bytes()?;
    let length = body.i32()?;
    let data = body.bytes(usize::try_from(length).map_err(|_| Failed::Malformed("invalid SASL response"))?)?;
    body.finish()?;
    let bound = match mechanism {
        m if m == PLAIN.as_bytes() => false,
        m if m == PLUS.as_bytes() && server.supports_channel_binding() => true,
        _ => {
            return Err(Failed::Malformed(
                "client selected an invalid SASL authentication mechanism",
            ));
        }
    };
    if data.starts_with(b"p=") != bound {
        return Err(Failed::Malformed(
            "SCRAM mechanism and channel binding flag do not fit together",
        ));
    }
    let secret = ScramSecret::Verifier {
        salt: verifier.salt,
        iterations: verifier.iterations,
        stored_key: verifier.stored_key,
        server_key: verifier.server_key,
    };
    server
        .on_client_first_message_with_secret(data, secret)
        .map_err(|_| Failed::Malformed("malformed SCRAM message"))
}

/// Ends: reads SASLResponse, gives the server's final message if the proof fits.
pub fn last(body: &[u8], waiting: &ScramServerAuthWaitingForClientFinal) -> Result<String, Failed> {
    waiting.on_client_final_message(body).map_err(|_| Failed::WrongPassword)
}

#[cfg(test)]
mod tests {
    use super::*;
    use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

    fn attempt(verifier: Verifier, password: &[u8]) -> bool {
        let server = ScramServerAuth::new();
        let mut client = ScramSha256::new(password, ChannelBinding::unsupported());
        let mut body = b"SCRAM-SHA-256\0".to_vec();
        body.extend_from_slice(&i32::try_from(client.message().len()).unwrap().to_be_bytes());
        body.extend_from_slice(client.message());
        let (answer, waiting) = first(&body, verifier, &server).unwrap();
        client.update(answer.as_bytes()).unwrap();
        match last(client.message(), &waiting) {
            Ok(answer) => client.finish(answer.as_bytes()).is_ok(),
            Err(_) => false,
        }
    }

    #[test]
    fn the_right_password_and_no_other() {
        let stored = postgres_protocol::password::scram_sha_256(b"secret");
        assert!(attempt(Verifier::parse(&stored).unwrap(), b"secret"));
        assert!(!attempt(Verifier::parse(&stored).unwrap(), b"secreT"));
        assert!(!attempt(Verifier::mock("nobody", &[7; 32], 4096), b"secret"));
    }

    #[test]
    fn a_password_that_is_there_as_it_is() {
        let verifier =
            |password: &[u8]| Verifier::parse(&postgres_protocol::password::scram_sha_256(password)).unwrap();
        assert!(verifier(b"secret").fits("secret"));
        assert!(!verifier(b"secret").fits("secreT"));
        // what SASLprep takes for the same, and what it does not take at all
        assert!(verifier("I\u{ad}X".as_bytes()).fits("IX"));
        assert!(verifier(b"a\x07b").fits("a\x07b"));
        assert!(!Verifier::mock("nobody", &[7; 32], 4096).fits("secret"));
    }

    #[test]
    fn a_closed_one_shows_what_an_open_one_shows() {
        let stored = postgres_protocol::password::scram_sha_256(b"secret");
        let verifier = || Verifier::parse(&stored).unwrap();
        let closed = || verifier().closed(Verifier::mock("alice", &[7; 32], 8192));
        assert!(!attempt(closed(), b"secret"));
        assert_eq!(
            (closed().salt, closed().iterations),
            (verifier().salt, verifier().iterations)
        );
    }

    #[test]
    fn a_mock_keeps_its_salt() {
        let salt = |login| Verifier::mock(login, &[7; 32], 4096).salt;
        assert_eq!(salt("a"), salt("a"));
        assert_ne!(salt("a"), salt("b"));
        assert!(Verifier::parse("md5abc").is_none());
        assert!(Verifier::parse("SCRAM-SHA-256$4096:c2FsdA==$c2hvcnQ=:c2hvcnQ=").is_none());
    }
}
