//! The directory queries: run as the DBA wrote them, every value taken as text.

use crate::catalog::{Catalog, Oid};
use crate::identity::directory::{Answer, AnswerColumn, Directory};
use crate::name::quote_ident;
use crate::policy::file::{Problems, Word};
use crate::policy::written::{DirectoryRule, Written};
use deadpool_postgres::Client;
use futures::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinError;
use tokio_postgres::types::Type;

const SETTINGS: &str = "SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'iso_8601'; \
SET LOCAL timezone = 'UTC'; SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1; \
SET LOCAL statement_timeout = '30s'";

/// Rows that are taken over before somebody else may run.
const WITHOUT_PAUSE: usize = 500;

/// What the queries gave, in short.
pub(super) type Digest = [u8; 32];

/// A directory that was put together.
pub(super) struct Built {
    pub people: Directory,
    pub digest: Digest,
    /// What is odd in the data.
    pub odd: Vec<String>,
}

/// Puts a directory together, on a thread that serves nobody.
pub(super) async fn build(users: Answer, teams: Answer, written: Arc<Written>) -> Result<Built, JoinError> {
    let building = tokio::task::spawn_blocking(move || {
        let roles = written.roles.values().filter(|r| r.bypass);
        let bypass = roles.map(|r| r.name.clone()).collect();
        let (people, mut odd) = Directory::build(&users, &teams, &bypass);
        odd.extend(unknown_roles(&people, &written));
        Built {
            people,
            digest: digest(&users, &teams),
            odd,
        }
    });
    building.await
}

/// The answers, unless they are those that this digest is of.
pub(super) async fn unless_known(
    users: Answer,
    teams: Answer,
    known: Digest,
) -> Result<Option<(Answer, Answer)>, JoinError> {
    let comparing = tokio::task::spawn_blocking(move || (digest(&users, &teams) != known).then_some((users, teams)));
    comparing.await
}

fn digest(users: &Answer, teams: &Answer) -> Digest {
    let mut hash = Sha256::new();
    for answer in [users, teams] {
        hash.update(format!("{:?}", answer.columns));
        for cell in answer.rows.iter().flatten() {
            match cell {
                None => hash.update([0]),
                Some(values) => {
                    hash.update([1]);
                    hash.update(values.len().to_be_bytes());
                    for value in values {
                        hash.update(value.len().to_be_bytes());
                        hash.update(value);
                    }
                }
            }
        }
        hash.update([2]);
    }
    hash.finalize().into()
}

/// Roles that people have and no file describes: they give nothing.
fn unknown_roles(people: &Directory, written: &Written) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for person in people.listed() {
        for role in person.roles.iter().filter(|r| !written.roles.contains_key(*r)) {
            *counts.entry(role).or_default() += 1;
        }
    }
    let lines = counts.iter();
    lines
        .map(|(role, count)| {
            format!("no file describes the role \"{role}\", which {count} people have: it gives nothing")
        })
        .collect()
}

/// People and teams as the queries give them; what is wrong goes to `problems`.
pub(super) async fn read(
    client: &mut Client,
    rule: &DirectoryRule,
    catalog: &Catalog,
    problems: &Problems,
) -> Result<Option<(Answer, Answer)>, tokio_postgres::Error> {
    let transaction = client.build_transaction().read_only(true).start().await?;
    transaction.batch_execute(SETTINGS).await?;
    let Some(users) = answer(&transaction, &rule.users, catalog, problems, &["login", "role"]).await? else {
        return Ok(None);
    };
    let teams = match &rule.teams {
        None => Some(Answer::default()),
        Some(word) => answer(&transaction, word, catalog, problems, &["team_id", "parent_id"]).await?,
    };
    transaction.commit().await?;
    Ok(teams.map(|teams| (users, teams)))
}

async fn answer(
    transaction: &deadpool_postgres::Transaction<'_>,
    query: &Word,
    catalog: &Catalog,
    problems: &Problems,
    wanted: &[&str],
) -> Result<Option<Answer>, tokio_postgres::Error> {
    let inner = query.text.trim().trim_end_matches(';');
    let statement = match transaction
        .prepare(&format!("SELECT * FROM (\n{inner}\n) AS directory"))
        .await
    {
        Ok(statement) => statement,
        Err(error) => match error.as_db_error() {
            Some(said) => {
                problems.error(
                    &query.at,
                    format!("the directory query fails: {}", said.message()),
                    None,
                );
                return Ok(None);
            }
            None => return Err(error),
        },
    };
    let columns: Vec<AnswerColumn> = statement
        .columns()
        .iter()
        .map(|column| describe(column.name(), column.type_(), catalog))
        .collect();
    for name in wanted {
        if !columns.iter().any(|c| c.name == *name) {
            problems.error(
                &query.at,
                format!("the directory query yields no column \"{name}\""),
                Some(format!("name it with AS {name}")),
            );
            return Ok(None);
        }
    }
    let casts: Vec<String> = columns
        .iter()
        .map(|c| {
            let to = if c.is_list { "text[]" } else { "text" };
            format!("directory.{}::pg_catalog.{to}", quote_ident(&c.name))
        })
        .collect();
    let text = format!("SELECT {} FROM (\n{inner}\n) AS directory", casts.join(", "));
    match rows(transaction, &text, &columns).await {
        Ok(rows) => Ok(Some(Answer { columns, rows })),
        Err(error) => match error.as_db_error() {
            Some(said) => {
                problems.error(
                    &query.at,
                    format!("the directory query fails: {}", said.message()),
                    None,
                );
                Ok(None)
            }
            None => Err(error),
        },
    }
}

type Rows = Vec<Vec<Option<Vec<String>>>>;

async fn rows(
    transaction: &deadpool_postgres::Transaction<'_>,
    text: &str,
    columns: &[AnswerColumn],
) -> Result<Rows, tokio_postgres::Error> {
    let stream = transaction.query_raw(text, std::iter::empty::<&str>()).await?;
    let mut stream = std::pin::pin!(stream);
    let mut read = Vec::new();
    while let Some(row) = stream.try_next().await? {
        if read.len() % WITHOUT_PAUSE == 0 {
            tokio::task::yield_now().await;
        }
        let mut values = Vec::with_capacity(columns.len());
        for (at, column) in columns.iter().enumerate() {
            values.push(if column.is_list {
                row.try_get::<_, Option<Vec<Option<String>>>>(at)?
                    .map(|items| items.into_iter().flatten().collect())
            } else {
                row.try_get::<_, Option<String>>(at)?.map(|one| vec![one])
            });
        }
        read.push(values);
    }
    Ok(read)
}

fn describe(name: &str, found: &Type, catalog: &Catalog) -> AnswerColumn {
    let oid: Oid = found.oid();
    let element = catalog.types.get(&oid).map_or(0, |t| t.element);
    let is_list = element != 0;
    let type_oid = if is_list { element } else { oid };
    AnswerColumn {
        name: name.to_owned(),
        type_oid,
        type_sql: catalog
            .types
            .get(&type_oid)
            .map_or_else(|| "\"pg_catalog\".\"text\"".into(), |t| t.name.to_sql().into()),
        is_list,
    }
}
