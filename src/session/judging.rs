//! Judges texts that were not judged before, and survives a panic.

use super::{End, Session};
use crate::audit::{Common, StatementText};
use crate::backend::carried::Digest;
use crate::gate::cache::{self, Ask, Bounds, Cache, Counters, Found, Weigh};
use crate::gate::{self, Effect, Judged, Judgement, SessionView, acting};
use crate::identity::Principal;
use crate::net::Fields;
use crate::refusal::{Refusal, SqlState};
use crate::sql::patience;
use crate::world::World;
use crate::world::standing::{Asker, Fact, Question, Standing};
use sha2::{Digest as _, Sha256};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Texts up to this length are judged where they are; longer ones on a thread that may take its time.
const SHORT: usize = 2 << 10;
/// How long a judgement on a thread of its own may take.
const LONGEST_JUDGEMENT: Duration = Duration::from_secs(20);
/// What the audit's form of a text takes beside the text, in bytes, about.
const AUDIT_BYTES: usize = 64;

/// A client's text and its judgement.
#[derive(Debug)]
pub(super) struct Text {
    pub client: Box<str>,
    pub types: Vec<u32>,
    pub judgement: Judgement,
    /// What it was judged under.
    pub view: Arc<SessionView>,
    pub generation: u64,
    /// It was not judged at all: the principal bypasses.
    pub bypass: bool,
    audit: Arc<Common>,
    digest: OnceLock<Digest>,
    /// How often it was found.
    #[cfg(debug_assertions)]
    found: std::sync::atomic::AtomicU32,
}

impl Text {
    /// What it is known by as a prepared statement on a connection.
    pub fn digest(&self) -> &Digest {
        self.digest.get_or_init(|| {
            let mut hash = Sha256::new();
            for oid in &self.types {
                hash.update(oid.to_be_bytes());
            }
            hash.update(self.types.len().to_be_bytes());
            hash.update(self.judgement.text.text());
            hash.finalize().into()
        })
    }

    /// The same, as something that has to be judged anew whatever the world.
    pub fn outdated(text: &Self) -> Self {
        Self {
            client: text.client.clone(),
            types: text.types.clone(),
            judgement: text.judgement.clone(),
            view: Arc::clone(&text.view),
            generation: u64::MAX,
            bypass: text.bypass,
            audit: Arc::clone(&text.audit),
            digest: OnceLock::new(),
            #[cfg(debug_assertions)]
            found: Default::default(),
        }
    }

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
            | Effect::CloseCursor(_)
            | Effect::Unlisten
            | Effect::Execute { .. }
            | Effect::Fetch { .. } => false,
            Effect::Transaction => touched,
            Effect::SearchPath(_)
            | Effect::TempRelations
            | Effect::Prepare { .. }
            | Effect::Deallocate(_)
            | Effect::DeclareCursor { .. }
            | Effect::ResetSetting(_)
            | Effect::Act(_)
            | Effect::Reset { .. } => true,
        })
    }

    /// What is found must be what would be judged now: wherever assertions are checked, now and then it is.
    #[cfg(debug_assertions)]
    async fn doubt(&self, ask: &Ask<'_>, standing: &Arc<Standing>) {
        let found = self.found.fetch_add(1, Ordering::Relaxed) + 1;
        if found.is_power_of_two() {
            let anew = judge_anew(ask, standing, &Arc::new(ask.world.clone())).await;
            let same = anew.as_ref().is_ok_and(|(judgement, _)| *judgement == self.judgement);
            debug_assert!(same, "not what is judged now: {:?} and {anew:?}", self.judgement);
        }
    }

    /// The text as the audit shows it.
    pub fn for_audit(&self, literals: bool) -> StatementText<'_> {
        self.audit.show(&self.client, literals)
    }
}

impl Weigh for Text {
    fn bytes(&self) -> u64 {
        // the audit's text is about as long as the client's
        let own = size_of_val(self) + 2 * self.client.len() + size_of_val(self.types.as_slice()) + AUDIT_BYTES;
        self.judgement.bytes() + u64::try_from(own).unwrap_or(u64::MAX / 4)
    }
}

/// What texts were judged to be, for all sessions.
#[derive(Debug)]
pub struct Judgements(Cache<Text, Common>);

