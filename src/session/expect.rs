//! What the database still has to answer, in the order in which it was asked.

use super::judging::Text;
use super::portals::Portal;
use super::prepared::Prepared;
use super::shared::Counted;
use super::state::State;
use crate::backend::carried::Digest;
use crate::gate::{Effect, Judged, Returned};
use bytes::BytesMut;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// One message that was forwarded.
pub(super) enum Expect {
    /// `Q`, until ReadyForQuery.
    Query(Box<Run>),
    /// `P`; what the name stood for before, if it fails.
    Parse {
        name: String,
        previous: Option<Arc<Prepared>>,
        /// Where statements are shared.
        shared: Option<Standing>,
    },
    /// A Parse of rowgate's own among the client's messages, whose answer is not theirs.
    Placed(Digest),
    /// `B`; what the portal was before.
    Bind { portal: String, previous: Option<Portal> },
    /// `D` of a statement or a portal: whose columns these are.
    Describe(Option<Source>),
    /// `E`
    Execute(Box<Run>),
    /// `C` of a statement.
    CloseStatement {
        name: String,
        previous: Option<Arc<Prepared>>,
        /// Nothing was sent: the connection keeps the statement.
        known: bool,
    },
    /// `C` of a portal.
    ClosePortal { name: String, previous: Option<Portal> },
    /// `S`
    Sync,
    /// A Parse that was sent to fail: the error that the client gets for it, if it has not got one.
    Refused(Option<BytesMut>),
    /// A Query that was sent to fail.
    RefusedQuery(Option<BytesMut>),
}

/// How a client's statement came to stand on a shared connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It stood there: nothing was sent.
    Known,
    /// It was sent, to be known as this.
    Sent(Digest),
}

/// A statement of a judged text.
#[derive(Clone)]
pub(super) struct Source {
    pub text: Arc<Text>,
    pub statement: usize,
}

/// A text or portal that is being executed.
pub(super) struct Run {
    pub text: Arc<Text>,
    /// Which of its statements is under way.
    pub statement: usize,
    /// For EXECUTE and FETCH among its statements: where the result comes from.
    pub through: Vec<(usize, Source)>,
    /// The portal, in the extended protocol.
    pub portal: Option<String>,
    /// Its parameters, if the audit wants them.
    pub parameters: Option<Arc<Vec<Option<String>>>>,
    /// When it was asked for, if the audit wants to know.
    pub started: Option<Instant>,
    /// Rows of the current statement that the client got.
    pub rows: u64,
    /// The client has had its error; nothing more of this run is relayed.
    pub silenced: bool,
    /// Its place among the person's running statements.
    #[expect(dead_code, reason = "held until the run is dropped")]
    pub counted: Option<Arc<Counted>>,
    /// It can change what later judgements depend on.
    pub has_effects: bool,
    /// It has a row limit.
    pub is_limited: bool,
    /// It asks for a portion of its portal's rows.
    pub in_portions: bool,
    /// What it did must be undone when a result of its is cut off.
    pub undoes: bool,
    /// It asks the client for data.
    pub copies: bool,
    /// It came as a Query, although the database runs it by messages of the extended protocol.
    pub as_query: bool,
}

impl Run {
    /// Nothing more of it is relayed; of the result under way perhaps `none` was.
    pub fn silence(&mut self, none: bool) {
        self.silenced = true;
        if none {
            self.rows = 0;
        }
    }

    /// The portal or cursor that the current statement takes rows from.
    pub fn portal_name(&self) -> Option<&str> {
        match self.text.statement(self.statement).map(|s| &s.effect) {
            Some(Effect::Fetch { name }) => Some(name),
            _ => self.portal.as_deref(),
        }
    }

    /// Whose result the current statement gives: a text, and which of its statements.
    pub fn source(&self) -> (&Arc<Text>, usize) {
        let through = self.through.iter().find(|(statement, _)| *statement == self.statement);
        through.map_or((&self.text, self.statement), |(_, source)| {
            (&source.text, source.statement)
        })
    }

