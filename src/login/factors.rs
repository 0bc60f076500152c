//! Second factors that the schema `rowgate` keeps: a number by login there, a key in a file here, and an authenticator's secret
//! made from both, so that whoever reads the database, or a copy of it, knows no code.

use super::kept::{Kept, KeptError};
use super::token::private_secret;
use super::totp;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::path::Path;

/// What the key is derived for.
const PURPOSE: &[u8] = b"rowgate: second factors";
/// Bytes of a number, and of a secret.
const LENGTH: usize = 20;

/// `[login] totp_key`: the same for all rowgates that share a schema.
struct Key([u8; 32]);

impl Key {
    fn load(path: &Path) -> Result<Self, String> {
        let seed = private_secret(path)?;
        Ok(Self(hash(seed.as_bytes(), &[PURPOSE])))
    }

    /// What an authenticator is given, in base 32. A number is of one login alone: in another's place it makes another secret.
    fn secret(&self, login: &str, number: &[u8; LENGTH]) -> String {
        let hash = hash(&self.0, &[b"secret", number, login.as_bytes()]);
        totp::in_base32(hash.first_chunk::<LENGTH>().unwrap_or(&[0; LENGTH]))
    }

    /// Tells one key from another, and nothing else of it.
    fn name(&self) -> String {
        let hash = hash(&self.0, &[b"name"]);
        hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

fn hash(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // a key of any length will do
    let mac = <Hmac<Sha256> as Mac>::new_from_slice(key).ok();
    mac.map(|mac| parts.iter().fold(mac, |mac, part| mac.chain_update(part)))
        .map_or([0; 32], |mac| mac.finalize().into_bytes().into())
}

/// Where they are, and the key.
pub struct Factors {
    kept: Kept,
    key: Key,
}

/// One login's, or one that nobody has: what is asked with it is the same.
pub struct Factor {
    /// What its authenticator has, in base 32.
    pub secret: String,
    number: [u8; LENGTH],
    /// Why no code is right: `None` where one may be.
    pub lacks: Option<Lacks>,
}

/// Why a login has no second factor that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacks {
    /// None was set.
    Any,
    /// It was set with another key.
    Key,
}

impl Factors {
    /// Those of this schema, by the key of this file; nothing is connected yet.
    pub fn open(kept: Kept, key: &Path) -> Result<Self, String> {
        let key = Key::load(key)?;
        Ok(Self { kept, key })
    }

    /// The one of a login; the same question and the same work whoever it is.
    pub async fn of(&self, login: &str) -> Result<Factor, KeptError> {
        const SELECT: &str = "SELECT number, key_name FROM rowgate.second_factor_of($1)";
        let client = self.kept.client().await?;
        let select = client.prepare_cached(SELECT).await?;
        let row = client.query_opt(&select, &[&login]).await?;
        let (mut number, mut lacks) = ([0; LENGTH], Some(Lacks::Any));
        if let Some(row) = row {
            let (stored, key): (&[u8], &str) = (row.try_get(0)?, row.try_get(1)?);
            let of_this_key = key == self.key.name();
            let stored = stored.try_into().ok().filter(|_| of_this_key);
            (number, lacks) = stored.map_or((number, Some(Lacks::Key)), |stored| (stored, None));
        }
        Ok(Factor {
            secret: self.key.secret(login, &number),
            number,
            lacks,
        })
    }

    /// Is this the first code that is taken of this step or a later one, in whichever rowgate? Without a step nothing is
    /// taken, and the same is asked.
    pub async fn take(&self, login: &str, factor: &Factor, step: Option<u64>) -> Result<bool, KeptError> {
        const TAKE: &str = "SELECT rowgate.take_code($1, $2, $3)";
        let step = step.and_then(|step| i64::try_from(step).ok()).unwrap_or(-1);
        let client = self.kept.client().await?;
        let take = client.prepare_cached(TAKE).await?;
        let row = client
            .query_one(&take, &[&login, &factor.number.as_slice(), &step])
            .await?;
        Ok(row.try_get(0)?)
    }

    /// Gives a login another one; the secret for its authenticator, which is kept nowhere.
    pub async fn set(&self, login: &str, by: &str) -> Result<String, KeptError> {
        const SET: &str = "SELECT rowgate.set_second_factor($1, $2, $3, $4)";
        let number: [u8; LENGTH] = rand::random();
        let client = self.kept.fit_client().await?;
        client
            .execute(SET, &[&login, &number.as_slice(), &self.key.name(), &by])
            .await?;
        Ok(self.key.secret(login, &number))
    }
}

/// Takes it away from a login; was there one?
pub async fn remove(kept: &Kept, login: &str, by: &str) -> Result<bool, KeptError> {
    let client = kept.fit_client().await?;
    let row = client
        .query_one("SELECT rowgate.remove_second_factor($1, $2)", &[&login, &by])
        .await?;
    Ok(row.try_get(0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_of_one_key_one_login_and_one_number() {
        let (key, other) = (Key([1; 32]), Key([2; 32]));
        let secret = key.secret("alice", &[3; LENGTH]);
        assert!(totp::is_secret(&secret) && secret.len() == 32);
        assert_eq!(secret, key.secret("alice", &[3; LENGTH]));
        for different in [
            other.secret("alice", &[3; LENGTH]),
            key.secret("bob", &[3; LENGTH]),
            key.secret("alice", &[4; LENGTH]),
        ] {
            assert_ne!(secret, different);
        }
        assert_ne!(key.name(), other.name());
    }
}
