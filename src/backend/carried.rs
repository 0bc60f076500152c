//! What of clients' sessions stands on a connection that they share, one transaction after the other.

use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Settings that differ from those of a fresh connection, by name.
pub type Settings = Arc<BTreeMap<String, Setting>>;

/// A setting in the server's own words.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Setting {
    /// `pg_settings.setting`
    pub value: String,
    /// `pg_settings.reset_val`: what it is on a fresh connection.
    pub default: String,
}

/// What a prepared statement is known by: a cryptographic hash of the text that was sent and its parameter types.
pub type Digest = [u8; 32];

/// What is prepared is one thing under each set of settings: a literal of a date or a time is read when its statement
/// is prepared.
pub fn mark_of(settings: &Settings) -> Digest {
    let mut hash = Sha256::new();
    for (name, setting) in settings.iter() {
        for part in [name, &setting.value] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
    }
    hash.finalize().into()
}

/// A mark that no set of settings has, nor anybody else.
pub fn mark_of_nobody() -> Digest {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    Sha256::new()
        .chain_update("nobody")
        .chain_update(number.to_be_bytes())
        .finalize()
        .into()
}

/// What stands on one connection.
#[derive(Debug, Default)]
pub struct Carried {
    /// Settings in force beside its own.
    pub settings: Settings,
    /// Prepared statements.
    pub statements: Statements,
    /// What the unnamed statement is, if it is known.
    pub unnamed: Option<Digest>,
    /// Code of the database's own users has run: nobody knows what it has left.
    pub unknown: bool,
    /// The session that held it last; 0 for none.
    pub session: u64,
    /// More than one session has held it since everything was discarded.
    pub mixed: bool,
}

/// Prepared statements under names of rowgate's own.
#[derive(Debug, Default)]
pub struct Statements {
    known: HashMap<Digest, Known, BuildHasherDefault<First8>>,
    made: u64,
    clock: u64,
    /// Names that are no longer wanted.
    obsolete: Vec<Box<str>>,
}

#[derive(Debug)]
struct Known {
    name: Box<str>,
    used: u64,
    noted: u64,
}

impl Statements {
    /// The name of a statement that is there.
    pub fn find(&mut self, digest: &Digest) -> Option<&str> {
        self.clock += 1;
        let known = self.known.get_mut(digest)?;
        known.used = self.clock;
        Some(&known.name)
    }

    /// In which of a session's segments it was sent, if it is there. Of a segment of another session nothing is open.
    pub fn noted(&self, digest: &Digest) -> Option<u64> {
        self.known.get(digest).map(|known| known.noted)
    }

    /// A name for one that is not, at most `most` in all: the one that was used longest ago is no longer wanted. `noted`
    /// is the session's segment.
    pub fn add(&mut self, digest: Digest, most: usize, noted: u64) -> &str {
        if self.known.len() >= most
            && let Some(oldest) = self.known.iter().min_by_key(|(_, k)| k.used).map(|(d, _)| *d)
        {
            self.forget(&oldest);
        }
        self.made += 1;
        self.clock += 1;
        let known = Known {
            name: format!("rowgate:{}", self.made).into(),
            used: self.clock,
            noted,
        };
        &self.known.entry(digest).insert_entry(known).into_mut().name
    }

    /// It is not there, or shall not be.
    pub fn forget(&mut self, digest: &Digest) {
        self.obsolete.extend(self.known.remove(digest).map(|k| k.name));
    }

    /// All of them have gone.
    pub fn clear(&mut self) {
        self.known.clear();
        self.obsolete.clear();
    }

    /// Names to close.
    pub fn obsolete(&mut self) -> Vec<Box<str>> {
        std::mem::take(&mut self.obsolete)
    }

    /// Is there any to close?
    pub fn has_obsolete(&self) -> bool {
        !self.obsolete.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// None?
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

/// The first eight bytes of a digest are as good a hash as any.
#[derive(Debug, Default)]
struct First8(u64);

impl Hasher for First8 {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 ^= u64::from_ne_bytes(*first);
        }
    }

    fn write_usize(&mut self, _: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: u8) -> Digest {
        [n; 32]
    }

    #[test]
    fn the_one_used_longest_ago_goes() {
        let mut statements = Statements::default();
        let a = statements.add(digest(1), 2, 1).to_owned();
        let b = statements.add(digest(2), 2, 1).to_owned();
        assert_eq!(statements.find(&digest(1)), Some(a.as_str()));
        statements.add(digest(3), 2, 1);
        assert_eq!(statements.find(&digest(2)), None);
        assert_eq!(statements.find(&digest(1)), Some(a.as_str()));
        assert_eq!(statements.obsolete(), [b.into()]);
        assert_eq!(statements.len(), 2);
    }
}
