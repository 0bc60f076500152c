//! What the gate makes of a text, in process: for reports, and for breaking it on purpose.

use crate::stage::{READER, Stage, WHOLE};
use rowgate::demo::data;
use rowgate::gate::{Judgement, SessionView, judge};
use rowgate::keeper::{Keeper, Source};
use rowgate::refusal::Refusal;
use rowgate::world::World;
use std::path::Path;
use std::sync::Arc;

/// The gate's own world, read once.
pub struct Explainer {
    pub world: Arc<World>,
}

impl Explainer {
    pub fn new(stage: &Stage, policies: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let mut upstream = tokio_postgres::Config::new();
        upstream
            .host("127.0.0.1")
            .port(stage.superuser.port)
            .dbname(WHOLE)
            .user(READER)
            .password(data::password(READER))
            .ssl_mode(tokio_postgres::config::SslMode::Disable);
        let source = Source {
            upstream,
            tls: None,
            policies: policies.to_owned(),
            rights: None,
        };
        let keeper = runtime
            .block_on(Keeper::begin(source))
            .unwrap_or_else(|e| panic!("{e}"));
        Self {
            world: keeper.handle().current(),
        }
    }

    /// The judgement of a text for one person, in a fresh session.
    pub fn judge(&self, login: &str, sql: &str) -> Result<Judgement, Refusal> {
        let session = SessionView {
            search_path: vec!["public".to_owned()],
            temp_relations: Vec::new(),
            stored: None,
        };
        let who = self.world.directory.principal(login).expect("a person");
        judge(sql, who, &session, &[], &self.world)
    }

    /// The text that would be sent, or why there is none.
    pub fn text(&self, login: &str, sql: &str) -> String {
        match self.judge(login, sql) {
            Ok(judgement) => judgement.text.text().to_owned(),
            Err(refusal) => format!("refused: {} {} {:?}", refusal.code, refusal, refusal.log),
        }
    }
}
