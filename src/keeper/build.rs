//! Building a world: catalogue, policies and directory read, checked and put together.

use super::directory::Digest;
use super::{Source, directory, files, spread, trial};
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
    /// A task broke off.
    #[error("reading people broke off: {0}")]
    Broken(#[from] tokio::task::JoinError),
    /// A query failed.
    #[error("{0}")]
    Database(#[from] tokio_postgres::Error),
    /// Temporary rights cannot be read.
    #[error("{0}")]
    Rights(#[from] SchemaError),
    /// The directory's queries fail.
    #[error("who people are cannot be read, whoever was there before stays: {0}")]
    PeopleUnknown(String),
    /// Nobody is left.
    #[error("the directory's users query gives nobody who is active: whoever was there before stays")]
    Nobody,
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
    /// What was read last, taken or not.
    pub(super) texts: Texts,
    /// What the policies in force were read from.
    pub(super) in_force: Arc<Texts>,
    pub(super) fingerprint: String,
    /// What the directory's queries gave, in short.
    pub(super) people: Digest,
    pub(super) warnings: Vec<String>,
}

impl State {
    /// Is what was read last not in force? It may have been wrong for what is new by now: a column, a person.
    pub(super) fn waits(&self) -> bool {
        self.texts != *self.in_force
    }
}

/// A world with what it was made from.
struct Made {
    world: World,
    people: Option<Digest>,
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
    let basis = Basis {
        catalog: Arc::new(catalog),
        written: &written.0,
        problems: written.1,
        before: None,
        current: None,
        answers: None,
        try_out: true,
    };
    let made = make(&mut client, basis).await?;
    let state = State {
        look,
        in_force: Arc::new(texts.clone()),
        texts,
        fingerprint,
        people: made.people.unwrap_or_default(),
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

/// What a world is put together from.
struct Basis<'b> {
    catalog: Arc<Catalog>,
    written: &'b Arc<Written>,
    problems: Vec<Problem>,
    /// The set in force if it comes from the same files: then errors deny the tables that they are about; without it
    /// they stop the set.
    before: Option<&'b PolicySet>,
    /// The world in force: its people stay where the new ones cannot be read.
    current: Option<&'b World>,
    /// What the directory's queries gave, if they were asked already.
    answers: Option<(Answer, Answer)>,
    /// Runs masks and conditions on samples.
    try_out: bool,
}

/// Puts a world together.
async fn make(client: &mut Client, basis: Basis<'_>) -> Result<Made, StartError> {
    let Basis {
        catalog,
        written,
        mut problems,
        before,
        current,
        answers,
        try_out,
    } = basis;
    let found = Problems::default();
    let answers = match (&written.directory, answers) {
        (_, Some(answers)) => Some(answers),
        (Some(rule), None) => directory::read(client, rule, &catalog, &found).await?,
        (None, None) => None,
    };
    problems.extend(found.into_sorted());
    let built = match answers {
        Some((users, teams)) => Some(directory::build(users, teams, Arc::clone(written)).await?),
        None if load::any_error(&problems) => None,
        None => return Err(StartError::Policies(problems)),
    };
    let (people, digest, odd) = match (built, current) {
        (Some(built), Some(current)) if built.people.count() == 0 && current.directory.count() > 0 => {
            return Err(StartError::Nobody);
        }
        (Some(built), _) => (built.people, Some(built.digest), built.odd),
        (None, Some(current)) => (current.directory.as_ref().clone(), None, Vec::new()),
        (None, None) => (Directory::default(), None, Vec::new()),
    };
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
    let spreads = spread::read(client, &policies.deciding_columns(&catalog)).await?;
    let policies = policies.with_spreads(spreads);
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
            generation: current.map_or(0, |c| c.generation) + 1,
            bodies: Arc::default(),
            standings: Arc::default(),
            rights: Arc::default(),
            until: None,
        },
        people: digest,
        warnings,
    })
}

/// What has to be read again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
    /// Who people are could not be read.
    pub(super) people_unknown: bool,
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
    let mut made = None;
    if stale.policies {
        let texts =
            files::read(&source.policies).map_err(|e| StartError::Files(source.policies.display().to_string(), e))?;
        let is_new = texts != state.texts;
        state.texts = texts;
        if is_new || state.waits() {
            let texts = &state.texts;
            match with_policies(source, client, texts, &catalog, current).await {
                Ok(good) => made = Some(good),
                Err(error @ StartError::Policies(_)) => next.refused = Some(error),
                Err(other) => return Err(other),
            }
        }
    }
    let schema_changed = fingerprint != state.fingerprint;
    let answers = match &made {
        None => new_people(client, state, current, stale, &catalog).await?,
        Some(_) => None,
    };
    if made.is_none() && (schema_changed || answers.is_some()) {
        let basis = Basis {
            catalog,
            written: &current.policies.written_arc(),
            problems: Vec::new(),
            before: Some(current.policies.as_ref()),
            current: Some(current),
            answers,
            try_out: schema_changed,
        };
        made = Some(make(client, basis).await?);
    }
    state.fingerprint = fingerprint;
    if let Some(made) = made {
        match made.people {
            Some(people) => state.people = people,
            None => next.people_unknown = true,
        }
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
    current: &World,
) -> Result<Made, StartError> {
    let (written, problems) = read_policies(source, texts)?;
    let basis = Basis {
        catalog: Arc::clone(catalog),
        written: &written,
        problems,
        before: None,
        current: Some(current),
        answers: None,
        try_out: true,
    };
    make(client, basis).await
}

/// What the directory's queries give, where that is not what they gave before.
async fn new_people(
    client: &mut Client,
    state: &State,
    current: &World,
    stale: Stale,
    catalog: &Catalog,
) -> Result<Option<(Answer, Answer)>, StartError> {
    let written = current.policies.written_arc();
    let Some(rule) = written.directory.as_ref().filter(|_| stale.directory) else {
        return Ok(None);
    };
    let found = Problems::default();
    match directory::read(client, rule, catalog, &found).await? {
        Some((users, teams)) => Ok(directory::unless_known(users, teams, state.people).await?),
        None => Err(StartError::Policies(found.into_sorted())),
    }
}
