//! Reading what the schema holds.

use super::snapshot::{Right, Snapshot, Subject, With};
use crate::identity::held::{Gift, Operation};
use std::collections::BTreeSet;
use std::time::SystemTime;
use tokio_postgres::{Client, Error, Row};

/// The number that every change counts up, as long as it is the same nothing has changed; and the schema's version.
pub async fn stamp(client: &Client) -> Result<(i64, i32), Error> {
    let row = client
        .query_one("SELECT stamp, version FROM rowgate.state", &[])
        .await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// Which clock is right is rowgate's question: what the database thinks has just ended is read, too. What was suspended
/// at once is so by every clock, that of a rowgate which is behind the one where it was said included.
const RIGHTS: &str = "SELECT id, kind, login, team, role, table_name, operations, scope, columns, record, delegator, until, given_by, \
    CASE WHEN kind = 'suspension' AND starts <= given_at + '5 minutes'::pg_catalog.interval \
    THEN starts - '1 day'::pg_catalog.interval ELSE starts END AS starts FROM rowgate.rights \
    WHERE until IS NULL OR until > pg_catalog.now() - '1 hour'::pg_catalog.interval ORDER BY id";

/// Every right that may be in force now or later.
pub async fn all(client: &Client) -> Result<Snapshot, Error> {
    let mut rights = Vec::new();
    for row in client.query(RIGHTS, &[]).await? {
        let number: i64 = row.try_get("id")?;
        let read = Right {
            number,
            given_by: row.try_get("given_by")?,
            starts: row.try_get("starts")?,
            until: row.try_get::<_, Option<SystemTime>>("until")?,
            subject: match subject(&row)? {
                Some(subject) => subject,
                None => {
                    tracing::warn!(number, "a temporary right cannot be read and has no effect");
                    continue;
                }
            },
        };
        rights.push(read);
    }
    Ok(Snapshot { rights, lost: None })
}

fn subject(row: &Row) -> Result<Option<Subject>, Error> {
    let kind: String = row.try_get("kind")?;
    let text = |name: &str| row.try_get::<_, Option<String>>(name);
    let list = |name: &str| row.try_get::<_, Option<Vec<String>>>(name);
    let (login, table, role) = (text("login")?, text("table_name")?, text("role")?);
    Ok(match (kind.as_str(), login, table, role) {
        ("grant", Some(login), Some(table), _) => {
            let gift = match (list("columns")?, list("operations")?, text("scope")?) {
                (Some(columns), ..) => Some(Gift::Columns(columns.into_iter().collect())),
                (None, Some(words), Some(scope)) => {
                    let operations: Option<BTreeSet<_>> = words.iter().map(|w| Operation::from_word(w)).collect();
                    operations.map(|operations| Gift::Rows { operations, scope })
                }
                _ => None,
            };
            gift.map(|gift| Subject::Grant { login, table, gift })
        }
        ("role" | "raise", Some(login), _, Some(role)) => Some(Subject::Role { login, role }),
        ("delegation", Some(login), table, _) => text("delegator")?.map(|delegator| Subject::Delegation {
            login,
            delegator,
            table,
        }),
        ("share", login, Some(table), _) => {
            let with = match (login, text("team")?) {
                (Some(login), _) => Some(With::Person(login)),
                (None, team) => team.map(With::Team),
            };
            let key = list("record")?;
            with.zip(key).map(|(with, key)| Subject::Share { with, table, key })
        }
        ("suspension", Some(login), ..) => Some(Subject::SuspendPerson(login)),
        ("suspension", _, _, Some(role)) => Some(Subject::SuspendRole(role)),
        ("suspension", _, Some(table), _) => Some(Subject::SuspendTable(table)),
        _ => None,
    })
}
