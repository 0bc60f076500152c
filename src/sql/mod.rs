//! How a statement is secured: parse → agree → classify → resolve → rewrite → verify.

pub mod explain_output;
pub mod lists;
pub mod verify;

use crate::catalog::Oid;
use crate::gate::{Judgement, SessionView};
use crate::identity::Principal;
use crate::refusal::Refusal;
use crate::world::World;

/// Takes a text through every stage.
pub fn secure(
    _text: &str,
    _who: &Principal,
    _session: &SessionView,
    _parameter_types: &[Oid],
    _world: &World,
) -> Result<Judgement, Refusal> {
    Err(Refusal::unsupported("not-secured", "statements cannot be secured yet"))
}
