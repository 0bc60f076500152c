//! Building a world: catalogue, policies and directory read, checked and put together.

use super::{Source, directory, files, trial};
use crate::backend::introspect::{self, IntrospectError};
use crate::catalog::Catalog;
use crate::identity::directory::{Answer, Directory};
use crate::policy::PolicySet;
use crate::policy::check;
use crate::policy::file::{Problem, Problems, Severity, Spot};
use crate::policy::load::{self, Texts};
use crate::policy::written::Written;
use crate::rights::schema::SchemaError;
use crate::world::World;
use deadpool_postgres::{Client, Pool, PoolError};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;
use thiserror::Error;

/// Why a world cannot be built.
#[derive(Debug, Error)]
pub enum StartError {
    /// The pool's own settings.
    #[error("cannot make connections: {0}")]
    Pool(String),
    /// The database behind cannot be reached.
    #[error("cannot reach the database: {0}")]
    Connect(#[from] PoolError),
    /// Its catalogue cannot be read.
    #[error("{0}")]
    Catalogue(#[from] IntrospectError),
    /// A query failed.
    #[error("{0}")]
    Database(#[from] tokio_postgres::Error),
    /// Temporary rights cannot be read.
    #[error("{0}")]
    Rights(#[from] SchemaError),
    /// The policies directory cannot be read.
    #[error("cannot read the policies directory {0}: {1}")]
    Files(String, std::io::Error),
    /// The policies are wrong: every problem, warnings among them.
    #[error("{}", shown(.0))]
    Policies(Vec<Problem>),
}

fn shown(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// What the keeper remembers between looks.
pub(super) struct State {
    pub(super) look: files::Look,
    pub(super) texts: Texts,
    pub(super) fingerprint: String,
    pub(super) users: Answer,
    pub(super) teams: Answer,
    pub(super) warnings: Vec<String>,
}

/// A world with what it was made from.
struct Made {
    world: World,
    users: Answer,
    teams: Answer,
    warnings: Vec<String>,
}

/// The first world.
pub(super) async fn first(source: &Source, pool: &Pool) -> Result<(State, World), StartError> {
    let mut client = pool.get().await?;
    let (catalog, fingerprint) = catalogue(&mut client).await?;
    let look = files::look(&source.policies);
    let texts =
        files::read(&source.policies).map_err(|e| StartError::Files(source.policies.display().to_string(), e))?;
    let written = read_policies(source, &texts)?;
    let made = make(&mut client, Arc::new(catalog), &written.0, written.1, None, 1, true).await?;
    let state = State {
        look,
        texts,
        fingerprint,
        users: made.users,
        teams: made.teams,
        warnings: made.warnings,
    };
    Ok((state, made.world))
}

/// A snapshot of the catalogue and the fingerprint that it was taken under.
pub(super) async fn catalogue(client: &mut Client) -> Result<(Catalog, String), StartError> {
    let begun = Instant::now();
    let fingerprint = introspect::fingerprint(client).await?;
    let catalog = introspect::snapshot(client).await?;
    tracing::debug!(
        relations = catalog.relations.len(),
        milliseconds = begun.elapsed().as_secs_f64() * 1000.0,
        "catalogue read"
    );
    Ok((catalog, fingerprint))
}

/// The written policy with its warnings; errors stop here.
pub(super) fn read_policies(source: &Source, texts: &Texts) -> Result<(Arc<Written>, Vec<Problem>), StartError> {
    let shown = source.policies.display().to_string();
    let (written, mut problems) = load::read_texts(&shown, texts);
    if written.incomplete {
        return Err(StartError::Policies(problems));
    }
    if written.directory.is_none() && !load::any_error(&problems) {
        problems.push(Problem {
            severity: Severity::Error,
            at: Spot {
                file: Arc::from(format!("{}/directory.toml", shown.trim_end_matches('/'))),
                line: 1,
                column: 1,
            },
            message: "nothing says who people are".to_owned(),
            hint: Some("add [directory] with users = \"SELECT login, user_id, role, … FROM …\"".to_owned()),
        });
    }
    Ok((Arc::new(written), problems))
}

/// Puts a world together. `before` is the set in force if it comes from the same files: then errors deny the
/// tables that they are about; without it they stop the set. `try_out` runs masks and conditions on samples.
async fn make(
    client: &mut Client,
    catalog: Arc<Catalog>,
    written: &Arc<Written>,
    mut problems: Vec<Problem>,
    before: Option<&PolicySet>,
    generation: u64,
    try_out: bool,
) -> Result<Made, StartError> {
    let found = Problems::default();
    let answers = match &written.directory {
        Some(rule) => directory::read(client, rule, &catalog, &found).await?,
        None => None,
    };
    problems.extend(found.into_sorted());
    let (users, teams) = match answers {
        Some(answers) => answers,
        None if load::any_error(&problems) => (Answer::default(), Answer::default()),
        None => return Err(StartError::Policies(problems)),
    };
    let bypass: BTreeSet<String> = written
        .roles
        .values()
        .filter(|r| r.bypass)
        .map(|r| r.name.clone())
        .collect();
    let (people, odd) = Directory::build(&users, &teams, &bypass);
    let (policies, checked) = check::bind(written, &catalog, people.shape(), before);
    problems.extend(checked);
    let policies = match before {
        Some(before) if !try_out => policies.with_constants(before.constants()),
        _ => {
            let (constants, wrong) = trial::constants(client, &policies, &catalog).await?;
            problems.extend(wrong);
            policies.with_constants(constants)
        }
    };
    if try_out && !load::any_error(&problems) {
        problems.extend(trial::limits(client, &policies).await?);
        problems.extend(trial::run(client, &policies, &people, &catalog).await?);
    }
    problems.sort_by(|a, b| a.at.cmp(&b.at));
    problems.dedup();
    if before.is_none() && load::any_error(&problems) {
        return Err(StartError::Policies(problems));
    }
    let mut warnings: Vec<String> = problems.iter().map(ToString::to_string).collect();
    warnings.extend(odd);
    Ok(Made {
        world: World {
            catalog,
            policies: Arc::new(policies),
            directory: Arc::new(people),
            generation,
            bodies: Arc::default(),
            standings: Arc::default(),
            rights: Arc::default(),
            until: None,
        },
        users,
        teams,
        warnings,
    })
}

/// What has to be read again.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stale {
    pub(super) catalogue: bool,
    pub(super) policies: bool,
    pub(super) directory: bool,
}

/// What a look came to: a next world where something has changed, and a set of policies that was not taken.
#[derive(Default)]
pub(super) struct Next {
    pub(super) world: Option<World>,
    pub(super) refused: Option<StartError>,
}

/// Reads what is stale. A new set of policies that is wrong is left out as a whole; everything else that has
/// changed goes on with the set in force.
pub(super) async fn next(
    source: &Source,
    client: &mut Client,
    state: &mut State,
    current: &World,
    stale: Stale,
) -> Result<Next, StartError> {
    let mut next = Next::default();
    let (catalog, fingerprint) = if stale.catalogue {
        let (read, fingerprint) = catalogue(client).await?;
        (Arc::new(read), fingerprint)
    } else {
        (Arc::clone(&current.catalog), state.fingerprint.clone())
    };
    let generation = current.generation + 1;
    let mut made = None;
    if stale.policies {
        let texts =
            files::read(&source.policies).map_err(|e| StartError::Files(source.policies.display().to_string(), e))?;
        if texts != state.texts {
            match with_policies(source, client, &texts, &catalog, generation).await {
                Ok(good) => made = Some(good),
                Err(error @ StartError::Policies(_)) => next.refused = Some(error),
                Err(other) => return Err(other),
            }
            state.texts = texts;
        }
    }
    let schema_changed = fingerprint != state.fingerprint;
    if made.is_none() && (schema_changed || people_changed(client, state, current, stale, &catalog).await?) {
        let written = current.policies.written_arc();
        let before = Some(current.policies.as_ref());
        made = Some(
            make(
                client,
                catalog,
                &written,
                Vec::new(),
                before,
                generation,
                schema_changed,
            )
            .await?,
        );
    }
    state.fingerprint = fingerprint;
    if let Some(made) = made {
        state.users = made.users;
        state.teams = made.teams;
        state.warnings = made.warnings;
        next.world = Some(made.world);
    }
    Ok(next)
}

async fn with_policies(
    source: &Source,
    client: &mut Client,
    texts: &Texts,
    catalog: &Arc<Catalog>,
    generation: u64,
) -> Result<Made, StartError> {
    let (written, problems) = read_policies(source, texts)?;
    make(client, Arc::clone(catalog), &written, problems, None, generation, true).await
}

async fn people_changed(
    client: &mut Client,
    state: &State,
    current: &World,
    stale: Stale,
    catalog: &Catalog,
) -> Result<bool, StartError> {
    let written = current.policies.written_arc();
    let Some(rule) = written.directory.as_ref().filter(|_| stale.directory) else {
        return Ok(false);
    };
    let found = Problems::default();
    match directory::read(client, rule, catalog, &found).await? {
        Some((users, teams)) => Ok(users != state.users || teams != state.teams),
        None => Err(StartError::Policies(found.into_sorted())),
    }
}
