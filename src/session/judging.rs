//! Judges texts, once for each world and session state, and survives a panic.

use super::{End, Session};
use crate::audit::StatementText;
use crate::gate::{self, Effect, Judged, Judgement, SessionView};
use crate::net::Fields;
use crate::refusal::{Refusal, SqlState};
use crate::sql::patience;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Texts up to this length are judged where they are; longer ones on a thread that may take its time.
const SHORT: usize = 2 << 10;
/// How long a judgement on a thread of its own may take.
const LONGEST_JUDGEMENT: Duration = Duration::from_secs(20);
/// Texts that a session remembers.
const REMEMBERED: usize = 512;
/// Bytes of them.
const REMEMBERED_BYTES: usize = 1 << 20;

/// A client's text and its judgement.
pub(super) struct Text {
    pub client: Box<str>,
    pub types: Vec<u32>,
    pub judgement: Judgement,
    /// What it was judged under.
    pub view: Arc<SessionView>,
    pub generation: u64,
    pub epoch: u64,
    /// It was not judged at all: the principal bypasses.
    pub bypass: bool,
    audit: OnceLock<StatementText>,
}

impl Text {
    /// One of its statements.
    pub fn statement(&self, index: usize) -> Option<&Judged> {
        self.judgement.statements.get(index)
    }

    /// Can one of its statements change what later judgements depend on? The end of a transaction can only
    /// where something of it is `touched`.
    pub fn has_effects(&self, touched: bool) -> bool {
        self.judgement.statements.iter().any(|s| match &s.effect {
            Effect::None
            | Effect::CopyOut
            | Effect::CopyIn
            | Effect::Schema
            | Effect::Execute { .. }
            | Effect::Fetch { .. } => false,
            Effect::Transaction => touched,
            Effect::SearchPath(_)
            | Effect::TempRelations
            | Effect::Prepare { .. }
            | Effect::Deallocate(_)
            | Effect::DeclareCursor { .. }
            | Effect::ResetSetting(_)
            | Effect::Reset { .. } => true,
        })
    }

    /// The text as the audit shows it.
    pub fn for_audit(&self, literals: bool) -> &StatementText {
        self.audit.get_or_init(|| StatementText::of(&self.client, literals))
    }
}

/// Judgements of texts that may come again.
#[derive(Default)]
pub(super) struct Cache {
    texts: HashMap<Box<str>, Arc<Text>>,
    bytes: usize,
}

impl Cache {
    fn find(&self, text: &str, types: &[u32], session: &super::state::State) -> Option<Arc<Text>> {
        let found = self.texts.get(text)?;
        let fits = found.types == types && session.is_current(found) && Arc::ptr_eq(&found.view, &session.view);
        fits.then(|| Arc::clone(found))
    }

    fn keep(&mut self, text: &Arc<Text>) {
        if text.client.len() > 4 * SHORT {
            return;
        }
        if self.texts.len() >= REMEMBERED || self.bytes >= REMEMBERED_BYTES {
            self.texts.clear();
            self.bytes = 0;
        }
        self.bytes += text.client.len();
        self.texts.insert(text.client.clone(), Arc::clone(text));
    }
}

/// What a session is told about a text.
pub(super) enum Verdict {
    Allowed(Arc<Text>),
    Refused(Refusal),
    /// One of rowgate's own statements for it failed on the server: the statement's error.
    Failed(Fields),
    /// An error came in meanwhile: the message is one of those that are thrown away up to Sync.
    Skipped,
}

