//! The world at one moment: catalogue, policies and directory, immutable, swapped as one.

use crate::catalog::Catalog;
use crate::identity::directory::Directory;
use crate::policy::PolicySet;
use std::sync::Arc;

/// Everything a judgement depends on beside the statement, the person and their session.
#[derive(Debug, Clone)]
pub struct World {
    /// What exists.
    pub catalog: Arc<Catalog>,
    /// What is allowed.
    pub policies: Arc<PolicySet>,
    /// Who people are.
    pub directory: Arc<Directory>,
    /// Counts up with every swap.
    pub generation: u64,
}
