//! May a judged text run now? Audit, limits on what runs at once, and what EXECUTE and FETCH point to.

use super::aborted::in_aborted;
use super::expect::Source;
use super::judging::{Text, Verdict};
use super::prepared::Prepared;
use super::returned::shown;
use super::shared::Counted;
use super::{End, Session};
use crate::gate::{Bound, Effect, Judged, Returned};
use crate::refusal::{Refusal, SqlState};
use crate::wire::row_description;
use std::sync::Arc;

/// A text that may run.
pub(super) struct Admitted {
    /// Where the results of its EXECUTE and FETCH come from.
    pub through: Vec<(usize, Source)>,
    /// Its place among the person's running statements, if these are limited.
    pub counted: Option<Arc<Counted>>,
}

impl Session<'_> {
    /// Lets a text (or one statement of it) run, or says why not.
    pub(super) async fn admit(
        &mut self,
        text: &Arc<Text>,
        only: Option<usize>,
    ) -> Result<Result<Admitted, Verdict>, End> {
        if !self.shared.audit.admits() {
            let refusal = Refusal::new(
                "audit-not-written",
                SqlState::IoError,
                "the statement is refused because the audit record cannot be written",
            );
            return Ok(Err(Verdict::Refused(refusal.hint("Tell the database administrator."))));
        }
        let mut through = Vec::new();
        for (index, statement) in text.judgement.statements.iter().enumerate() {
            if only.is_some_and(|only| only != index) {
                continue;
            }
            let source = match &statement.effect {
                Effect::Execute { name } => Box::pin(self.executed(text, index, name)).await?.map(Some),
                Effect::Fetch { name } => Box::pin(self.fetched(text, index, name)).await?.map(Some),
                _ => Ok(None),
            };
            match source {
                Ok(source) => through.extend(source.map(|source| (index, source))),
                Err(verdict) => return Ok(Err(verdict)),
            }
            let denied = match &statement.effect {
                Effect::Act(whom) => Box::pin(self.act(whom.as_deref(), true)).await?.err(),
                Effect::Reset { all } if self.state.acting.is_some() => {
                    Box::pin(self.act_for_nobody(text, *all)).await?
                }
                _ => None,
            };
            if let Some(denied) = denied {
                return Ok(Err(denied));
            }
            if let Some(denied) = self.stands_ready(statement, through.last()).await? {
                return Ok(Err(denied));
            }
        }
        // what was waited for may have been an error that this is thrown away behind
        if self.state.skipping {
            return Ok(Err(Verdict::Skipped));
        }
        let mut counted = None;
        if let Some(limit) = self.state.rights.concurrent_statements {
            // what this session has sent already runs before this does, not beside it
            counted = self.turn.upgrade();
            if counted.is_none() {
                counted = self.shared.running.begin(&self.state.login, limit).map(Arc::new);
                self.turn = counted.as_ref().map(Arc::downgrade).unwrap_or_default();
            }
            if counted.is_none() {
                let refusal = Refusal::new(
                    "too-many-statements",
                    SqlState::ConfigurationLimitExceeded,
                    format!("too many statements of this login run at once (the policy allows {limit})"),
                );
                return Ok(Err(Verdict::Refused(refusal.hint("Wait for one of them to end."))));
            }
        }
        Ok(Ok(Admitted { through, counted }))
    }

    /// Makes sure that the connection has what a statement needs there. `Some` when that failed.
    async fn stands_ready(
        &mut self,
        statement: &Judged,
        source: Option<&(usize, Source)>,
    ) -> Result<Option<Verdict>, End> {
        if let Effect::Execute { name } | Effect::Deallocate(Some(name)) | Effect::Prepare { name, .. } =
            &statement.effect
            && let Some(denied) = Box::pin(self.stand_in(name)).await?
        {
            return Ok(Some(denied));
        }
        let source = source.and_then(|(_, source)| source.text.statement(source.statement));
        let asks = |s: &Judged| s.leaves.bound.contains(&Bound::Sequences);
        if asks(statement) || source.is_some_and(asks) {
            return Box::pin(self.keep_sequences()).await;
        }
        Ok(None)
    }

    /// Where a statement's result comes from, for its columns' origins.
    pub(super) fn result_source(&self, text: &Arc<Text>, statement: usize) -> Source {
        let own = Source {
            text: Arc::clone(text),
            statement,
        };
        match text.statement(statement).map(|s| &s.effect) {
            Some(Effect::Execute { name }) => self.state.statements.get(name).map_or(own, |p| Source {
                text: Arc::clone(&p.text),
                statement: p.statement,
            }),
            Some(Effect::Fetch { name }) => self.state.portals.get(name).map_or(own, |p| Source {
                text: Arc::clone(&p.text),
                statement: p.statement,
            }),
            _ => own,
        }
    }

    /// `EXECUTE name`: made earlier in the same text, or known and judged again where it is stale.
    async fn executed(&mut self, text: &Arc<Text>, at: usize, name: &str) -> Result<Result<Source, Verdict>, End> {
        let earlier = text
            .judgement
            .statements
            .iter()
            .take(at)
            .rposition(|s| matches!(&s.effect, Effect::Prepare { name: made, .. } if made == name));
        if let Some(statement) = earlier {
            return Ok(Ok(Source {
                text: Arc::clone(text),
                statement,
            }));
        }
        let prepared = self.statement_named(name).await?;
        if self.state.skipping {
            return Ok(Err(Verdict::Skipped));
        }
        let Some(prepared) = prepared else {
            if self.is_aborted().await? {
                return Ok(Err(Verdict::Refused(in_aborted())));
            }
            return Ok(Err(Verdict::Refused(no_such_statement(name))));
        };
        if !prepared.by_sql && !prepared.is_query() {
            let refusal = Refusal::unsupported(
                "execute-command",
                format!("EXECUTE of prepared statement \"{name}\" is not supported"),
            )
            .detail("It is a command, not a query.")
            .hint("Send the command itself.");
            return Ok(Err(Verdict::Refused(refusal)));
        }
        let source = |text: Arc<Text>| Source {
            text,
            statement: prepared.statement,
        };
        if self.state.is_current(&prepared.text) {
            return Ok(Ok(source(Arc::clone(&prepared.text))));
        }
        if prepared.by_sql && prepared.text.judgement.statements.len() > 1 {
            let refusal = Refusal::unsupported(
                "prepared-with-others",
                format!("prepared statement \"{name}\" must be prepared again"),
            )
            .detail("Rights or settings have changed since, and it was prepared together with other statements.")
            .hint("Send PREPARE by itself.");
            return Ok(Err(Verdict::Refused(refusal)));
        }
        Ok(match self.judge_again(name, &prepared).await? {
            Verdict::Allowed(text) => Ok(source(text)),
            other => Err(other),
        })
    }

    /// FETCH and MOVE: the cursor was declared earlier in the same text, or under rights that are still the same.
    async fn fetched(&mut self, text: &Arc<Text>, at: usize, name: &str) -> Result<Result<Source, Verdict>, End> {
        let earlier = text
            .judgement
            .statements
            .iter()
            .take(at)
            .rposition(|s| matches!(&s.effect, Effect::DeclareCursor { name: made } if made == name));
        if let Some(statement) = earlier {
            return Ok(Ok(Source {
                text: Arc::clone(text),
                statement,
            }));
        }
        let portal = self.portal_named(name).await?;
        if self.state.skipping {
            return Ok(Err(Verdict::Skipped));
        }
        let Some(portal) = portal else {
            if self.is_aborted().await? {
                return Ok(Err(Verdict::Refused(in_aborted())));
            }
            return Ok(Err(Verdict::Refused(Refusal::new(
                "no-such-cursor",
                SqlState::InvalidCursorName,
                format!("cursor \"{name}\" does not exist"),
            ))));
        };
        Ok(match self.same_rights(&portal.text).await {
            Ok(()) => Ok(Source {
                text: portal.text,
                statement: portal.statement,
            }),
            Err(refusal) => Err(Verdict::Refused(refusal)),
        })
    }

    /// Would an open cursor's text still be judged the same?
    pub(super) async fn same_rights(&mut self, text: &Text) -> Result<(), Refusal> {
        if text.generation == self.state.world.generation {
            return Ok(());
        }
        let again = self.judge_under(&text.client, &text.types, &text.view).await;
        match again {
            Ok(again) if again.judgement.sends_as(&text.judgement) => Ok(()),
            _ => Err(Refusal::forbidden(
                "rights-changed",
                "permission denied: your rights have changed since this cursor was opened",
            )
            .hint("Run the query again.")),
        }
    }

    /// Judges a stale prepared statement again, and replaces it on the server where its text has to change.
    pub(super) async fn judge_again(&mut self, name: &str, old: &Arc<Prepared>) -> Result<Verdict, End> {
        let client = old.text.client.clone();
        let text = match self.judge(&client, &old.text.types).await? {
            Verdict::Allowed(text) => text,
            other => return Ok(other),
        };
        let mut renewed = Prepared {
            text: Arc::clone(&text),
            ..old.as_ref().clone()
        };
        if text.judgement.text.text() == old.text.judgement.text.text() {
            self.state.prepare(name.to_owned(), renewed);
            return Ok(Verdict::Allowed(text));
        }
        self.drain().await?;
        if self.state.skipping {
            return Ok(Verdict::Skipped);
        }
        let replaced = if self.shares() && !old.by_sql {
            self.shapes(&old.text, &text).await?
        } else if old.by_sql {
            self.replace_sql_statement(name, &text.judgement.text).await?
        } else {
            self.replace_statement(name, &text).await?
        };
        let (before, after) = match replaced {
            Ok(shapes) => shapes,
            Err(error) => return Ok(self.failed(error, Some(&text))),
        };
        let returned = |text: &Arc<Text>| {
            let statement = text.statement(old.statement);
            statement.map_or(Returned::AsIs, |s| s.returned)
        };
        let before = before.map(|shape| shown(shape, returned(&old.text)));
        let after = after.map(|shape| shown(shape, returned(&text)));
        let known = renewed.shape.take().or(before);
        let same = known.is_none() || known == after;
        renewed.shape = known;
        self.state.prepare(name.to_owned(), renewed);
        if same {
            return Ok(Verdict::Allowed(text));
        }
        // the next use finds the same difference: the old text stands for a text that is not judged any more
        self.state.prepare(
            name.to_owned(),
            Prepared {
                text: Arc::clone(&old.text),
                ..self
                    .state
                    .statements
                    .get(name)
                    .map_or_else(|| old.as_ref().clone(), |p| p.as_ref().clone())
            },
        );
        Ok(Verdict::Refused(
            Refusal::unsupported("result-type-changed", "cached plan must not change result type")
                .hint("The columns that you may see have changed: prepare the statement again."),
        ))
    }

    /// The columns in a RowDescription or NoData.
    pub(super) fn shape_of(tag: u8, body: &[u8]) -> Result<Option<super::internal::Shape>, End> {
        if tag == b'n' {
            return Ok(Some(Vec::new()));
        }
        row_description::shape(body)
            .map(Some)
            .map_err(|e| End::Broken(e.to_string()))
    }
}

/// 26000
pub(super) fn no_such_statement(name: &str) -> Refusal {
    let message = if name.is_empty() {
        "unnamed prepared statement does not exist".to_owned()
    } else {
        format!("prepared statement \"{name}\" does not exist")
    };
    Refusal::new("no-such-statement", SqlState::InvalidSqlStatementName, message)
}
