//! Every temporary right that there is, as it was read at one moment.

use crate::identity::held::Gift;
use std::time::SystemTime;

/// All of them. Which are in force is a question of the time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The rights, by number.
    pub rights: Vec<Right>,
    /// Since when nobody knows whether they are still as they are here; `None` while that is known.
    pub lost: Option<Lost>,
}

/// The schema cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// Since then.
    pub since: SystemTime,
    /// From then on nothing that was given holds any more.
    pub end: SystemTime,
}

/// One right, or its absence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// Its number.
    pub number: i64,
    /// What it is about.
    pub subject: Subject,
    /// Who gave it, as the history has them.
    pub given_by: String,
    /// When it begins.
    pub starts: SystemTime,
    /// When it ends; `None` lasts until somebody ends it.
    pub until: Option<SystemTime>,
}

/// What a right is about. Names are those of the policies and the directory; what they do not know has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Somebody may do more with a table.
    Grant {
        /// Who.
        login: String,
        /// With which table.
        table: String,
        /// What.
        gift: Gift,
    },
    /// Somebody has another role; to raise oneself is that, too.
    Role {
        /// Who.
        login: String,
        /// Which.
        role: String,
    },
    /// Somebody stands in for somebody else.
    Delegation {
        /// Who stands in.
        login: String,
        /// For whom.
        delegator: String,
        /// In which table alone.
        table: Option<String>,
    },
    /// A record is shared.
    Share {
        /// With whom.
        with: With,
        /// The table.
        table: String,
        /// The record's key.
        key: Vec<String>,
    },
    /// Somebody may not come in.
    SuspendPerson(String),
    /// A role gives nothing.
    SuspendRole(String),
    /// Nobody gets at a table.
    SuspendTable(String),
}

/// With whom a record is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum With {
    /// Somebody.
    Person(String),
    /// A team, by its number or name as the directory has it.
    Team(String),
}

impl Subject {
    /// Does it take something away?
    pub fn is_brake(&self) -> bool {
        match self {
            Self::SuspendPerson(_) | Self::SuspendRole(_) | Self::SuspendTable(_) => true,
            Self::Grant { .. } | Self::Role { .. } | Self::Delegation { .. } | Self::Share { .. } => false,
        }
    }
}

impl Snapshot {
    /// The rights that hold at a moment. While nobody knows what has changed meanwhile, what was given ends as it
    /// would have, and what was taken away stays taken away; later nothing that was given holds.
    pub fn at(&self, now: SystemTime) -> impl Iterator<Item = &Right> {
        self.rights.iter().filter(move |right| {
            let brake = right.subject.is_brake();
            let end = match (right.until, self.lost) {
                (until, Some(lost)) if brake => until.filter(|end| *end <= lost.since),
                (Some(until), Some(lost)) => Some(until.min(lost.end)),
                (None, Some(lost)) => Some(lost.end),
                (until, None) => until,
            };
            right.starts <= now && end.is_none_or(|end| now < end)
        })
    }

    /// The next moment after this one at which something begins or ends.
    pub fn next_change(&self, now: SystemTime) -> Option<SystemTime> {
        let ends = self.lost.map(|lost| lost.end);
        let moments = self.rights.iter().flat_map(|r| [Some(r.starts), r.until]);
        moments.chain([ends]).flatten().filter(|at| *at > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn moment(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn right(number: i64, subject: Subject, until: Option<u64>) -> Right {
        Right {
            number,
            subject,
            given_by: "ann".to_owned(),
            starts: moment(10),
            until: until.map(moment),
        }
    }

    fn numbers(snapshot: &Snapshot, seconds: u64) -> Vec<i64> {
        snapshot.at(moment(seconds)).map(|r| r.number).collect()
    }

    fn some() -> Snapshot {
        let role = Subject::Role {
            login: "ann".to_owned(),
            role: "r".to_owned(),
        };
        let brake = Subject::SuspendPerson("bea".to_owned());
        Snapshot {
            rights: vec![
                right(1, role.clone(), Some(20)),
                right(2, role, None),
                right(3, brake.clone(), Some(20)),
                right(4, brake, None),
            ],
            lost: None,
        }
    }

    #[test]
    fn rights_begin_and_end_to_the_moment() {
        let known = some();
        assert_eq!(numbers(&known, 9), [0; 0]);
        assert_eq!(numbers(&known, 10), [1, 2, 3, 4]);
        assert_eq!(numbers(&known, 19), [1, 2, 3, 4]);
        assert_eq!(numbers(&known, 20), [2, 4]);
        assert_eq!(known.next_change(moment(9)), Some(moment(10)));
        assert_eq!(known.next_change(moment(10)), Some(moment(20)));
        assert_eq!(known.next_change(moment(20)), None);
    }

    #[test]
    fn what_cannot_be_known_gives_nothing_more() {
        let lost = Snapshot {
            lost: Some(Lost {
                since: moment(15),
                end: moment(30),
            }),
            ..some()
        };
        assert_eq!(numbers(&lost, 19), [1, 2, 3, 4]);
        // the brake that would have ended may have been prolonged
        assert_eq!(numbers(&lost, 25), [2, 3, 4]);
        assert_eq!(numbers(&lost, 30), [3, 4]);
        assert_eq!(lost.next_change(moment(20)), Some(moment(30)));
    }
}
