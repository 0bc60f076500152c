//! Short-lived tokens that rowgate signs itself and takes as the password: JWTs of one issuer, one audience and one algorithm,
//! which the key decides and no token does.

use super::claims::{Claims, Pass, Unfit};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// Issuer and audience of every token.
const ROWGATE: &str = "rowgate";
/// Shortest secret, in characters.
const SHORTEST: usize = 32;
/// How far the clocks of two machines may be apart, in seconds.
const LEEWAY: f64 = 30.0;
/// What stands before the 32 bytes of an Ed25519 public key (RFC 8410).
const ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Checks tokens.
pub struct Tokens {
    key: DecodingKey,
    algorithm: Algorithm,
    longest: Duration,
}

/// Makes tokens.
pub struct Signer {
    key: EncodingKey,
    algorithm: Algorithm,
}

/// What a valid token says.
#[derive(Debug, PartialEq, Eq)]
pub struct Token {
    /// Whose it is, and until when.
    pub pass: Pass,
    /// Where it is good for one login only: its number.
    pub once: Option<String>,
}

impl Tokens {
    /// Reads `[token] key`: a secret of at least 32 characters (HMAC), or an Ed25519 public key (PEM). `longest` is the
    /// longest time that a token may be good for.
    pub fn load(path: &Path, longest: Duration) -> Result<Self, String> {
        let text = read(path)?;
        let (key, algorithm) = if is_pem(&text) {
            let der = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes())
                .map_err(|_| format!("{} holds no public key", path.display()))?;
            let raw = der.strip_prefix(ED25519.as_slice()).filter(|raw| raw.len() == 32);
            let raw = raw.ok_or_else(|| format!("{} holds no Ed25519 public key", path.display()))?;
            (DecodingKey::from_ed_der(raw), Algorithm::EdDSA)
        } else {
            (
                DecodingKey::from_secret(secret(path, &text)?.as_bytes()),
                Algorithm::HS256,
            )
        };
        Ok(Self {
            key,
            algorithm,
            longest,
        })
    }

    /// What a token says, if it is one of ours and holds now; `now` in seconds since 1970.
    pub fn check(&self, token: &str, now: f64) -> Result<Token, Unfit> {
        let claims = Claims::signed(token, &self.key, self.algorithm)?;
        claims.hold(now, LEEWAY, ROWGATE, ROWGATE)?;
        let (from, ends) = (claims.number("iat")?, claims.number("exp")?);
        if from > now + LEEWAY || ends - from > self.longest.as_secs_f64() {
            return Err(Unfit("token-too-long"));
        }
        let once = match claims.0.get("once") {
            None => None,
            Some(_) => Some(claims.text("jti")?.to_owned()),
        };
        let pass = Pass {
            login: claims.text("sub")?.to_owned(),
            until: claims.until(LEEWAY)?,
        };
        Ok(Token { pass, once })
    }
}

impl Signer {
    /// Reads the secret, or an Ed25519 private key (PEM, PKCS #8).
    pub fn load(path: &Path) -> Result<Self, String> {
        let text = read(path)?;
        if !is_pem(&text) {
            let key = EncodingKey::from_secret(secret(path, &text)?.as_bytes());
            let algorithm = Algorithm::HS256;
            return Ok(Self { key, algorithm });
        }
        private(path)?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes())
            .map_err(|_| format!("{} holds no private key: tokens are signed with one", path.display()))?;
        Ok(Self {
            key: EncodingKey::from_ed_der(der.secret_pkcs8_der()),
            algorithm: Algorithm::EdDSA,
        })
    }

    /// A token for a login, good from `now` (seconds since 1970) for so long.
    pub fn sign(&self, login: &str, now: u64, good_for: Duration, once: bool) -> Result<String, String> {
        let number = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
        let mut claims = json!({
            "iss": ROWGATE, "aud": ROWGATE, "sub": login, "iat": now, "exp": now + good_for.as_secs(), "jti": number,
        });
        if let (true, Some(claims)) = (once, claims.as_object_mut()) {
            claims.insert("once".to_owned(), json!(true));
        }
        jsonwebtoken::encode(&Header::new(self.algorithm), &claims, &self.key)
            .map_err(|e| format!("the key cannot sign: {e}"))
    }
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("cannot read the key {}: {e}", path.display()))
}

fn is_pem(text: &str) -> bool {
    text.contains("-----BEGIN")
}

fn secret<'t>(path: &Path, text: &'t str) -> Result<&'t str, String> {
    private(path)?;
    let secret = text.trim();
    if secret.chars().count() < SHORTEST || secret.contains(char::is_whitespace) {
        let path = path.display();
        return Err(format!(
            "{path} must hold one secret of at least {SHORTEST} characters; make one with: openssl rand -base64 48"
        ));
    }
    Ok(secret)
}

/// A file that holds one secret, as a key of tokens by HMAC does.
pub fn private_secret(path: &Path) -> Result<String, String> {
    let text = read(path)?;
    secret(path, &text).map(str::to_owned)
}

/// A secret that everybody on the machine can read is none.
fn private(path: &Path) -> Result<(), String> {
    let mode = std::fs::metadata(path).map(|m| m.permissions().mode()).unwrap_or(0);
    if mode & 0o007 == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(format!("{path} is open to everybody on this machine: chmod o= {path}"))
}
