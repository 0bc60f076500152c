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
    /// The portal is a cursor that was declared before.
    pub of_cursor: bool,
    /// Its parameters, if the audit wants them.
    pub parameters: Option<Arc<Vec<Option<String>>>>,
    /// When it was asked for, if the audit wants to know.
    pub started: Option<Instant>,
    /// Rows of the current statement that the client got.
    pub rows: u64,
    /// The client has had its error; nothing more of this run is relayed.
    pub silenced: bool,
    /// All of it is in the audit.
    pub recorded: bool,
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
        self.recorded = true;
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
///
/// Behind an error the database throws away what is left of a segment, which a Sync or a Query ends. What a message has
/// given a name to mean is therefore sure within its own segment, where whatever follows falls with it, and once the
/// segment's end has been answered; in between another segment cannot rely on it.
pub(super) struct Queue {
    entries: VecDeque<Expect>,
    /// The number of the segment that the next message belongs to.
    segment: u64,
    /// How many segments have ended that the database has not answered.
    unanswered: u64,
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

impl Default for Queue {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            segment: SURE + 1,
            unanswered: 0,
            effects: 0,
            limited: 0,
            undoing: 0,
            copies: 0,
            flushed: false,
        }
    }
}

/// Stands for the segment of what has been answered already.
pub(super) const SURE: u64 = 0;

impl Queue {
    /// The number of the segment that the next message belongs to.
    pub fn segment(&self) -> u64 {
        self.segment
    }

    /// The first segment that has not been answered.
    pub fn unanswered_from(&self) -> u64 {
        self.segment - self.unanswered
    }

    /// Can what was noted in this segment still turn out never to have happened, while the next message is looked at?
    pub fn is_unsure(&self, noted: u64) -> bool {
        self.effects > 0 || (self.unanswered_from()..self.segment).contains(&noted)
    }

    /// Has any segment ended that is not answered?
    pub fn has_unanswered(&self) -> bool {
        self.effects > 0 || self.unanswered > 0
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Gives back the room of a queue that is empty.
    pub fn shrink(&mut self) {
        if self.entries.is_empty() && self.entries.capacity() > 0 {
            self.entries = VecDeque::new();
        }
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
        if entry.ends_segment() {
            self.segment += 1;
            self.unanswered += 1;
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
        if entry.ends_segment() {
            self.unanswered -= 1;
        }
        if self.entries.is_empty() {
            self.flushed = false;
        }
    }

    /// Forgets the Sync behind the first entry, which the database will not answer.
    pub fn swallow_sync(&mut self) {
        while matches!(self.entries.get(1), Some(Expect::Sync)) {
            self.entries.remove(1);
            self.unanswered -= 1;
        }
    }

    /// What a statement's name stood for is known now. Where a later message has given it another meaning, that is what
    /// it goes back to if that message fails; otherwise it comes back.
    pub fn hand_down_statement(
        &mut self,
        name: &str,
        stood_for: Option<Arc<Prepared>>,
    ) -> Result<(), Option<Arc<Prepared>>> {
        for entry in &mut self.entries {
            match entry {
                Expect::Parse {
                    name: later, previous, ..
                }
                | Expect::CloseStatement {
                    name: later, previous, ..
                } if later == name => {
                    *previous = stood_for;
                    return Ok(());
                }
                Expect::Query(_) | Expect::RefusedQuery(_) if name.is_empty() => return Ok(()),
                _ => {}
            }
        }
        Err(stood_for)
    }

    /// The same of a portal's name.
    pub fn hand_down_portal(&mut self, name: &str, stood_for: Option<Portal>) -> Result<(), Option<Portal>> {
        for entry in &mut self.entries {
            match entry {
                Expect::Bind {
                    portal: later,
                    previous,
                }
                | Expect::ClosePortal { name: later, previous }
                    if later == name =>
                {
                    *previous = stood_for;
                    return Ok(());
                }
                Expect::Query(_) | Expect::RefusedQuery(_) if name.is_empty() => return Ok(()),
                _ => {}
            }
        }
        Err(stood_for)
    }

    /// Takes out what was to be run and is not in the audit, in order; the queue is of no use afterwards.
    pub fn unrecorded(&mut self) -> Vec<Run> {
        let left = std::mem::take(&mut self.entries).into_iter();
        left.filter_map(|entry| match entry {
            Expect::Query(run) | Expect::Execute(run) => Some(*run).filter(|run| !run.recorded),
            _ => None,
        })
        .collect()
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
    /// Does the database answer with ReadyForQuery?
    fn ends_segment(&self) -> bool {
        matches!(self, Self::Sync | Self::Query(_) | Self::RefusedQuery(_))
    }

    /// Takes back what was noted when the message was forwarded; `queue` is what is left behind the segment. `failed` is
    /// the message that the error is about, the others were never looked at.
    pub fn undo(self, state: &mut State, queue: &mut Queue, failed: bool) {
        match self {
            Self::Parse { name, previous, .. } | Self::CloseStatement { name, previous, .. } => {
                // a failing Parse of the unnamed statement has dropped the old one already
                let gone = failed && name.is_empty();
                if let Err(previous) = queue.hand_down_statement(&name, previous.filter(|_| !gone)) {
                    state.put_back(name, previous);
                }
            }
            Self::Bind { portal, previous } | Self::ClosePortal { name: portal, previous } => {
                match queue.hand_down_portal(&portal, previous) {
                    Ok(()) => None,
                    Err(Some(previous)) => state.portals.insert(portal, previous),
                    Err(None) => state.portals.remove(&portal),
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
