//! What may be used once only: numbers of tokens and steps of one-time passwords, until they would have ended anyway.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Most that are remembered; where there are more, nothing that may be used once is taken.
const MOST: usize = 65_536;

/// What has been used.
#[derive(Debug, Default)]
pub struct Used(Mutex<HashMap<String, u64>>);

impl Used {
    /// Is it used for the first time? `ends` and `now` in seconds since 1970.
    pub fn first_time(&self, what: String, ends: u64, now: u64) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.retain(|_, ends| *ends >= now);
        }
        all.len() < MOST && all.insert(what, ends).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once() {
        let used = Used::default();
        assert!(used.first_time("a".to_owned(), 10, 1));
        assert!(!used.first_time("a".to_owned(), 10, 2));
        assert!(used.first_time("b".to_owned(), 10, 2));
        for number in 0..MOST - 2 {
            assert!(used.first_time(number.to_string(), 20, 2));
        }
        assert!(!used.first_time("c".to_owned(), 20, 10));
        assert!(used.first_time("c".to_owned(), 20, 11));
        assert!(!used.first_time("5".to_owned(), 20, 11));
    }
}
