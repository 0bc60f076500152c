//! The claims of a JSON Web Token whose signature has been checked by a key and an algorithm that the token has not chosen.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// Why a token is refused: a word for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit(pub &'static str);

/// What a token that holds proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// Whose it is.
    pub login: String,
    /// When it is taken no more, in seconds since 1970; the distance that clocks may have is in it.
    pub until: u64,
}

/// The header, as far as anybody looks at it before the signature is checked.
pub struct Head {
    /// The algorithm's name as the token claims it.
    pub algorithm: String,
    /// Which key it names.
    pub key: Option<String>,
}

impl Head {
    /// Reads it. A header that asks for more than everybody understands (`crit`) is refused.
    pub fn of(token: &str) -> Result<Self, Unfit> {
        let malformed = Unfit("token-malformed");
        let mut parts = token.split('.');
        let (Some(head), Some(_), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed);
        };
        let head = URL_SAFE_NO_PAD.decode(head).map_err(|_| malformed)?;
        let head: Map<String, Value> = serde_json::from_slice(&head).map_err(|_| malformed)?;
        let algorithm = head.get("alg").and_then(Value::as_str).ok_or(malformed)?;
        if signature.is_empty() || head.contains_key("crit") {
            return Err(malformed);
        }
        let key = match head.get("kid") {
            None => None,
            Some(Value::String(key)) => Some(key.clone()),
            Some(_) => return Err(malformed),
        };
        Ok(Self {
            algorithm: algorithm.to_owned(),
            key,
        })
    }
}

/// What a token claims.
#[derive(Debug)]
pub struct Claims(pub Map<String, Value>);

impl Claims {
    /// Those of a token that the key has signed by just this algorithm.
    pub fn signed(token: &str, key: &DecodingKey, algorithm: Algorithm) -> Result<Self, Unfit> {
        Head::of(token)?;
        // what else is asked of claims is asked in one place, `hold`, which refuses what it cannot read
        let mut signature_alone = Validation::new(algorithm);
        signature_alone.required_spec_claims = HashSet::new();
        signature_alone.validate_exp = false;
        signature_alone.validate_aud = false;
        let decoded = jsonwebtoken::decode::<Map<String, Value>>(token, key, &signature_alone);
        decoded
            .map(|data| Self(data.claims))
            .map_err(|_| Unfit("token-not-signed-by-a-known-key"))
    }

    /// Do they hold at this moment, from this issuer and for this audience? Times in seconds since 1970.
    pub fn hold(&self, now: f64, leeway: f64, issuer: &str, audience: &str) -> Result<(), Unfit> {
        if self.text("iss")? != issuer {
            return Err(Unfit("token-of-another-issuer"));
        }
        let for_us = match self.0.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(audience)),
            _ => false,
        };
        if !for_us {
            return Err(Unfit("token-for-another-audience"));
        }
        if now >= self.number("exp")? + leeway {
            return Err(Unfit("token-expired"));
        }
        if self.0.contains_key("nbf") && self.number("nbf")? > now + leeway {
            return Err(Unfit("token-not-yet-valid"));
        }
        Ok(())
    }

    /// From when on `hold` refuses them for their age, in seconds since 1970.
    pub fn until(&self, leeway: f64) -> Result<u64, Unfit> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let until = (self.number("exp")? + leeway).ceil() as u64;
        Ok(until)
    }

    /// A claim that must be a number.
    pub fn number(&self, name: &str) -> Result<f64, Unfit> {
        let number = self.0.get(name).and_then(Value::as_f64);
        number.filter(|n| n.is_finite()).ok_or(Unfit("token-lacks-a-claim"))
    }

    /// A claim that must be text.
    pub fn text(&self, name: &str) -> Result<&str, Unfit> {
        let text = self.0.get(name).and_then(Value::as_str);
        text.filter(|t| !t.is_empty()).ok_or(Unfit("token-lacks-a-claim"))
    }
}