impl Session<'_> {
    /// Takes the world as it is now; a person who is no longer in it leaves.
    pub(super) fn renew_world(&mut self) -> Result<(), End> {
        let world = self.shared.world.current();
        if Arc::ptr_eq(&world, &self.state.world) {
            return Ok(());
        }
        let Some(who) = world.directory.principal(&self.state.login) else {
            return Err(End::Fatal(Refusal::new(
                "person-left",
                SqlState::AdminShutdown,
                "terminating connection because this login has no access any more",
            )));
        };
        if who.bypass != self.state.who.bypass {
            return Err(End::Fatal(Refusal::new(
                "role-changed",
                SqlState::AdminShutdown,
                "terminating connection because the roles of this login have changed: connect again",
            )));
        }
        self.state.who = Arc::clone(who);
        let rights = world.policies.rights(who);
        self.state.limits_changed |= rights.limits != self.state.rights.limits;
        self.state.rights = Arc::new(rights);
        self.person.roles = who.roles.clone();
        self.state.world = world;
        Ok(())
    }

    /// Makes sure that the next judgement is made under the state as it is: waits for what is under way if it can
    /// change that, and reads again what may have changed. `Some` when that failed.
    pub(super) async fn settle(&mut self) -> Result<Option<Verdict>, End> {
        self.renew_world()?;
        if self.queue.effects > 0 {
            self.drain().await?;
            if self.state.skipping {
                return Ok(Some(Verdict::Skipped));
            }
        }
        let outdated = self.state.stale || self.state.settings_lost() || self.state.limits_changed;
        if outdated && self.state.status != b'E' {
            return self.reread().await;
        }
        Ok(None)
    }

    /// Judges a client's text.
    pub(super) async fn judge(&mut self, text: &str, types: &[u32]) -> Result<Verdict, End> {
        if let Some(verdict) = self.settle().await? {
            return Ok(verdict);
        }
        if let Some(verdict) = self.refused_in_aborted(text).await? {
            return Ok(verdict);
        }
        if let Some(known) = self.cache.find(text, types, &self.state) {
            return Ok(Verdict::Allowed(known));
        }
        let longest = self.shared.config.limits.statement_bytes;
        if text.len() > longest {
            return Ok(Verdict::Refused(
                Refusal::new(
                    "statement-too-long",
                    SqlState::StatementTooComplex,
                    format!("the statement is longer than {longest} bytes"),
                )
                .hint("Ask the database administrator to raise limits.statement_bytes."),
            ));
        }
        let view = Arc::clone(&self.state.view);
        Ok(match self.judge_under(text, types, view).await {
            Ok(judged) => {
                let judged = Arc::new(judged);
                for stores in judged.judgement.statements.iter().filter_map(|s| s.stores.clone()) {
                    self.state.restrict_stored(stores);
                }
                self.cache.keep(&judged);
                Verdict::Allowed(judged)
            }
            Err(refusal) => Verdict::Refused(refusal),
        })
    }

    /// Judges a text under the current world and a view that may be an older one.
    pub(super) async fn judge_under(&self, text: &str, types: &[u32], view: Arc<SessionView>) -> Result<Text, Refusal> {
        let (who, world) = (Arc::clone(&self.state.who), Arc::clone(&self.state.world));
        let judgement = if let Some(text) = gate::bypass(text, &who) {
            Judgement {
                text,
                statements: Vec::new(),
            }
        } else if text.len() <= SHORT {
            guarded(|| gate::judge(text, &who, &view, types, &world))?
        } else {
            let (text, types, view) = (text.to_owned(), types.to_vec(), Arc::clone(&view));
            let (who, world) = (Arc::clone(&who), Arc::clone(&world));
            let given_up = Arc::new(AtomicBool::new(false));
            let sign = Arc::clone(&given_up);
            let judging = tokio::task::spawn_blocking(move || {
                guarded(|| patience::until(sign, || gate::judge(&text, &who, &view, &types, &world)))
            });
            match tokio::time::timeout(LONGEST_JUDGEMENT, judging).await {
                Ok(judged) => judged.unwrap_or_else(|_| Err(broken()))?,
                Err(_) => {
                    given_up.store(true, Ordering::Relaxed);
                    return Err(patience::took_too_long());
                }
            }
        };
        Ok(Text {
            client: text.into(),
            types: types.to_vec(),
            judgement,
            view,
            generation: world.generation,
            epoch: self.state.epoch,
            bypass: who.bypass,
            audit: OnceLock::new(),
        })
    }
}

/// Runs a judgement, which sees to its stack itself; a panic in it is a refusal and nothing else.
fn guarded(judge: impl FnOnce() -> Result<Judgement, Refusal>) -> Result<Judgement, Refusal> {
    catch_unwind(AssertUnwindSafe(judge)).unwrap_or_else(|_| Err(broken()))
}

fn broken() -> Refusal {
    Refusal::new(
        "judgement-failed",
        SqlState::InternalError,
        "rowgate failed to judge this statement",
    )
    .hint("It was not executed. Tell the database administrator.")
}
