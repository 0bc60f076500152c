//! rowgate's own messages on a session's connection, while nothing of the client is under way.

use super::judging::{Text, Verdict};
use super::{End, Session};
use crate::backend::connection::{Rows, row};
use crate::backend::introspect;
use crate::catalog::Relation;
use crate::gate::Verified;
use crate::net::{Fields, frame};
use bytes::BytesMut;
use std::sync::Arc;

/// Names, types and modifiers of a result's columns.
pub(super) type Shape = Vec<(Vec<u8>, u32, i32)>;
/// A statement's columns before and after it was replaced.
pub(super) type Shapes = (Option<Shape>, Option<Shape>);

/// The name under which rowgate runs its own statements.
const OWN: &str = "rowgate:own";

/// A Bind without parameters whose result is text.
pub(super) const NO_VALUES: [u8; 6] = [0; 6];

/// Longest answer to one of rowgate's own messages.
const LONGEST: usize = 64 << 20;

/// The search_path as it is in force, schemas that do not exist left out.
const SEARCH_PATH: &str = "SELECT pg_catalog.array_to_json(pg_catalog.current_schemas(false))::pg_catalog.text";

impl Session<'_> {
    /// Sends what was written to the connection and reads the answers: up to ReadyForQuery after a Sync, up to
    /// `last` (a tag and how often it comes) after a Flush. An error ends it in both cases.
    pub(super) async fn exchange(
        &mut self,
        synced: bool,
        last: (u8, usize),
    ) -> Result<Result<Vec<(u8, BytesMut)>, Fields>, End> {
        let mut answers = Vec::new();
        let mut failed = None;
        let mut left = last.1;
        loop {
            let message = frame::take(self.back.input(), |_| LONGEST).map_err(|e| End::Broken(e.to_string()))?;
            let Some((tag, body)) = message else {
                self.pump_upstream().await?;
                continue;
            };
            match tag {
                b'S' | b'N' | b'A' => self.asynchronous(tag, &body)?,
                b'E' => {
                    let fields = decode(&body)?;
                    if fields.is_fatal() {
                        return Err(End::Upstream(fields));
                    }
                    if !synced {
                        return Ok(Err(fields));
                    }
                    failed = Some(fields);
                }
                b'Z' => {
                    self.state.status = body.first().copied().unwrap_or(b'I');
                    break;
                }
                _ => {
                    answers.push((tag, body));
                    if !synced && (tag == last.0 || (last.0 == b'T' && tag == b'n')) {
                        left -= 1;
                        if left == 0 {
                            break;
                        }
                    }
                }
            }
        }
        Ok(failed.map_or(Ok(answers), Err))
    }

    /// One of rowgate's own statements; within the client's implicit transaction if one is open.
    pub(super) async fn own_rows(&mut self, text: &'static str, values: &[&str]) -> Result<Result<Rows, Fields>, End> {
        let synced = !self.state.segment_open;
        self.back.own_statement(text, values, synced);
        // Close of the portal and of the statement end it
        let answers = match self.exchange(synced, (b'3', 2)).await? {
            Ok(answers) => answers,
            Err(fields) => return Ok(Err(fields)),
        };
        let mut rows = Rows::new();
        for (tag, body) in answers {
            if tag == b'D' {
                rows.push(row(&body).map_err(|e| End::Broken(e.to_string()))?);
            }
        }
        Ok(Ok(rows))
    }

    /// Reads search_path and temp relations again, after putting settings in force that were lost.
    pub(super) async fn reread(&mut self) -> Result<Option<Verdict>, End> {
        self.drain().await?;
        if self.state.skipping {
            return Ok(Some(Verdict::Skipped));
        }
        if (self.state.settings_lost() || self.state.limits_changed)
            && let Err(fields) = self.put_settings_in_force().await?
        {
            return Ok(Some(self.failed(fields, None)));
        }
        if !self.state.stale {
            return Ok(None);
        }
        let path = match self.own_rows(SEARCH_PATH, &[]).await? {
            Ok(rows) => rows.into_iter().flatten().flatten().next().unwrap_or_default(),
            Err(fields) => return Ok(Some(self.failed(fields, None))),
        };
        let path: Vec<String> = serde_json::from_str(&path).map_err(|e| End::Broken(e.to_string()))?;
        let path = path
            .into_iter()
            .filter(|s| s != "pg_catalog")
            .map(own_temp_schema)
            .collect();
        let relations = match self.temp_relations().await? {
            Ok(relations) => relations,
            Err(fields) => return Ok(Some(self.failed(fields, None))),
        };
        self.state.refresh_view(path, relations, &self.shared.known_views);
        Ok(None)
    }

    async fn temp_relations(&mut self) -> Result<Result<Vec<Arc<Relation>>, Fields>, End> {
        if !self.state.has_temp {
            return Ok(Ok(Vec::new()));
        }
        let rows = match self.own_rows(introspect::TEMP_RELATIONS_SQL, &[]).await? {
            Ok(rows) => rows,
            Err(fields) => return Ok(Err(fields)),
        };
        let texts: Vec<String> = rows.into_iter().flatten().flatten().collect();
        introspect::relations_from_json(texts.iter().map(String::as_str), &self.state.world.catalog.types)
            .map(Ok)
            .map_err(|e| End::Broken(e.to_string()))
    }

    /// Replaces a statement of the extended protocol: what its columns were, and what they are now.
    pub(super) async fn replace_statement(&mut self, name: &str, text: &Text) -> Result<Result<Shapes, Fields>, End> {
        let synced = !self.state.segment_open;
        let before = match self.shape_before(name, synced).await? {
            Ok(shape) => shape,
            Err(fields) => return Ok(Err(fields)),
        };
        self.back.close(b'S', name);
        self.back.parse(name, &text.judgement.text, &text.types);
        self.back.describe(b'S', name);
        self.end_own(synced);
        self.with_shape_after(before, synced).await
    }

    /// The columns of a statement that is about to be replaced; `None` where what it names is gone, which is no error
    /// of its successor's.
    async fn shape_before(&mut self, name: &str, synced: bool) -> Result<Result<Option<Shape>, Fields>, End> {
        self.back.describe(b'S', name);
        self.end_own(synced);
        match self.exchange(synced, (b'T', 1)).await? {
            Ok(answers) => Self::last_shape(&answers).map(Ok),
            Err(_) if synced && self.state.status != b'E' => Ok(Ok(None)),
            Err(fields) => Ok(Err(fields)),
        }
    }

    pub(super) fn last_shape(answers: &[(u8, BytesMut)]) -> Result<Option<Shape>, End> {
        let last = answers.iter().rev().find(|(tag, _)| matches!(tag, b'T' | b'n'));
        last.map_or(Ok(None), |(tag, body)| Self::shape_of(*tag, body))
    }

    /// Replaces a statement made by PREPARE, by its command with the new text.
    pub(super) async fn replace_sql_statement(
        &mut self,
        name: &str,
        command: &Verified,
    ) -> Result<Result<Shapes, Fields>, End> {
        let synced = !self.state.segment_open;
        let before = match self.shape_before(name, synced).await? {
            Ok(shape) => shape,
            Err(fields) => return Ok(Err(fields)),
        };
        self.back.close(b'S', name);
        self.own_command(command);
        self.back.describe(b'S', name);
        self.end_own(synced);
        self.with_shape_after(before, synced).await
    }

    async fn with_shape_after(&mut self, before: Option<Shape>, synced: bool) -> Result<Result<Shapes, Fields>, End> {
        Ok(match self.exchange(synced, (b'T', 1)).await? {
            Ok(answers) => Ok((before, Self::last_shape(&answers)?)),
            Err(fields) => Err(fields),
        })
    }

    /// An error in one of rowgate's own messages within a client's statement is that statement's error.
    pub(super) fn failed(&self, mut error: Fields, text: Option<&Text>) -> Verdict {
        self.filter_error(&mut error, text, false);
        Verdict::Failed(error)
    }

    /// Makes the server fail where a result was cut off, so that its transaction ends; nothing is relayed.
    pub(super) async fn fail_quietly(&mut self, extended: bool) -> Result<(), End> {
        self.back.fail(extended);
        let _ = self.exchange(!extended, (b'E', 1)).await?;
        Ok(())
    }

    /// Runs a judged text and throws its answer away, or gives its error.
    pub(super) async fn run_quietly(&mut self, text: &Verified) -> Result<Result<(), Fields>, End> {
        let synced = !self.state.segment_open;
        self.own_command(text);
        self.end_own(synced);
        Ok(self.exchange(synced, (b'3', 2)).await?.map(|_| ()))
    }

    /// A judged text under rowgate's own names, so that the client's unnamed statement stays as it is.
    fn own_command(&mut self, text: &Verified) {
        self.back.parse(OWN, text, &[]);
        self.back.bind(OWN, OWN, &NO_VALUES);
        self.back.execute(OWN, 0);
        self.back.close(b'P', OWN);
        self.back.close(b'S', OWN);
    }

    /// Ends what was written, within the client's implicit transaction if one is open, and reads the answers.
    pub(super) async fn finish_own(&mut self, last: (u8, usize)) -> Result<Result<Vec<(u8, BytesMut)>, Fields>, End> {
        let synced = !self.state.segment_open;
        self.end_own(synced);
        self.exchange(synced, last).await
    }

    fn end_own(&mut self, synced: bool) {
        if synced {
            self.back.sync();
        } else {
            self.back.flush();
        }
    }
}

/// The session's own temp schema has the same name in every session's view.
fn own_temp_schema(name: String) -> String {
    if name.starts_with("pg_temp_") {
        "pg_temp".to_owned()
    } else {
        name
    }
}

fn decode(body: &[u8]) -> Result<Fields, End> {
    Fields::decode(body).map_err(|e| End::Broken(e.to_string()))
}
