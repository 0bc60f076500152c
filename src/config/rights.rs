//! `[rights]`: temporary rights, and where they are kept.

use super::Upstream;
use super::read::{Section, Source};
use std::path::Path;
use std::time::Duration;

/// Temporary rights are used.
#[derive(Debug, Clone)]
pub struct RightsConfig {
    /// `database`: the URL of the database with the schema `rowgate`; the upstream itself unless told.
    pub database: Option<tokio_postgres::Config>,
    /// `patience`: how long what was given holds while that database cannot be reached; 30 s unless told.
    pub patience: Duration,
}

impl RightsConfig {
    /// `None` where there is no such section: then there are no temporary rights.
    pub(super) fn read(mut section: Section<'_, '_>, source: &mut Source<'_>, base: &Path) -> Option<Self> {
        const PATIENCE: Duration = Duration::from_secs(30);
        let is_there = section.is_there();
        let url = section.spanned_text(source, "database");
        let password = section.spanned_text(source, "password_file");
        let patience = section.duration(source, "patience", PATIENCE);
        section.finish(source);
        let mut database = url.and_then(|(url, span)| match url.parse::<tokio_postgres::Config>() {
            Ok(database) => Some(database),
            Err(error) => {
                let why = format!("rights.database is no URL of a database: {error}");
                source.error(span, why, "such as \"postgres://rowgate@host/rights\"");
                None
            }
        });
        if let (Some((file, span)), Some(database)) = (password, &mut database) {
            match std::fs::read_to_string(base.join(&file)) {
                Ok(text) => drop(database.password(text.trim_end_matches(['\r', '\n']))),
                Err(error) => source.error(span, format!("cannot read {file}: {error}"), "name another file"),
            }
        }
        is_there.then_some(Self { database, patience })
    }

    /// Where the schema is.
    pub fn database(&self, upstream: &Upstream) -> tokio_postgres::Config {
        let mut database = self.database.clone().unwrap_or_else(|| upstream.to_config());
        database.application_name("rowgate rights");
        database.connect_timeout(upstream.connect_timeout);
        database
    }
}
