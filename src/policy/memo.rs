//! Decisions already made: a person asks the same of the same relation again and again.

use crate::catalog::Oid;
use crate::identity::Principal;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// The most decisions that are kept; beyond it all are forgotten and made anew.
const MOST: usize = 4096;

/// Decisions by login and relation. What they depend on beside the person has its own, so that nothing outlives it.
#[derive(Debug)]
pub struct Memo<T>(RwLock<Held<T>>);

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

#[derive(Debug)]
struct Held<T> {
    people: HashMap<String, Person<T>>,
    count: usize,
}

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self {
            people: HashMap::new(),
            count: 0,
        }
    }
}

/// What was decided for somebody, and who they were then.
#[derive(Debug)]
struct Person<T> {
    who: Principal,
    decided: HashMap<Oid, T>,
}

impl<T: Clone> Memo<T> {
    /// The decision, made now unless it was made for exactly this person before.
    pub fn get_or(&self, who: &Principal, relation: Oid, decide: impl FnOnce() -> T) -> T {
        if let Some(known) = self.known(who, relation) {
            return known;
        }
        let decided = decide();
        self.keep(who, relation, &decided);
        decided
    }

    fn known(&self, who: &Principal, relation: Oid) -> Option<T> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let person = held.people.get(&who.login)?;
        (person.who == *who).then(|| person.decided.get(&relation).cloned())?
    }

    fn keep(&self, who: &Principal, relation: Oid, decided: &T) {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if held.count >= MOST {
            *held = Held::default();
        }
        let person = held.people.entry(who.login.clone()).or_insert_with(|| Person {
            who: who.clone(),
            decided: HashMap::new(),
        });
        if person.who == *who && person.decided.insert(relation, decided.clone()).is_none() {
            held.count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Access;

    #[test]
    fn somebody_else_under_the_same_login_is_judged_anew() {
        let memo = Memo::<Access>::default();
        let rep = Principal {
            login: "ann".to_owned(),
            roles: vec!["rep".to_owned()],
            ..Principal::default()
        };
        let nobody = Principal {
            roles: Vec::new(),
            ..rep.clone()
        };
        assert_eq!(memo.get_or(&rep, 1, || Access::Open), Access::Open);
        assert_eq!(memo.get_or(&rep, 1, || Access::Denied), Access::Open);
        assert_eq!(memo.get_or(&rep, 2, || Access::Denied), Access::Denied);
        assert_eq!(memo.get_or(&nobody, 1, || Access::Denied), Access::Denied);
        assert_eq!(memo.get_or(&rep, 1, || Access::Denied), Access::Open);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let memo = Memo::<Access>::default();
        let who = Principal::default();
        for relation in 0..2 * MOST {
            memo.get_or(&who, u32::try_from(relation).unwrap(), || Access::Open);
        }
        assert!(memo.0.read().unwrap().count <= MOST);
    }
}
