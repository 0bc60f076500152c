//! Connections that sessions hand on to each other at the end of their transactions, without the pool's book-keeping.

use super::pool::Loan;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// They lie here while nobody waits in the pool's own queue.
#[derive(Default)]
pub(super) struct AtHand(Mutex<State>);

#[derive(Default)]
struct State {
    loans: Vec<Loan>,
    /// How many wait for the pool itself.
    waiting: usize,
    /// The fewest that have lain here since the last [`AtHand::close_unused`].
    fewest: usize,
}

/// One who waits for the pool itself; dropped when that is over.
pub(super) struct Waiting<'a>(&'a AtHand);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

impl State {
    /// The one that was put last, if it is still what a connection in a pool has to be; others are closed.
    fn take(&mut self) -> Option<Loan> {
        while let Some(mut loan) = self.loans.pop() {
            self.fewest = self.fewest.min(self.loans.len());
            if loan.is_clean() && loan.is_quiet() {
                return Some(loan);
            }
            drop(Loan::take(loan));
        }
        None
    }
}

impl AtHand {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(&self) -> Option<Loan> {
        self.state().take()
    }

    /// One, or the right to wait: until that is given up, nobody puts anything here.
    pub(super) fn take_or_wait(&self) -> Result<Loan, Waiting<'_>> {
        let mut state = self.state();
        state.take().ok_or_else(|| {
            state.waiting += 1;
            Waiting(self)
        })
    }

    /// Puts one here, or gives it to the pool where somebody waits.
    pub(super) fn put(&self, loan: Loan) {
        let mut state = self.state();
        if state.waiting == 0 {
            state.loans.push(loan);
        } else {
            drop(state);
            drop(loan);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.state().loans.len()
    }

    pub(super) fn clear(&self) {
        drop(std::mem::take(&mut self.state().loans));
    }

    /// Closes those that have not been taken since this was last called: the ones at the bottom.
    pub(super) fn close_unused(&self) {
        let mut state = self.state();
        let unused = state.fewest;
        let closed: Vec<Loan> = state.loans.drain(..unused).collect();
        state.fewest = state.loans.len();
        drop(state);
        closed.into_iter().for_each(|loan| drop(Loan::take(loan)));
    }
}
