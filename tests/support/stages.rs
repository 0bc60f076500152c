//! The gate without a server before it: a world read from a test's database, and its stages one by one.

use super::{Database, policies};
use rowgate::gate::{self, Judgement, SessionView};
use rowgate::identity::Principal;
use rowgate::keeper::Keeper;
use rowgate::refusal::Refusal;
use rowgate::sql::parse;
use rowgate::sql::resolve::Analysis;
use rowgate::sql::rewrite::print_unit;
use rowgate::sql::rewrite::splice::Placed;
use rowgate::sql::statement;
use rowgate::world::World;
use rowgate::world::standing::Asker;
use std::path::Path;
use std::sync::Arc;

impl Database {
    /// The world as rowgate reads it with the policies of a directory.
    pub async fn world_with(&self, directory: &Path) -> Arc<World> {
        Keeper::begin(policies::source(self, directory))
            .await
            .unwrap_or_else(|e| panic!("{e}"))
            .handle()
            .current()
    }
}

/// A session in which nothing has happened yet.
pub fn fresh() -> SessionView {
    SessionView {
        search_path: vec!["public".to_owned()],
        temp_relations: Vec::new(),
        stored: None,
    }
}

/// Somebody of the directory.
pub fn person(world: &World, login: &str) -> Principal {
    let who = world.directory.principal(login);
    let who = who.unwrap_or_else(|| panic!("nobody is called {login}"));
    (**who).clone()
}

/// The gate's answer in a fresh session, no parameter types given.
pub fn judge(sql: &str, who: &Principal, world: &World) -> Result<Judgement, Refusal> {
    gate::judge(sql, who, &fresh(), &[], world)
}

/// What the rewriter hands to `verify`: a text and where its splices stand.
#[derive(Debug, Clone)]
pub struct Rewritten {
    pub text: String,
    pub splices: Vec<Placed>,
}

/// A statement through every stage but the last.
pub fn rewrite(sql: &str, who: &Principal, world: &World) -> Result<Rewritten, Refusal> {
    let session = fresh();
    let parsed = parse::parse(sql)?;
    let who = Asker::new(world, who);
    let mut analysis = Analysis::new(world, &who, &session, &[], Arc::clone(&parsed.text), parsed.tokens);
    statement::judge_all(&mut analysis, &parsed.tree)?;
    let (text, splices) = print_unit(&mut analysis, 0)?;
    Ok(Rewritten { text, splices })
}

impl Rewritten {
    /// The last stage alone.
    pub fn verify(&self, sql: &str, who: &Principal, world: &World) -> Result<(), Refusal> {
        let (text, splices) = (self.text.clone(), self.splices.clone());
        let client = parse::Scanned::of(sql)?;
        rowgate::sql::verify::verify(&client, text, splices, &Asker::new(world, who), &fresh(), world).map(|_| ())
    }

    /// What one splice says.
    pub fn spliced(&self, splice: usize) -> &str {
        &self.text[self.splices[splice].sent.clone()]
    }

    /// The same with one splice that says something else; the others keep their places.
    pub fn with(&self, splice: usize, text: &str) -> Self {
        let mut broken = self.clone();
        let at = self.splices[splice].sent.clone();
        broken.text.replace_range(at.clone(), text);
        broken.splices[splice].sent.end = at.start + text.len();
        let shift = |place: usize| place + text.len() - at.len();
        for later in &mut broken.splices[splice + 1..] {
            later.sent = shift(later.sent.start)..shift(later.sent.end);
        }
        broken
    }
}
