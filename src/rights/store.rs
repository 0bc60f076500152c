//! Writing rights and requests: each change with who and why, all or nothing.

use super::language::What;
use std::time::SystemTime;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Transaction};

/// A right as it is stored; what does not apply is `None`.
#[derive(Debug, Clone, Default)]
pub struct NewRight {
    /// The kind.
    pub kind: &'static str,
    /// Who has it, or is suspended.
    pub login: Option<String>,
    /// The team with which something is shared.
    pub team: Option<String>,
    /// The role.
    pub role: Option<String>,
    /// The table.
    pub table: Option<String>,
    /// What may be done.
    pub operations: Option<Vec<String>>,
    /// The scope.
    pub scope: Option<String>,
    /// The columns.
    pub columns: Option<Vec<String>>,
    /// The record's key.
    pub record: Option<Vec<String>>,
    /// Whose rows.
    pub delegator: Option<String>,
    /// The end.
    pub until: Option<SystemTime>,
}

impl NewRight {
    /// What somebody is given.
    pub fn given(what: &What, to: &str, until: SystemTime) -> Self {
        let begun = Self {
            login: Some(to.to_owned()),
            until: Some(until),
            ..Self::default()
        };
        match what {
            What::Rows {
                operations,
                table,
                scope,
            } => Self {
                kind: "grant",
                table: Some(table.text.clone()),
                operations: Some(operations.iter().map(|o| o.word().to_owned()).collect()),
                scope: Some(scope.text.clone()),
                ..begun
            },
            What::Columns { table, columns } => Self {
                kind: "grant",
                table: Some(table.text.clone()),
                columns: Some(columns.iter().map(|c| c.text.clone()).collect()),
                ..begun
            },
            What::Role(role) => Self {
                kind: "role",
                role: Some(role.text.clone()),
                ..begun
            },
        }
    }
}

/// One change, under the name of whoever makes it.
pub struct Change<'c> {
    transaction: Transaction<'c>,
    who: String,
    why: String,
}

impl<'c> Change<'c> {
    /// Begins it; what has ended long ago is cleared away with it.
    pub async fn begin(client: &'c mut Client, who: &str, why: &str) -> Result<Self, Error> {
        let transaction = client.transaction().await?;
        let set =
            "SELECT pg_catalog.set_config('rowgate.who', $1, true), pg_catalog.set_config('rowgate.why', '', true)";
        transaction.execute(set, &[&"rowgate"]).await?;
        let over = "DELETE FROM rowgate.rights WHERE until < pg_catalog.now() - '1 day'::pg_catalog.interval";
        transaction.execute(over, &[]).await?;
        let set =
            "SELECT pg_catalog.set_config('rowgate.who', $1, true), pg_catalog.set_config('rowgate.why', $2, true)";
        transaction.execute(set, &[&who, &why]).await?;
        Ok(Self {
            transaction,
            who: who.to_owned(),
            why: why.to_owned(),
        })
    }

    /// Stores a right; gives its number.
    pub async fn give(&self, right: &NewRight) -> Result<i64, Error> {
        const INSERT: &str = "INSERT INTO rowgate.rights (kind, login, team, role, table_name, operations, scope, \
            columns, record, delegator, until, reason, given_by, starts) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING id";
        let row = self
            .transaction
            .query_one(
                INSERT,
                &[
                    &right.kind,
                    &right.login,
                    &right.team,
                    &right.role,
                    &right.table,
                    &right.operations,
                    &right.scope,
                    &right.columns,
                    &right.record,
                    &right.delegator,
                    &right.until,
                    &self.why,
                    &self.who,
                    &SystemTime::now(),
                ],
            )
            .await?;
        row.try_get(0)
    }

