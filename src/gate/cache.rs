//! Judgements that may be needed again, shared by all sessions and bounded in bytes.
//!
//! A judgement follows from the text, the parameters' types, the session's view, the world, and what was asked about
//! the person. It is found in two steps: the first four lead to the questions that the text has raised, and the facts
//! that answer them about somebody lead to the judgement of everybody whom the same facts apply to. A world's
//! generation is part of the key, and a fact is never named twice: nothing has to be invalidated when rights change.
//!
//! Texts that come with other literals each time are found by their shape (`shapes`).

mod last;
mod shapes;

use super::{Judgement, SessionView};
use crate::catalog::Oid;
use crate::sql::shape::Shape;
use crate::world::World;
use crate::world::standing::{Fact, Known, Question, Standing};
use arc_swap::ArcSwap;
pub use last::Last;
use quick_cache::sync::Cache as Store;
use quick_cache::{DefaultHashBuilder, Equivalent, Lifecycle, OptionsBuilder, Weighter};
use shapes::{Shaped, Template};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many lists of questions one text may have: what is asked next can depend on an answer.
const MOST_LISTS: usize = 4;
/// What an entry takes beside its text and judgement, in bytes, about.
const ENTRY: u64 = 256;
/// What a list of questions takes, in bytes, about.
const LIST: u64 = 128;
/// The length of an entry where the number of entries is guessed from bytes.
const TYPICAL: u64 = 4 << 10;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The most bytes; 0 keeps nothing.
    pub bytes: u64,
    /// The most entries.
    pub entries: u64,
}

/// What can be kept: it says how many bytes it takes.
pub trait Weigh {
    /// Bytes on the heap and in itself.
    fn bytes(&self) -> u64;
}

/// A text to be judged: what is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The client's text.
    pub text: &'a str,
    /// The types that the client gave for parameters.
    pub types: &'a [Oid],
    /// The session.
    pub view: &'a Arc<SessionView>,
    /// The world.
    pub world: &'a World,
    /// The person under that world.
    pub standing: &'a Arc<Standing>,
}

impl Ask<'_> {
    /// The key of the text, or of its shape.
    fn key<'a>(&'a self, shape: Option<&'a Shape>) -> Sought<'a> {
        Sought::Text {
            is_shape: shape.is_some(),
            bytes: shape.map_or(self.text.as_bytes(), |s| &s.blank),
            ask: self,
        }
    }

    fn owned(&self, shape: Option<&Shape>) -> TextKey {
        TextKey {
            is_shape: shape.is_some(),
            bytes: shape.map_or(self.text.as_bytes(), |s| &s.blank).into(),
            types: self.types.into(),
            view: Arc::clone(self.view),
            generation: self.world.generation,
        }
    }
}

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Found by their text.
    pub hits: AtomicU64,
    /// Found by their shape.
    pub shape_hits: AtomicU64,
    /// Not found.
    pub misses: AtomicU64,
    /// Dropped to make room.
    pub evictions: AtomicU64,
}

type Entries<V, M> = Store<Key, Entry<V, M>, Weights, DefaultHashBuilder, Watch>;

/// The judgements: a `V` for each text and everybody of whom the same holds; an `M`, which is empty at first, for each
/// shape.
#[derive(Debug)]
pub struct Cache<V, M> {
    store: Option<Entries<V, M>>,
    counters: Arc<Counters>,
}

/// What is known of a text.
#[derive(Debug)]
pub enum Found<V, M> {
    /// It was judged.
    Judged(Arc<V>),
    /// Others of its shape were, and this is what it would be judged to be.
    Filled(Judgement, Arc<M>),
    /// Nothing; the text's shape, if it has one.
    Nothing(Option<Shape>),
}

#[derive(Debug)]
enum Key {
    Text(TextKey),
    Pinned { shape: u64, values: Box<[Box<str>]> },
    Class { list: u64, facts: Box<[Fact]> },
}

/// A text, or a shape.
#[derive(Debug)]
struct TextKey {
    is_shape: bool,
    bytes: Box<[u8]>,
    types: Box<[Oid]>,
    view: Arc<SessionView>,
    generation: u64,
}

/// A [`Key`] that owns nothing.
enum Sought<'a> {
    Text {
        is_shape: bool,
        bytes: &'a [u8],
        ask: &'a Ask<'a>,
    },
    Pinned {
        shape: &'a Shaped,
        literals: &'a Shape,
        text: &'a str,
    },
    Class {
        list: &'a List,
        known: &'a Known,
    },
}

#[derive(Debug)]
enum Entry<V, M> {
    Lists(Arc<Lists>),
    Judged(Arc<V>, u64),
    /// A shape, or values that go with one, that came once.
    Seen,
    /// Texts of this shape, or with these values in it, are judged one by one.
    Single,
    Shaped(Arc<Shaped>),
    Template(Arc<Template<M>>, u64),
}

