//! How long a judgement may take: whoever waits for it can have it given up, and nobody's thread is kept busy.

use crate::refusal::{Refusal, SqlState};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    static GIVEN_UP: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

/// Takes the sign away however the judgement ends.
struct Until;

impl Drop for Until {
    fn drop(&mut self) {
        GIVEN_UP.with_borrow_mut(|sign| *sign = None);
    }
}

/// Runs a judgement on this thread, which is refused at its next step once the sign is set.
pub fn until<T>(given_up: Arc<AtomicBool>, judge: impl FnOnce() -> T) -> T {
    GIVEN_UP.with_borrow_mut(|sign| *sign = Some(given_up));
    let _until = Until;
    judge()
}

/// Refuses where nobody waits any more.
pub(super) fn check() -> Result<(), Refusal> {
    let given_up = GIVEN_UP.with_borrow(|sign| sign.as_ref().is_some_and(|s| s.load(Ordering::Relaxed)));
    if given_up { Err(took_too_long()) } else { Ok(()) }
}

/// 54001 for a statement whose judgement was given up.
pub fn took_too_long() -> Refusal {
    Refusal::new(
        "judged-too-long",
        SqlState::StatementTooComplex,
        "statement took too long to judge",
    )
    .hint("Write it in fewer or simpler parts.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_holds_for_its_judgement_alone() {
        let sign = Arc::new(AtomicBool::new(false));
        until(Arc::clone(&sign), || {
            assert!(check().is_ok());
            sign.store(true, Ordering::Relaxed);
            assert!(check().is_err());
        });
        assert!(check().is_ok());
    }
}
