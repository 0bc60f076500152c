//! What people with a role may give others for a time, ask for, and take in an emergency.

use super::file::Spot;
use crate::rights::language::What;
use std::fmt;
use std::time::Duration;

/// `[rights.temporary]` of a role.
#[derive(Debug, Clone)]
pub struct Temporary {
    /// `give`: rows, columns and roles that they may give.
    pub give: Vec<Pattern>,
    /// `to`: to whom they give, share and delegate; never to themselves.
    pub to: Vec<Among>,
    /// `delegate`: whose rows they delegate.
    pub delegate: Vec<Among>,
    /// `share`: tables whose records they share, as far as they view them.
    pub share: Vec<String>,
    /// `suspend`: people whom they suspend.
    pub suspend: Vec<Among>,
    /// `suspend_roles`: roles that they suspend.
    pub suspend_roles: Vec<String>,
    /// `suspend_tables`: tables that they suspend.
    pub suspend_tables: Vec<String>,
    /// `longest`: how long what they give lasts at most; 7 days unless told.
    pub longest: Duration,
    /// `request`: what they may ask for.
    pub request: Vec<Pattern>,
    /// `approve`: who decides on what they ask for.
    pub approve: Vec<Approver>,
    /// `raise`: roles that they may take by themselves, loudly.
    pub raise: Vec<String>,
    /// `raise_for`: for how long at most; 30 minutes unless told.
    pub raise_for: Duration,
}

/// Something that may be given.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// What.
    pub what: What,
    /// Where it is said.
    pub at: Spot,
}

/// People, seen from somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Among {
    /// Oneself.
    Own,
    /// Of the same team.
    Team,
    /// Of one's team or one below.
    TeamTree,
    /// Below oneself in the chain of command.
    Reports,
    /// Everybody.
    All,
}

impl Among {
    /// The words.
    pub const WORDS: [(&'static str, Self); 5] = [
        ("own", Self::Own),
        ("team", Self::Team),
        ("team_tree", Self::TeamTree),
        ("reports", Self::Reports),
        ("all", Self::All),
    ];
}

/// Who decides on a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approver {
    /// Anybody above the one who asks in the chain of command.
    Manager,
    /// Everybody with this role.
    Role(String),
}

impl fmt::Display for Approver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manager => f.write_str("a manager"),
            Self::Role(role) => write!(f, "role {role}"),
        }
    }
}

impl Default for Temporary {
    fn default() -> Self {
        const DAY: u64 = 86_400;
        Self {
            give: Vec::new(),
            to: Vec::new(),
            delegate: Vec::new(),
            share: Vec::new(),
            suspend: Vec::new(),
            suspend_roles: Vec::new(),
            suspend_tables: Vec::new(),
            longest: Duration::from_secs(7 * DAY),
            request: Vec::new(),
            approve: Vec::new(),
            raise: Vec::new(),
            raise_for: Duration::from_secs(1_800),
        }
    }
}
