//! Tokens of an identity provider (OpenID Connect): which keys sign them, and what they must claim.

use super::claims::{Claims, Head, Pass, Unfit};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// Algorithms that a configuration may allow: none with a shared secret, so that no public key can be taken for one.
pub const ALGORITHMS: [(&str, Algorithm); 9] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

/// `[jwt]`: whose tokens are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// `issuer`: what the claim `iss` must be.
    pub issuer: String,
    /// `audience`: what `aud` must be, or hold.
    pub audience: String,
    /// `scope`: what OAUTHBEARER tells clients to ask the provider for; `openid` unless told.
    pub scope: String,
    /// `discovery`: the document that OAUTHBEARER tells clients about the provider; the issuer's
    /// `/.well-known/openid-configuration` unless told.
    pub discovery: Option<String>,
    /// `claim`: which claim names the login; `preferred_username` unless told.
    pub claim: String,
    /// `algorithms`: which are taken, out of [`ALGORITHMS`]; `RS256` unless told.
    pub algorithms: Vec<Algorithm>,
    /// `leeway`: how far clocks may be apart; 30 s unless told.
    pub leeway: Duration,
    /// `keys_file` or `keys_url`.
    pub keys: Keys,
    /// `refresh`: after how long the keys are read again; 5 min unless told.
    pub refresh: Duration,
}

/// Where a provider's keys are (a JWKS, RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// A file.
    File(PathBuf),
    /// A URL, and a PEM file with the authorities that its host's certificate must come from, in place of the public
    /// ones.
    Url(String, Option<PathBuf>),
}

/// Public keys of one provider at one moment.
#[derive(Default)]
pub struct KeySet(Vec<Key>);

struct Key {
    name: Option<String>,
    fits: Vec<Algorithm>,
    key: DecodingKey,
}

impl KeySet {
    /// Reads a JWKS. Keys that are not for signatures, or of a kind that is not known, are left out.
    pub fn parse(text: &str) -> Result<Self, String> {
        let document: Value = serde_json::from_str(text).map_err(|e| format!("it is not JSON: {e}"))?;
        let keys = document
            .get("keys")
            .and_then(Value::as_array)
            .ok_or("it has no list \"keys\"")?;
        let set: Vec<Key> = keys.iter().filter_map(Key::read).collect();
        if set.is_empty() {
            return Err("it holds no public key for signatures".to_owned());
        }
        Ok(Self(set))
    }

    /// The key that a header names, for an algorithm that it can be used by. A header that names none is taken where
    /// there is one key alone.
    fn find(&self, head: &Head, algorithm: Algorithm) -> Option<&DecodingKey> {
        let mut fitting = self.0.iter().filter(|key| key.fits.contains(&algorithm));
        match &head.key {
            Some(name) => fitting.find(|key| key.name.as_ref() == Some(name)).map(|key| &key.key),
            None => fitting.next().filter(|_| fitting.next().is_none()).map(|key| &key.key),
        }
    }
}

impl Key {
    fn read(value: &Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
        if jwk
            .common
            .public_key_use
            .as_ref()
            .is_some_and(|for_what| *for_what != PublicKeyUse::Signature)
        {
            return None;
        }
        let operations = jwk.common.key_operations.as_deref();
        if operations.is_some_and(|all| !all.contains(&KeyOperations::Verify)) {
            return None;
        }
        let kind: &[&str] = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
            AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
                EllipticCurve::P256 => &["ES256"],
                EllipticCurve::P384 => &["ES384"],
                EllipticCurve::P521 | EllipticCurve::Ed25519 => return None,
            },
            AlgorithmParameters::OctetKeyPair(pair) => match pair.curve {
                EllipticCurve::Ed25519 => &["EdDSA"],
                EllipticCurve::P256 | EllipticCurve::P384 | EllipticCurve::P521 => return None,
            },
            AlgorithmParameters::OctetKey(_) => return None,
        };
        let named = value.get("alg").and_then(Value::as_str);
        let fits: Vec<Algorithm> = ALGORITHMS
            .iter()
            .filter(|(name, _)| kind.contains(name) && named.is_none_or(|named| named == *name))
            .map(|(_, algorithm)| *algorithm)
            .collect();
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        (!fits.is_empty()).then_some(Self {
            name: jwk.common.key_id,
            fits,
            key,
        })
    }
}

/// What checking a token by one set of keys yields.
#[derive(Debug, PartialEq, Eq)]
pub enum Checked {
    /// It holds: the login that it names, and until when.
    Holds(Pass),
    /// Its key is not among them: a newer set may have it.
    UnknownKey,
    /// It does not hold.
    Unfit(Unfit),
}

impl Provider {
    /// Checks a token; `now` in seconds since 1970.
    pub fn check(&self, token: &str, keys: &KeySet, now: f64) -> Checked {
        let unfit = |word| Checked::Unfit(Unfit(word));
        let head = match Head::of(token) {
            Ok(head) => head,
            Err(error) => return Checked::Unfit(error),
        };
        let known = ALGORITHMS.iter().find(|(name, _)| *name == head.algorithm);
        let Some((_, algorithm)) = known.filter(|(_, algorithm)| self.algorithms.contains(algorithm)) else {
            return unfit("token-algorithm-not-allowed");
        };
        let Some(key) = keys.find(&head, *algorithm) else {
            return Checked::UnknownKey;
        };
        let pass = Claims::signed(token, key, *algorithm).and_then(|claims| {
            let leeway = self.leeway.as_secs_f64();
            claims.hold(now, leeway, &self.issuer, &self.audience)?;
            Ok(Pass {
                login: claims.text(&self.claim)?.to_owned(),
                until: claims.until(leeway)?,
            })
        });
        pass.map_or_else(Checked::Unfit, Checked::Holds)
    }
}