    /// The statement whose result the current one gives.
    pub fn gives(&self) -> Option<&Judged> {
        let (text, statement) = self.source();
        text.statement(statement)
    }

    /// Which of the rows and columns of that result are the client's.
    pub fn returned(&self) -> Returned {
        self.gives().map_or(Returned::AsIs, |statement| statement.returned)
    }
}

/// The queue, and what can be said of it at once.
#[derive(Default)]
pub(super) struct Queue {
    entries: VecDeque<Expect>,
    /// Entries that can change what later judgements depend on.
    pub effects: usize,
    /// Entries with a row limit.
    pub limited: usize,
    /// Entries of which what they did must be undone when a result is cut off.
    pub undoing: usize,
    /// Entries that ask the client for data.
    pub copies: usize,
    /// A Flush was sent because the queue is long.
    pub flushed: bool,
}

impl Queue {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Expect> {
        self.entries.iter()
    }

    pub fn front(&mut self) -> Option<&mut Expect> {
        self.entries.front_mut()
    }

    pub fn push(&mut self, entry: Expect) {
        if let Expect::Query(run) | Expect::Execute(run) = &entry {
            self.effects += usize::from(run.has_effects);
            self.limited += usize::from(run.is_limited);
            self.copies += usize::from(run.copies);
            self.undoing += usize::from(run.undoes);
        }
        self.entries.push_back(entry);
    }

    pub fn pop(&mut self) -> Option<Expect> {
        let entry = self.entries.pop_front()?;
        self.release(&entry);
        Some(entry)
    }

    /// Takes the first entry out for a moment; its share of the counts stays until [`Queue::put_front`] brings
    /// it back or [`Queue::release`] gives it up.
    pub fn take_front(&mut self) -> Option<Expect> {
        self.entries.pop_front()
    }

    pub fn put_front(&mut self, entry: Expect) {
        self.entries.push_front(entry);
    }

    pub fn release(&mut self, entry: &Expect) {
        if let Expect::Query(run) | Expect::Execute(run) = entry {
            self.effects -= usize::from(run.has_effects);
            self.limited -= usize::from(run.is_limited);
            self.copies -= usize::from(run.copies);
            self.undoing -= usize::from(run.undoes);
        }
        if self.entries.is_empty() {
            self.flushed = false;
        }
    }

    /// Forgets the Sync behind the first entry, which the database will not answer.
    pub fn swallow_sync(&mut self) {
        while matches!(self.entries.get(1), Some(Expect::Sync)) {
            self.entries.remove(1);
        }
    }

    pub fn has_sync(&self) -> bool {
        self.entries.iter().any(|e| matches!(e, Expect::Sync))
    }

    /// After an error in the extended protocol: takes out what the database skips, up to the next Sync, the last
    /// first, so that each can be undone.
    pub fn skipped(&mut self) -> Vec<Expect> {
        let mut skipped = Vec::new();
        while self.entries.front().is_some_and(|e| !matches!(e, Expect::Sync)) {
            skipped.extend(self.pop());
        }
        skipped.reverse();
        skipped
    }
}

impl Expect {
    /// Takes back what was noted when the message was forwarded. `failed` is the message that the error is
    /// about, the others were never looked at.
    pub fn undo(self, state: &mut State, failed: bool) {
        match self {
            Self::Parse { name, previous, .. } | Self::CloseStatement { name, previous, .. } => {
                // a failing Parse of the unnamed statement has dropped the old one already
                let gone = failed && name.is_empty();
                state.put_back(name, previous.filter(|_| !gone));
            }
            Self::Bind { portal, previous } | Self::ClosePortal { name: portal, previous } => {
                match previous {
                    Some(previous) => state.portals.insert(portal, previous),
                    None => state.portals.remove(&portal),
                };
            }
            Self::Query(_)
            | Self::Describe(_)
            | Self::Execute(_)
            | Self::Placed(_)
            | Self::Sync
            | Self::Refused(_)
            | Self::RefusedQuery(_) => {}
        }
    }
}
