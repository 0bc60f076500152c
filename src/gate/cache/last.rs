//! What a session's last text was filled into: the next one often has the same shape, and is found without a search.

use super::shapes::Template;
use super::{Ask, Judgement};
use crate::gate::SessionView;
use crate::world::standing::Standing;
use std::sync::Arc;

/// A template and all that its judgement follows from beside the text. It may have been dropped from the cache since.
#[derive(Debug)]
pub struct Last<M> {
    template: Arc<Template<M>>,
    types: Box<[crate::catalog::Oid]>,
    view: Arc<SessionView>,
    generation: u64,
    standing: Arc<Standing>,
}

impl<M> Last<M> {
    pub(super) fn new(ask: &Ask<'_>, template: Arc<Template<M>>) -> Self {
        Self {
            template,
            types: ask.types.into(),
            view: Arc::clone(ask.view),
            generation: ask.world.generation,
            standing: Arc::clone(ask.standing),
        }
    }

    /// The judgement of a text of the same shape, of the same person in the same world.
    pub(super) fn filled(&self, ask: &Ask<'_>) -> Option<(Judgement, Arc<M>)> {
        let same = self.generation == ask.world.generation
            && Arc::ptr_eq(&self.standing, ask.standing)
            && ask.standing.is_under(ask.world)
            && Arc::ptr_eq(&self.view, ask.view)
            && *self.types == *ask.types;
        if same { self.template.of_text(ask.text) } else { None }
    }
}