impl<V, M> Clone for Entry<V, M> {
    fn clone(&self) -> Self {
        match self {
            Self::Lists(lists) => Self::Lists(Arc::clone(lists)),
            Self::Judged(value, bytes) => Self::Judged(Arc::clone(value), *bytes),
            Self::Seen => Self::Seen,
            Self::Single => Self::Single,
            Self::Shaped(shape) => Self::Shaped(Arc::clone(shape)),
            Self::Template(template, bytes) => Self::Template(Arc::clone(template), *bytes),
        }
    }
}

/// Lists of questions that a text has raised.
#[derive(Debug)]
struct Lists(ArcSwap<Vec<Arc<List>>>);

#[derive(Debug)]
struct List {
    number: u64,
    questions: Box<[Question]>,
}

impl List {
    fn new(asked: &[(Question, Fact)]) -> Arc<Self> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            number: LAST.fetch_add(1, Ordering::Relaxed),
            questions: asked.iter().map(|(question, _)| *question).collect(),
        })
    }

    fn facts<'k>(&'k self, known: &'k Known) -> impl Iterator<Item = Option<Fact>> + 'k {
        self.questions.iter().map(|q| known.get(q).map(|told| told.fact))
    }
}

impl Lists {
    /// The list of these questions, a new one if there is none.
    fn of(&self, asked: &[(Question, Fact)]) -> Arc<List> {
        let same = |list: &&Arc<List>| list.questions.iter().eq(asked.iter().map(|(q, _)| q));
        let known = self.0.load();
        if let Some(list) = known.iter().find(same) {
            return Arc::clone(list);
        }
        let new = List::new(asked);
        self.0.rcu(|lists| {
            let kept = lists.len().saturating_sub(MOST_LISTS - 1);
            let kept = lists.iter().skip(kept).map(Arc::clone);
            kept.chain([Arc::clone(&new)]).collect::<Vec<_>>()
        });
        new
    }
}

fn hash_text(state: &mut impl Hasher, bytes: &[u8], types: &[Oid], view: &Arc<SessionView>, generation: u64) {
    bytes.hash(state);
    types.hash(state);
    generation.hash(state);
    view.hash_for(state);
}

fn hash_pinned<'t>(state: &mut impl Hasher, shape: u64, values: impl Iterator<Item = &'t str>) {
    shape.hash(state);
    values.for_each(|value| value.hash(state));
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Text(key) => hash_text(state, &key.bytes, &key.types, &key.view, key.generation),
            Self::Pinned { shape, values } => hash_pinned(state, *shape, values.iter().map(AsRef::as_ref)),
            Self::Class { list, facts } => {
                list.hash(state);
                facts.iter().for_each(|fact| fact.hash(state));
            }
        }
    }
}

impl Hash for Sought<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Text { bytes, ask, .. } => hash_text(state, bytes, ask.types, ask.view, ask.world.generation),
            Self::Pinned { shape, literals, text } => hash_pinned(state, shape.number, shape.pinned(literals, text)),
            Self::Class { list, known } => {
                list.number.hash(state);
                list.facts(known).flatten().for_each(|fact| fact.hash(state));
            }
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => {
                a.is_shape == b.is_shape
                    && a.bytes == b.bytes
                    && a.types == b.types
                    && a.generation == b.generation
                    && a.view.judges_as(&b.view)
            }
            (
                Self::Class { list, facts },
                Self::Class {
                    list: other,
                    facts: others,
                },
            ) => list == other && facts == others,
            (
                Self::Pinned { shape, values },
                Self::Pinned {
                    shape: other,
                    values: others,
                },
            ) => shape == other && values == others,
            (Self::Text(_) | Self::Pinned { .. } | Self::Class { .. }, _) => false,
        }
    }
}

impl Eq for Key {}

impl Equivalent<Key> for Sought<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        match (self, key) {
            (Self::Text { is_shape, bytes, ask }, Key::Text(key)) => {
                *is_shape == key.is_shape
                    && **bytes == *key.bytes
                    && *ask.types == *key.types
                    && ask.world.generation == key.generation
                    && ask.view.judges_as(&key.view)
            }
            (Self::Class { list, known }, Key::Class { list: number, facts }) => {
                list.number == *number && list.facts(known).eq(facts.iter().map(|fact| Some(*fact)))
            }
            (Self::Pinned { shape, literals, text }, Key::Pinned { shape: number, values }) => {
                shape.number == *number && shape.pinned(literals, text).eq(values.iter().map(AsRef::as_ref))
            }
            (Self::Text { .. } | Self::Pinned { .. } | Self::Class { .. }, _) => false,
        }
    }
}

/// Weighs entries by their bytes, and by no less than an equal share of all where their number is bounded.
#[derive(Debug, Clone)]
struct Weights {
    least: u64,
}