    /// Ends what whoever makes the change shares of the same record with the same partner. Nobody else shares anything of the
    /// table with them until the change is made.
    pub async fn unshare(&self, right: &NewRight) -> Result<(), Error> {
        const WAIT: &str = "SELECT pg_catalog.pg_advisory_xact_lock(7305518, pg_catalog.hashtext($1))";
        const DELETE: &str = "DELETE FROM rowgate.rights WHERE kind = 'share' AND table_name = $1 AND record = $2 \
            AND login IS NOT DISTINCT FROM $3 AND team IS NOT DISTINCT FROM $4 AND given_by = $5";
        let lock = format!("{:?}", (&right.table, &right.login, &right.team));
        self.transaction.execute(WAIT, &[&lock]).await?;
        let same: [&(dyn ToSql + Sync); 5] = [&right.table, &right.record, &right.login, &right.team, &self.who];
        self.transaction.execute(DELETE, &same).await?;
        Ok(())
    }

    /// How many rights of its holder whoever makes the change has given, shares and suspensions left out.
    pub async fn given(&self, right: &NewRight) -> Result<i64, Error> {
        const SELECT: &str = "SELECT pg_catalog.count(*) FROM rowgate.rights WHERE login = $1 AND given_by = $2 \
            AND kind NOT IN ('share', 'suspension') AND until > pg_catalog.now()";
        let row = self.transaction.query_one(SELECT, &[&right.login, &self.who]).await?;
        row.try_get(0)
    }

    /// How many shares of its table its partner has, and how many by whoever makes the change.
    pub async fn shared(&self, right: &NewRight) -> Result<(i64, i64), Error> {
        const SELECT: &str = "SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE given_by = $4) FROM rowgate.rights WHERE kind = 'share' \
            AND table_name = $1 AND login IS NOT DISTINCT FROM $2 AND team IS NOT DISTINCT FROM $3 \
            AND (until IS NULL OR until > pg_catalog.now())";
        let same: [&(dyn ToSql + Sync); 4] = [&right.table, &right.login, &right.team, &self.who];
        let row = self.transaction.query_one(SELECT, &same).await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    /// Ends these rights; which of them there were.
    pub async fn end(&self, numbers: &[i64]) -> Result<Vec<i64>, Error> {
        const DELETE: &str = "DELETE FROM rowgate.rights WHERE id = ANY ($1) RETURNING id";
        let rows = self.transaction.query(DELETE, &[&numbers]).await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }

    /// Stores what somebody asks for; gives its number.
    pub async fn ask(&self, wanted: &str, until: SystemTime) -> Result<i64, Error> {
        const INSERT: &str =
            "INSERT INTO rowgate.requests (login, wanted, until, reason) VALUES ($1, $2, $3, $4) RETURNING id";
        let row = self
            .transaction
            .query_one(INSERT, &[&self.who, &wanted, &until, &self.why])
            .await?;
        row.try_get(0)
    }

    /// How many of somebody's requests wait for a decision.
    pub async fn waiting(&self, login: &str) -> Result<i64, Error> {
        const SELECT: &str =
            "SELECT count(*) FROM rowgate.requests WHERE login = $1 AND state = 'open' AND until > now()";
        self.transaction.query_one(SELECT, &[&login]).await?.try_get(0)
    }

    /// Gives another reason for what follows.
    pub fn because(&mut self, why: &str) {
        self.why = why.to_owned();
    }

    /// An open request, which nobody else decides on meanwhile: who asks, for what, until when, why.
    pub async fn request(&self, number: i64) -> Result<Option<(String, String, SystemTime, String)>, Error> {
        const SELECT: &str =
            "SELECT login, wanted, until, reason FROM rowgate.requests WHERE id = $1 AND state = 'open' FOR UPDATE";
        match self.transaction.query_opt(SELECT, &[&number]).await? {
            Some(row) => Ok(Some((
                row.try_get(0)?,
                row.try_get(1)?,
                row.try_get(2)?,
                row.try_get(3)?,
            ))),
            None => Ok(None),
        }
    }

    /// Decides on it.
    pub async fn decide(&self, number: i64, state: &str) -> Result<(), Error> {
        const UPDATE: &str = "UPDATE rowgate.requests SET state = $2, decided_by = $3, decided_at = pg_catalog.now() \
            WHERE id = $1";
        self.transaction.execute(UPDATE, &[&number, &state, &self.who]).await?;
        Ok(())
    }

    /// Makes it hold.
    pub async fn commit(self) -> Result<(), Error> {
        self.transaction.commit().await
    }
}
