//! In transaction mode a session holds a connection only while a transaction is open, or while it has left something
//! there that no other connection can be given.

use super::cancel::Before;
use super::expect::Run;
use super::judging::Verdict;
use super::{End, Session, Upstream};
use crate::backend::carried;
use crate::backend::{ConnectError, Connection, Parameters, pool};
use crate::config::PoolMode;
use crate::gate::{Bound, Effect};
use crate::net::{Body, Fields};
use crate::refusal::Refusal;
use crate::wire::answer;
use futures::FutureExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Why a session keeps its connection between transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pin {
    /// State that only this connection has.
    Bound(Bound),
    /// Temp tables.
    Temporary,
    /// Statements made by PREPARE.
    Prepared,
}

impl Pin {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Bound(Bound::Listen),
        Self::Bound(Bound::AdvisoryLock),
        Self::Bound(Bound::HeldCursor),
        Self::Bound(Bound::Sequences),
        Self::Bound(Bound::RandomSeed),
        Self::Temporary,
        Self::Prepared,
    ];

    /// What metrics call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bound(Bound::Listen) => "listen",
            Self::Bound(Bound::AdvisoryLock) => "advisory_lock",
            Self::Bound(Bound::HeldCursor) => "held_cursor",
            Self::Bound(Bound::Sequences) => "sequences",
            Self::Bound(Bound::RandomSeed) => "random_seed",
            Self::Temporary => "temporary_table",
            Self::Prepared => "prepared",
        }
    }
}

/// Since when a session has waited, if it had to.
#[derive(Default)]
struct Waiting(Option<Instant>);

impl Waiting {
    /// It waits from now on, unless it has waited before; how long it has.
    fn begin(&mut self) -> Duration {
        self.0.get_or_insert_with(Instant::now).elapsed()
    }

    fn so_far(&self) -> Duration {
        self.0.map_or(Duration::ZERO, |begun| begun.elapsed())
    }
}

