//! Decisions already made: a person asks the same of the same relation again and again.

use super::decision::Access;
use crate::catalog::Oid;
use crate::identity::Principal;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// The most decisions that are kept; beyond it all are forgotten and made anew.
const MOST: usize = 4096;

/// Decisions by login and relation. A set of policies has its own, so that nothing outlives the set.
#[derive(Debug, Default)]
pub(super) struct Memo(RwLock<Held>);

#[derive(Debug, Default)]
struct Held {
    people: HashMap<String, Person>,
    count: usize,
}

/// What was decided for somebody, and who they were then.
#[derive(Debug)]
struct Person {
    who: Principal,
    decided: HashMap<Oid, Access>,
}

impl Memo {
    /// The decision, made now unless it was made for exactly this person before.
    pub(super) fn get_or(&self, who: &Principal, relation: Oid, decide: impl FnOnce() -> Access) -> Access {
        if let Some(known) = self.known(who, relation) {
            return known;
        }
        let decided = decide();
        self.keep(who, relation, &decided);
        decided
    }

    fn known(&self, who: &Principal, relation: Oid) -> Option<Access> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let person = held.people.get(&who.login)?;
        (person.who == *who).then(|| person.decided.get(&relation).cloned())?
    }

    fn keep(&self, who: &Principal, relation: Oid, decided: &Access) {
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

    #[test]
    fn somebody_else_under_the_same_login_is_judged_anew() {
        let memo = Memo::default();
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
        let memo = Memo::default();
        let who = Principal::default();
        for relation in 0..2 * MOST {
            memo.get_or(&who, u32::try_from(relation).unwrap(), || Access::Open);
        }
        assert!(memo.0.read().unwrap().count <= MOST);
    }
}
