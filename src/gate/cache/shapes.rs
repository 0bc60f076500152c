//! Texts that differ in literals alone: one of them is judged, and what it was judged to be is filled with the others'
//! literals.
//!
//! Which literals may differ PostgreSQL's tree says (`sql/shape/free.rs`); the values of all others are part of the key.
//! And it is tried out: when a shape comes for the second time, a probe with other literals is judged as well, and
//! what its judgement gives with the client's literals filled in has to be the client's judgement in every part.

use super::{Ask, Cache, Entry, Key, Sought, Weigh};
use crate::gate::{Judged, Judgement};
use crate::sql::shape::outline::Outline;
use crate::sql::shape::probe::Probe;
use crate::sql::shape::{Class, Shape, free};
use crate::sql::verify;
use crate::world::standing::{Fact, Question};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A shape of which several texts have come.
#[derive(Debug)]
pub(super) struct Shaped {
    pub(super) number: u64,
    /// For each literal, whether texts that share a judgement may differ in it.
    pub(super) free: Box<[bool]>,
}

impl Shaped {
    fn new(free: Vec<bool>) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self {
            number: LAST.fetch_add(1, Ordering::Relaxed),
            free: free.into(),
        }
    }

    fn values<'t>(&self, literals: impl Iterator<Item = &'t str>, free: bool) -> impl Iterator<Item = &'t str> {
        let wanted = self.free.iter().map(move |is_free| *is_free == free);
        literals
            .zip(wanted)
            .filter(|(_, wanted)| *wanted)
            .map(|(value, _)| value)
    }

    /// The literals that texts which share a judgement have in common.
    pub(super) fn pinned<'t>(&self, shape: &'t Shape, text: &'t str) -> impl Iterator<Item = &'t str> {
        self.values(shape.texts(text), false)
    }

    fn all_free(&self) -> bool {
        self.free.iter().all(|free| *free)
    }
}

/// A judgement with places for literals.
#[derive(Debug)]
pub(super) struct Template<M> {
    text: verify::Template,
    statements: Arc<[Judged]>,
    memo: Arc<M>,
    outline: Outline,
    shaped: Arc<Shaped>,
    /// The values of the literals that are not free.
    pinned: Box<[Box<str>]>,
}

impl<M> Template<M> {
    /// The judgement of a text of which these are the literals, all of them.
    fn fill(&self, literals: &[&str]) -> Option<(Judgement, Arc<M>)> {
        let text = if self.pinned.is_empty() {
            self.text.fill(literals)
        } else {
            let free: Vec<&str> = self.shaped.values(literals.iter().copied(), true).collect();
            self.text.fill(&free)
        };
        let judgement = Judgement {
            text: text?,
            statements: Arc::clone(&self.statements),
        };
        Some((judgement, Arc::clone(&self.memo)))
    }

    /// The judgement of a text, if it is of this shape and has the same values where they matter.
    pub(super) fn of_text(&self, text: &str) -> Option<(Judgement, Arc<M>)> {
        let literals = self.outline.literals(text)?;
        let mut pinned = self.shaped.values(literals.iter().copied(), false);
        let same = self.pinned.is_empty() || pinned.by_ref().eq(self.pinned.iter().map(AsRef::as_ref));
        if same { self.fill(&literals) } else { None }
    }

    fn bytes(&self) -> u64 {
        let own = self.text.heap_bytes() + self.outline.heap_bytes() + size_of_val(&*self.pinned);
        let values: usize = self.pinned.iter().map(|v| v.len()).sum();
        u64::try_from(own + values).unwrap_or(u64::MAX / 4)
    }
}

/// Judges a text and says what was asked for it.
pub type Judge<'j> = &'j dyn Fn(&str) -> Option<(Judgement, Vec<(Question, Fact)>)>;

impl<V: Weigh, M: Default> Cache<V, M> {
    /// What a text of this shape is filled into.
    pub(super) fn template(&self, ask: &Ask<'_>, shape: &Shape) -> Option<Arc<Template<M>>> {
        let store = self.store.as_ref()?;
        let Some(Entry::Shaped(shaped)) = store.get(&ask.key(Some(shape))) else {
            return None;
        };
        let key = Sought::Pinned {
            shape: &shaped,
            literals: shape,
            text: ask.text,
        };
        match self.found_as(ask, &key)? {
            Entry::Template(template, _) => Some(template),
            _ => None,
        }
    }

    /// Learns from a text that was judged by itself: notes that its shape came, or makes what later ones are filled
    /// from.
    pub fn learn(
        &self,
        ask: &Ask<'_>,
        shape: &Shape,
        judgement: &Judgement,
        asked: &[(Question, Fact)],
        judge: Judge<'_>,
    ) {
        let Some(store) = self.store.as_ref() else { return };
        let shaped = match store.peek(&ask.key(Some(shape))) {
            Some(Entry::Shaped(shaped)) => shaped,
            Some(Entry::Seen) => {
                let free = free::literals(ask.text, shape).filter(|free| free.contains(&true));
                let entry = free.map(|free| Arc::new(Shaped::new(free)));
                let known = entry.as_ref().map_or(Entry::Single, |s| Entry::Shaped(Arc::clone(s)));
                store.insert(Key::Text(ask.owned(Some(shape))), known);
                let Some(shaped) = entry else { return };
                shaped
            }
            Some(_) => return,
            None => return store.insert(Key::Text(ask.owned(Some(shape))), Entry::Seen),
        };
        let sought = Sought::Pinned {
            shape: &shaped,
            literals: shape,
            text: ask.text,
        };
        let owned = || Key::Pinned {
            shape: shaped.number,
            values: shaped.pinned(shape, ask.text).map(Box::from).collect(),
        };
        match store.peek(&sought) {
            Some(Entry::Seen | Entry::Lists(_)) => {}
            None if shaped.all_free() => {}
            None => return store.insert(owned(), Entry::Seen),
            Some(_) => return,
        }
        match template(ask.text, shape, &shaped, judgement, asked, judge) {
            Some(template) => {
                let bytes = judgement.bytes() + template.bytes();
                self.keep_as(&sought, owned, asked, Entry::Template(Arc::new(template), bytes));
            }
            None => store.insert(owned(), Entry::Single),
        }
    }
}

/// What a text was judged to be, as a template, if a probe with other literals shows that they do not matter.
fn template<M: Default>(
    text: &str,
    shape: &Shape,
    shaped: &Arc<Shaped>,
    judgement: &Judgement,
    asked: &[(Question, Fact)],
    judge: Judge<'_>,
) -> Option<Template<M>> {
    let probe = Probe::of(text, shape, &shaped.free)?;
    if Shape::of(&probe.text)?.blank != shape.blank {
        return None;
    }
    let (tried, asked_then) = judge(&probe.text)?;
    let classes = shape.literals.iter().zip(&shaped.free);
    let classes: Vec<Class> = classes.filter(|(_, free)| **free).map(|(l, _)| l.class).collect();
    let values: Vec<&str> = shaped.values(shape.texts(text), true).collect();
    let made = verify::Template::of(&probe.text, &tried.text, probe.places, classes)?;
    let same = tried.statements == judgement.statements
        && asked_then == asked
        && made.fill(&values).is_some_and(|filled| filled == judgement.text);
    same.then(|| Template {
        text: made,
        statements: Arc::clone(&judgement.statements),
        memo: Arc::default(),
        outline: Outline::of(shape),
        shaped: Arc::clone(shaped),
        pinned: shaped.pinned(shape, text).map(Box::from).collect(),
    })
}
