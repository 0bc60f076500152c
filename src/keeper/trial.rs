//! Trying masks and conditions on the database before anybody's statement depends on them.

use crate::catalog::Catalog;
use crate::identity::Principal;
use crate::identity::directory::Directory;
use crate::name::quote_literal;
use crate::policy::file::{Problem, Severity, Spot};
use crate::policy::{Place, PolicySet, Trial};
use deadpool_postgres::Client;
use std::collections::BTreeMap;
use std::sync::Arc;

const SETTINGS: &str = "SET LOCAL search_path = ''; SET LOCAL statement_timeout = '2s'; SET LOCAL lock_timeout = '1s'; \
SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL timezone = 'UTC'; \
SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1";

/// Has the database print every constant of a `fixed` mask in a form that does not depend on a session's settings.
pub(super) async fn constants(
    client: &mut Client,
    policies: &PolicySet,
    catalog: &Catalog,
) -> Result<(BTreeMap<Place, String>, Vec<Problem>), tokio_postgres::Error> {
    let mut printed = BTreeMap::new();
    let mut problems = Vec::new();
    let transaction = client.build_transaction().read_only(true).start().await?;
    transaction.batch_execute(SETTINGS).await?;
    for constant in policies.fixed_constants(catalog) {
        transaction.batch_execute("SAVEPOINT trial").await?;
        let sql = format!(
            "SELECT ({}::{})::pg_catalog.text",
            quote_literal(&constant.text),
            constant.type_sql
        );
        match transaction.query_one(&sql, &[]).await {
            Ok(row) => {
                if let Some(text) = row.try_get(0)? {
                    printed.insert(constant.place, text);
                }
            }
            Err(error) => {
                let Some(said) = error.as_db_error() else {
                    return Err(error);
                };
                problems.push(Problem {
                    severity: Severity::Error,
                    at: constant.at,
                    message: format!("column {} cannot show this: {}", constant.place.2, said.message()),
                    hint: None,
                });
                transaction.batch_execute("ROLLBACK TO SAVEPOINT trial").await?;
            }
        }
    }
    transaction.commit().await?;
    Ok((printed, problems))
}

/// Has the database read every limit of every role, since a session begins with them in force.
pub(super) async fn limits(client: &mut Client, policies: &PolicySet) -> Result<Vec<Problem>, tokio_postgres::Error> {
    let mut problems = Vec::new();
    let transaction = client.build_transaction().read_only(true).start().await?;
    for role in policies.written().roles.values() {
        for (name, value) in &role.rights.limits {
            transaction.batch_execute("SAVEPOINT trial").await?;
            let set = transaction
                .execute("SELECT pg_catalog.set_config($1, $2, true)", &[name, value])
                .await;
            if let Err(error) = set {
                let Some(said) = error.as_db_error() else {
                    return Err(error);
                };
                problems.push(Problem {
                    severity: Severity::Error,
                    at: role.at.clone(),
                    message: format!(
                        "the limit {name} of role \"{}\" cannot be set: {}",
                        role.name,
                        said.message()
                    ),
                    hint: said.hint().map(str::to_owned),
                });
            }
            transaction.batch_execute("ROLLBACK TO SAVEPOINT trial").await?;
        }
    }
    transaction.commit().await?;
    Ok(problems)
}

/// Runs every mask and every condition of the DBA's on a sample of its table, as somebody who has the role.
pub(super) async fn run(
    client: &mut Client,
    policies: &PolicySet,
    people: &Directory,
    catalog: &Catalog,
) -> Result<Vec<Problem>, tokio_postgres::Error> {
    let mut logins: BTreeMap<&str, &str> = BTreeMap::new();
    for person in people.listed() {
        for role in &person.roles {
            let held = logins.entry(role).or_insert(&person.login);
            *held = (*held).min(&person.login);
        }
    }
    let whole = logins.into_iter();
    let someone: BTreeMap<&str, &Arc<Principal>> = whole
        .filter_map(|(role, login)| Some((role, people.as_read(login)?)))
        .collect();
    let nobody = Arc::new(Principal::default());
    let trials = policies.trials(catalog, |role| someone.get(role).map_or(&nobody, |p| *p));
    let transaction = client.build_transaction().read_only(true).start().await?;
    transaction.batch_execute(SETTINGS).await?;
    let mut problems = Vec::new();
    let batch = trials.iter().map(Trial::sql).collect::<Vec<_>>();
    for (trial, sql) in trials.iter().zip(batch) {
        transaction.batch_execute("SAVEPOINT trial").await?;
        match transaction.batch_execute(&sql).await {
            Ok(()) => transaction.batch_execute("RELEASE SAVEPOINT trial").await?,
            Err(error) => {
                let Some(said) = error.as_db_error() else {
                    return Err(error);
                };
                problems.push(problem(&trial.at, &trial.what, said.code().code(), said.message()));
                transaction
                    .batch_execute("ROLLBACK TO SAVEPOINT trial; RELEASE SAVEPOINT trial")
                    .await?;
            }
        }
    }
    transaction.commit().await?;
    Ok(problems)
}

/// A trial that took too long, or that the role may not run, says nothing about the expression.
fn problem(at: &Spot, what: &str, code: &str, message: &str) -> Problem {
    let inconclusive = matches!(code, "57014" | "55P03" | "42501");
    Problem {
        severity: if inconclusive {
            Severity::Warning
        } else {
            Severity::Error
        },
        at: at.clone(),
        message: if inconclusive {
            format!("{what} could not be tried: {message}")
        } else {
            format!("{what} fails on the table's own rows: {message}")
        },
        hint: (code == "42501").then(|| "the upstream role needs SELECT on what it reads".to_owned()),
    }
}