impl Judgements {
    /// An empty one.
    pub fn new(bounds: Bounds) -> Self {
        Self(Cache::new(bounds))
    }

    /// What has been counted.
    pub fn counters(&self) -> &Counters {
        self.0.counters()
    }

    /// Bytes that are held now.
    pub fn bytes(&self) -> u64 {
        self.0.bytes()
    }

    /// Entries that are held now.
    pub fn entries(&self) -> usize {
        self.0.entries()
    }
}

/// What a session's text before was filled into.
pub(super) type Last = cache::Last<Common>;

/// A judgement with what was asked about the person for it.
type Told = (Judgement, Vec<(Question, Fact)>);

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
        if self.bell.rang_by_itself() {
            self.stay.look(self.shared, &self.bell)?;
        }
        if self.shared.world.is_current(&self.state.world) {
            return Ok(());
        }
        let world = self.shared.world.current();
        let who = self.still_in(&world)?;
        let rights = world.rights_of(&who);
        self.state.limits_changed |= rights.limits != self.state.rights.limits;
        self.state.rights = rights;
        self.person.roles = who.roles.clone();
        self.state.who = who;
        self.state.world = world;
        Ok(())
    }

    /// The person in a newer world; whoever is no longer in it leaves, in the middle of a statement, too.
    pub(super) fn still_in(&self, world: &World) -> Result<Arc<Principal>, End> {
        let leave = |code, why: &str| {
            let message = format!("terminating connection because {why}");
            Err(End::Fatal(Refusal::new(code, SqlState::AdminShutdown, message)))
        };
        if let Some(acting) = &self.state.acting {
            return acting.stands_for(world).or_else(|why| leave("person-left", why));
        }
        match world.directory.principal(&self.state.login) {
            Some(who) if who.bypass == self.state.who.bypass => Ok(Arc::clone(who)),
            Some(_) => leave("role-changed", "the roles of this login have changed: connect again"),
            None if world.directory.is_suspended(&self.state.login) => leave("suspended", "this login is suspended"),
            None => leave("person-left", "this login has no access any more"),
        }
    }

    /// Makes sure that the next judgement is made under the state as it is: waits for what is under way if it can
    /// change that, and reads again what may have changed. `Some` when that failed.
    pub(super) async fn settle(&mut self) -> Result<Option<Verdict>, End> {
        self.renew_world()?;
        if let Some(failed) = self.finish_cleaning().await? {
            return Ok(Some(failed));
        }
        if self.queue.effects > 0 {
            self.drain().await?;
            if self.state.skipping {
                return Ok(Some(Verdict::Skipped));
            }
        }
        let outdated = self.state.stale || self.state.settings_lost() || self.state.limits_changed;
        if outdated && self.state.status != b'E' {
            return Box::pin(self.reread()).await;
        }
        Ok(None)
    }

    /// Judges a client's text.
    pub(super) async fn judge(&mut self, text: &str, types: &[u32]) -> Result<Verdict, End> {
        if let Some(verdict) = self.settle().await? {
            return Ok(verdict);
        }
        let refused = self.refused_in_aborted(text).await?;
        if self.state.skipping {
            return Ok(Verdict::Skipped);
        }
        if let Some(verdict) = refused {
            return Ok(verdict);
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
        if self.state.acting.is_some()
            && let Some(named) = acting::acting(text)
        {
            return Ok(match named {
                Ok(judgement) => Verdict::Allowed(Arc::new(self.made(text, types, &view, (judgement, Arc::default())))),
                Err(refusal) => Verdict::Refused(refusal),
            });
        }
        let for_nobody = self.state.acting.as_ref().is_some_and(|a| a.person.is_none());
        let judged = self.judge_under(text, types, &view).await;
        let judged = match for_nobody {
            true => judged
                .and_then(|judged| acting::for_nobody(&judged.judgement).map(|()| judged))
                .map_err(acting::advise),
            false => judged,
        };
        Ok(match judged {
            Ok(judged) => {
                for stores in judged.judgement.statements.iter().filter_map(|s| s.stores.clone()) {
                    self.state.restrict_stored(stores);
                }
                Verdict::Allowed(judged)
            }
            Err(refusal) => Verdict::Refused(refusal),
        })
    }

    /// A text with its judgement and what the audit shows of it, under the world and the person as they are.
    fn made(
        &self,
        text: &str,
        types: &[u32],
        view: &Arc<SessionView>,
        (judgement, audit): (Judgement, Arc<Common>),
    ) -> Text {
        Text {
            client: text.into(),
            types: types.to_vec(),
            judgement,
            view: Arc::clone(view),
            generation: self.state.world.generation,
            bypass: self.state.who.bypass,
            audit,
            digest: OnceLock::new(),
            #[cfg(debug_assertions)]
            found: Default::default(),
        }
    }

    /// The person under the current world, as far as judgements go.
    fn standing(&mut self) -> Arc<Standing> {
        let (who, world) = (&self.state.who, &self.state.world);
        match &self.standing {
            Some(standing) if standing.is_of(who, world) => Arc::clone(standing),
            Some(_) | None => Arc::clone(self.standing.insert(world.standing(who))),
        }
    }

    /// Judges a text under the current world and a view that may be an older one, unless that has been done.
    pub(super) async fn judge_under(
        &mut self,
        text: &str,
        types: &[u32],
        view: &Arc<SessionView>,
    ) -> Result<Arc<Text>, Refusal> {
        let client = text;
        if let Some(text) = gate::bypass(client, &self.state.who) {
            let statements = Arc::default();
            return Ok(Arc::new(self.made(
                client,
                types,
                view,
                (Judgement { text, statements }, Arc::default()),
            )));
        }
        let standing = self.standing();
        let world = Arc::clone(&self.state.world);
        let ask = Ask {
            text,
            types,
            view,
            world: &world,
            standing: &standing,
        };
        let cache = &self.shared.judgements.0;
        let known = match cache.find(&ask, &mut self.last) {
            Found::Judged(known) => Ok(known),
            Found::Filled(judgement, audit) => Ok(Arc::new(self.made(text, types, view, (judgement, audit)))),
            Found::Nothing(shape) => Err(shape),
        };
        match known {
            Ok(known) => {
                #[cfg(debug_assertions)]
                known.doubt(&ask, &standing).await;
                Ok(known)
            }
            Err(shape) => {
                let (judgement, asked) = Box::pin(judge_anew(&ask, &standing, &world)).await?;
                let judged = Arc::new(self.made(text, types, view, (judgement, Arc::default())));
                cache.keep(&ask, &asked, &judged);
                if let Some(shape) = shape {
                    let judge = |text: &str| guarded(|| judge(text, types, view, &standing, &world)).ok();
                    cache.learn(&ask, &shape, &judged.judgement, &asked, &judge);
                }
                Ok(judged)
            }
        }
    }
}