impl<V, M> Weighter<Key, Entry<V, M>> for Weights {
    fn weight(&self, key: &Key, entry: &Entry<V, M>) -> u64 {
        let key = match key {
            Key::Text(key) => key.bytes.len() + size_of_val(&*key.types),
            Key::Pinned { values, .. } => size_of_val(&**values) + values.iter().map(|v| v.len()).sum::<usize>(),
            Key::Class { facts, .. } => size_of_val(&**facts),
        };
        let value = match entry {
            Entry::Seen | Entry::Single => 0,
            Entry::Lists(_) => LIST,
            Entry::Shaped(shape) => u64::try_from(shape.free.len()).unwrap_or(u64::MAX / 4),
            Entry::Judged(_, bytes) | Entry::Template(_, bytes) => *bytes,
        };
        (u64::try_from(key).unwrap_or(u64::MAX / 4) + value + ENTRY).max(self.least)
    }
}

/// Counts what is dropped.
#[derive(Debug, Clone)]
struct Watch(Arc<Counters>);

impl<V, M> Lifecycle<Key, Entry<V, M>> for Watch {
    type RequestState = ();

    fn on_evict(&self, _: &mut (), _: Key, _: Entry<V, M>) {
        self.0.evictions.fetch_add(1, Ordering::Relaxed);
    }
}

impl<V: Weigh, M: Default> Cache<V, M> {
    /// An empty one.
    pub fn new(bounds: Bounds) -> Self {
        let counters = Arc::<Counters>::default();
        let entries = bounds.entries.max(1);
        let guessed = (bounds.bytes / TYPICAL).min(entries);
        let options = OptionsBuilder::new()
            .weight_capacity(bounds.bytes)
            .estimated_items_capacity(usize::try_from(guessed).unwrap_or(usize::MAX).max(1))
            .build();
        let weights = Weights {
            least: bounds.bytes / entries,
        };
        let store = options.ok().filter(|_| bounds.bytes > 0).map(|options| {
            let watch = Watch(Arc::clone(&counters));
            Store::with_options(options, weights, DefaultHashBuilder::default(), watch)
        });
        Self { store, counters }
    }

    /// What a text was judged to be, for this person or for one of whom the same holds. `last` is what the session's
    /// text before was filled into, if it was.
    pub fn find(&self, ask: &Ask<'_>, last: &mut Option<Last<M>>) -> Found<V, M> {
        let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        if let Some((judgement, memo)) = last.as_ref().and_then(|last| last.filled(ask)) {
            count(&self.counters.shape_hits);
            return Found::Filled(judgement, memo);
        }
        if let Some(value) = self.judged(ask) {
            count(&self.counters.hits);
            return Found::Judged(value);
        }
        let shape = self.store.as_ref().and_then(|_| Shape::of(ask.text));
        if let Some(template) = shape.as_ref().and_then(|shape| self.template(ask, shape))
            && let Some((judgement, memo)) = template.of_text(ask.text)
        {
            *last = Some(Last::new(ask, template));
            count(&self.counters.shape_hits);
            return Found::Filled(judgement, memo);
        }
        count(&self.counters.misses);
        Found::Nothing(shape)
    }

    fn judged(&self, ask: &Ask<'_>) -> Option<Arc<V>> {
        match self.found_as(ask, &ask.key(None))? {
            Entry::Judged(value, _) => Some(value),
            _ => None,
        }
    }

    /// What lists of questions lead to for this person.
    fn found_as(&self, ask: &Ask<'_>, key: &Sought<'_>) -> Option<Entry<V, M>> {
        let store = self.store.as_ref()?;
        let Some(Entry::Lists(lists)) = store.get(key) else {
            return None;
        };
        let lists = lists.0.load();
        lists.iter().rev().find_map(|list| {
            let known = ask.standing.told(&list.questions, ask.world)?;
            store.get(&Sought::Class { list, known: &known })
        })
    }

    /// Keeps what a text was judged to be, and all that was asked about the person meanwhile.
    pub fn keep(&self, ask: &Ask<'_>, asked: &[(Question, Fact)], value: &Arc<V>) {
        let entry = Entry::Judged(Arc::clone(value), value.bytes());
        self.keep_as(&ask.key(None), || Key::Text(ask.owned(None)), asked, entry);
    }

    fn keep_as(&self, sought: &Sought<'_>, key: impl FnOnce() -> Key, asked: &[(Question, Fact)], entry: Entry<V, M>) {
        let Some(store) = self.store.as_ref() else { return };
        let list = match store.peek(sought) {
            Some(Entry::Lists(lists)) => lists.of(asked),
            _ => {
                let list = List::new(asked);
                let lists = Lists(ArcSwap::from_pointee(vec![Arc::clone(&list)]));
                store.insert(key(), Entry::Lists(Arc::new(lists)));
                list
            }
        };
        let class = Key::Class {
            list: list.number,
            facts: asked.iter().map(|(_, fact)| *fact).collect(),
        };
        store.insert(class, entry);
    }

    /// What has been counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Bytes that are held now; where few entries are allowed, each counts for its share of all.
    pub fn bytes(&self) -> u64 {
        self.store.as_ref().map_or(0, Store::weight)
    }

    /// Entries that are held now: texts, and judgements of them.
    pub fn entries(&self) -> usize {
        self.store.as_ref().map_or(0, Store::len)
    }
}
