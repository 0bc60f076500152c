//! Who people are: users, roles, teams and managers, read from the database the CRM already keeps.

use crate::identity::Principal;
use std::collections::HashMap;
use std::sync::Arc;

/// Everybody, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    people: HashMap<String, Arc<Principal>>,
}

impl Directory {
    /// The active person of this login; inactive and unknown people are both `None`.
    pub fn principal(&self, login: &str) -> Option<&Arc<Principal>> {
        self.people.get(login)
    }
}