/// Judges a text, a long one on a thread that may take its time.
async fn judge_anew(ask: &Ask<'_>, standing: &Arc<Standing>, world: &Arc<World>) -> Result<Told, Refusal> {
    if ask.text.len() <= SHORT {
        return guarded(|| judge(ask.text, ask.types, ask.view, standing, world));
    }
    let (text, types, view) = (ask.text.to_owned(), ask.types.to_vec(), Arc::clone(ask.view));
    let (standing, world) = (Arc::clone(standing), Arc::clone(world));
    let given_up = Arc::new(AtomicBool::new(false));
    let sign = Arc::clone(&given_up);
    let judging = tokio::task::spawn_blocking(move || {
        guarded(|| patience::until(sign, || judge(&text, &types, &view, &standing, &world)))
    });
    match tokio::time::timeout(LONGEST_JUDGEMENT, judging).await {
        Ok(judged) => judged.unwrap_or_else(|_| Err(broken())),
        Err(_) => {
            given_up.store(true, Ordering::Relaxed);
            Err(patience::took_too_long())
        }
    }
}

fn judge(
    text: &str,
    types: &[u32],
    view: &SessionView,
    standing: &Arc<Standing>,
    world: &World,
) -> Result<Told, Refusal> {
    let who = Asker::about(world, standing);
    let judgement = gate::judge_as(text, &who, view, types, world)?;
    Ok((judgement, who.asked()))
}

/// Runs a judgement, which sees to its stack itself; a panic in it is a refusal and nothing else.
fn guarded<T>(judge: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
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