impl Session<'_> {
    /// Does the session share its connection with others?
    pub(super) fn shares(&self) -> bool {
        match self.back {
            Upstream::Away(_) => true,
            Upstream::Pooled(_) => self.shared.config.pool.mode == PoolMode::Transaction,
            Upstream::Own(_) => false,
        }
    }

    /// Has it none at the moment?
    pub(super) fn is_away(&self) -> bool {
        matches!(self.back, Upstream::Away(_))
    }

    /// What keeps the session on its connection.
    fn pinned_by(&self) -> Option<Pin> {
        let state = &self.state;
        let held = |b: &Bound| *b != Bound::HeldCursor || !state.portals.is_empty();
        let bound = state.bound.iter().copied().find(held).map(Pin::Bound);
        bound
            .or(state.has_temp.then_some(Pin::Temporary))
            .or(state.statements.any_by_sql().then_some(Pin::Prepared))
    }

    /// May the connection go to somebody else now?
    pub(super) fn may_let_go(&mut self) -> bool {
        let between = self.state.status == b'I'
            && self.queue.is_empty()
            && !self.state.segment_open
            && !self.copying
            && self.overflow.is_none()
            && self.enclosure.is_none()
            && self.passing.is_over()
            && !self.is_away()
            && self.shares();
        if between {
            let pin = self.pinned_by();
            if pin != self.pinned {
                self.shared.counters.repinned(self.pinned, pin);
                self.pinned = pin;
            }
        }
        between && self.pinned.is_none()
    }

    /// Gives the connection back.
    pub(super) async fn let_go(&mut self) -> Result<(), End> {
        if std::mem::take(&mut self.state.settings_touched) {
            let settings = self.back.read_settings().await?;
            self.settings = self.shared.known_settings.intern(&settings);
            self.back.carried.settings = Arc::clone(&self.settings);
            self.mark = carried::mark_of(&self.settings);
            self.tell_parameters();
        }
        if !self.state.stand_ins.is_empty() {
            let names: Vec<Box<str>> = std::mem::take(&mut self.state.stand_ins).into_keys().collect();
            self.back.close_statements(&names).await?;
        }
        let before = self.registration.point_to(None).await;
        let away = self.away.take().unwrap_or_else(|| Box::new(Connection::to_nobody()));
        if let Upstream::Pooled(mut loan) = std::mem::replace(&mut self.back, Upstream::Away(away)) {
            match before {
                Before::Quiet => {
                    loan.let_go();
                    self.shared.pool.hand_on(loan);
                }
                Before::MayBeCancelled => drop(pool::Loan::take(loan)),
            }
        }
        self.share = None;
        Ok(())
    }

    /// Settings may be others from here on: nothing that is prepared under them is anybody else's.
    pub(super) fn touch_settings(&mut self) {
        self.state.settings_touched = true;
        self.mark = carried::mark_of_nobody();
    }

    /// Gets a connection for what the client is about to ask; gives the error that they get where there is none.
    pub(super) async fn take_up(&mut self) -> Result<Result<(), Refusal>, End> {
        let mut waiting = Waiting::default();
        let taken = match self.connection(&mut waiting).await {
            Ok(connection) => connection,
            Err(refusal) => {
                self.shared.counters.refused.fetch_add(1, Ordering::Relaxed);
                return Ok(Err(refusal));
            }
        };
        self.shared.counters.took(waiting.so_far());
        if let Upstream::Away(away) = std::mem::replace(&mut self.back, taken) {
            self.away = Some(away);
        }
        // it had none
        let _ = self.registration.point_to(Some(self.back.key())).await;
        self.tell_parameters();
        Ok(Ok(()))
    }

    /// A connection on which this session's settings are in force. One on which they cannot be put in force is
    /// thrown away, and the next is tried.
    async fn connection(&mut self, waiting: &mut Waiting) -> Result<Upstream, Refusal> {
        let config = &self.shared.config.pool;
        let full = |what: &str| ConnectError::full(config.wait, what);
        if config.limits_shares() {
            waiting.begin();
            let share = self.shared.shares.take(&self.state.who, config);
            self.share = match tokio::time::timeout(config.wait, Box::pin(share)).await {
                Ok(share) => share,
                Err(_) => return Err(full("All connections that this login may hold at once")),
            };
        }
        let mut last = None;
        for _ in 0..=config.size {
            // most of the time one is there; waiting for one, or making it, takes more room
            let at_hand = self.shared.pool.at_hand().map(Ok);
            let mut loan = match at_hand.or_else(|| self.shared.pool.get().now_or_never()) {
                Some(loan) => loan,
                None => {
                    let left = config.wait.saturating_sub(waiting.begin());
                    match tokio::time::timeout(left, Box::pin(self.shared.pool.get())).await {
                        Ok(loan) => loan,
                        Err(_) => return Err(full("All connections of the pool")),
                    }
                }
            }
            .map_err(|e| e.refusal())?;
            loan.take_over(self.number);
            let prepared = match self.is_prepared(&loan) {
                true => Ok(()),
                false => Box::pin(self.prepare_connection(&mut loan)).await,
            };
            match prepared {
                Ok(()) => return Ok(Upstream::Pooled(loan)),
                Err(error) => {
                    drop(pool::Loan::take(loan));
                    last = Some(error);
                }
            }
        }
        Err(last.map_or_else(|| full("All connections of the pool"), |error| error.refusal()))
    }

    /// Is nothing to be done before the session can use it?
    fn is_prepared(&self, connection: &Connection) -> bool {
        let carried = &connection.carried;
        let forgets = carried.unknown && carried.mixed;
        !forgets && Arc::ptr_eq(&carried.settings, &self.settings) && !carried.statements.has_obsolete()
    }

    async fn prepare_connection(&self, connection: &mut Connection) -> Result<(), ConnectError> {
        if connection.carried.unknown && connection.carried.mixed {
            connection.forget_unknown().await?;
        }
        if connection.put_settings(&self.settings).await? {
            self.shared.counters.settings_put.fetch_add(1, Ordering::Relaxed);
        }
        if connection.carried.statements.has_obsolete() {
            let names = connection.carried.statements.obsolete();
            connection.close_statements(&names).await?;
        }
        Ok(())
    }

    /// Tells the client what of the connection's parameters is not as it last knew.
    pub(super) fn tell_parameters(&mut self) {
        if Arc::ptr_eq(&self.back.parameters, &self.told) {
            return;
        }
        let here = self.known_parameters();
        for (name, value) in here.iter() {
            if name != "session_authorization" && self.told.get(name) != Some(value) {
                answer::parameter_status(&mut self.client.output, name, value);
            }
        }
        self.told = here;
    }

    /// The connection's parameters, from now on the same wherever they are equal: a session that waits keeps none of
    /// its own.
    pub(super) fn known_parameters(&mut self) -> Arc<Parameters> {
        let known = self.shared.known_parameters.intern(&self.back.parameters);
        self.back.parameters = Arc::clone(&known);
        known
    }

    /// The client's message needs a connection, and there is none: it gets the error, as the protocol says.
    fn deny_away(&mut self, tag: u8, refusal: &Refusal) {
        if let Some(text) = &refusal.log {
            tracing::warn!(code = refusal.code, "{text}");
        }
        Fields::of_refusal("ERROR", refusal, None).encode(b'E', &mut self.client.output);
        if matches!(tag, b'Q' | b'F') {
            answer::ready_for_query(&mut self.client.output, self.state.status);
        } else {
            self.state.skipping = true;
        }
    }

    /// A message of the client while there is no connection. `false` where it has been answered, or is thrown away.
    pub(super) async fn answers_away(&mut self, tag: u8, body: &[u8]) -> Result<bool, End> {
        match tag {
            b'X' => Ok(true),
            b'S' => {
                Body::new(body).finish().map_err(End::Malformed)?;
                self.state.skipping = false;
                answer::ready_for_query(&mut self.client.output, self.state.status);
                Ok(false)
            }
            _ if self.state.skipping => Ok(false),
            b'H' => {
                // what has been answered goes out by itself
                Body::new(body).finish().map_err(End::Malformed)?;
                Ok(false)
            }
            b'd' | b'c' | b'f' => Ok(true),
            _ => {
                let taken = self.take_up().await?;
                if let Err(error) = &taken {
                    self.deny_away(tag, error);
                }
                Ok(taken.is_ok())
            }
        }
    }

    /// `lastval` and `currval` tell of nobody else's sequences. `Some` when that could not be made sure.
    pub(super) async fn keep_sequences(&mut self) -> Result<Option<Verdict>, End> {
        if !self.shares() || !self.back.carried.mixed || self.state.bound.contains(&Bound::Sequences) {
            return Ok(None);
        }
        self.drain().await?;
        if self.state.skipping {
            return Ok(Some(Verdict::Skipped));
        }
        Ok(match self.own_rows("DISCARD SEQUENCES", &[]).await? {
            Ok(_) => None,
            Err(fields) => Some(self.failed(fields, None)),
        })
    }

    /// Remembers what a text that is about to run may leave on the connection, whether it succeeds or not.
    pub(super) fn note_leaves(&mut self, run: &Run) {
        let own = run.text.judgement.statements.iter();
        let through = run.through.iter().filter_map(|(_, s)| s.text.statement(s.statement));
        let mut settings = false;
        for statement in own.chain(through) {
            let leaves = &statement.leaves;
            self.back.carried.unknown |= leaves.unknown;
            self.state.bound.extend(&leaves.bound);
            settings |= leaves.settings;
            match statement.effect {
                Effect::Unlisten => self.state.unlistens = true,
                _ => self.state.unlistens &= !leaves.bound.contains(&Bound::Listen),
            }
        }
        if settings {
            self.touch_settings();
        }
    }
}
