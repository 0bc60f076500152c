//! The catalogue snapshot: what exists, read from the database behind in a few queries.

mod queries;
mod relations;
mod types;

pub use relations::{TEMP_RELATIONS_SQL, relations_from_json};

use crate::catalog::{Cast, Catalog, Function, FunctionKind, Oid, Operator, Volatility};
use crate::name::QualifiedName;
use std::collections::HashMap;
use std::sync::Arc;
use thiserror::Error;
use tokio_postgres::{Client, Row, Transaction};

/// Why a snapshot could not be taken.
#[derive(Debug, Error)]
pub enum IntrospectError {
    /// The database said no, or the connection broke.
    #[error("could not read the catalogue: {0}")]
    Database(#[from] tokio_postgres::Error),
    /// The catalogue's answer is not of the expected form.
    #[error("could not understand the catalogue's answer: {0}")]
    Answer(#[from] serde_json::Error),
}

/// Reads a whole snapshot in one read-only transaction that sees one moment.
pub async fn snapshot(client: &mut Client) -> Result<Catalog, IntrospectError> {
    let transaction = client
        .build_transaction()
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    transaction.batch_execute(queries::SESSION).await?;
    let catalog = read_all(&transaction).await?;
    transaction.commit().await?;
    Ok(catalog)
}

async fn read_all(transaction: &Transaction<'_>) -> Result<Catalog, IntrospectError> {
    let about = transaction.query_one(queries::ABOUT, &[]).await?;
    let mut catalog = Catalog {
        database: about.try_get(0)?,
        server_version: u32::try_from(about.try_get::<_, i32>(1)?).unwrap_or_default(),
        ..Catalog::default()
    };
    for row in transaction.query(queries::SCHEMAS, &[]).await? {
        catalog.schemas.insert(row.try_get(0)?, row.try_get(1)?);
    }
    let rows = transaction.query(queries::TYPES, &[]).await?;
    types::read_into(&mut catalog, &rows)?;

    let mut texts = Vec::new();
    for row in transaction.query(&relations::all_sql(), &[]).await? {
        texts.push(row.try_get::<_, String>(0)?);
    }
    let read = relations::from_json(texts.iter().map(String::as_str), &catalog.types)?;
    catalog.generation_expressions = read.generation_expressions;
    catalog.foreign_keys = read.foreign_keys;
    for relation in read.relations {
        catalog.relation_names.insert(relation.name.clone(), relation.oid);
        catalog.relations.insert(relation.oid, relation);
    }
    types::spread_equality(&mut catalog);

    for row in transaction.query(queries::FUNCTIONS, &[]).await? {
        let function = function(&row)?;
        catalog
            .functions
            .entry(function.name.name.clone())
            .or_default()
            .push(Arc::new(function));
    }
    for row in transaction.query(queries::OPERATORS, &[]).await? {
        let operator = operator(&row)?;
        catalog
            .operators
            .entry(operator.name.name.clone())
            .or_default()
            .push(Arc::new(operator));
    }
    catalog.casts = casts(&transaction.query(queries::CASTS, &[]).await?)?;
    Ok(catalog)
}

fn function(row: &Row) -> Result<Function, IntrospectError> {
    let names: Option<Vec<String>> = row.try_get(12)?;
    let modes: Option<Vec<String>> = row.try_get(13)?;
    let types: Option<Vec<Oid>> = row.try_get(14)?;
    let mut out_names = Vec::new();
    let mut out_types = Vec::new();
    if let (Some(modes), Some(types)) = (modes, types) {
        let names = names.unwrap_or_default();
        for (at, (mode, oid)) in modes.iter().zip(types).enumerate() {
            if matches!(mode.as_str(), "o" | "b" | "t") {
                out_names.push(names.get(at).cloned().unwrap_or_default());
                out_types.push(oid);
            }
        }
    }
    Ok(Function {
        oid: row.try_get(0)?,
        name: QualifiedName::new(row.try_get::<_, String>(1)?, row.try_get::<_, String>(2)?),
        arguments: row.try_get(3)?,
        defaults: u16::try_from(row.try_get::<_, i16>(4)?).unwrap_or_default(),
        variadic: row.try_get(5)?,
        result: row.try_get(6)?,
        returns_set: row.try_get(7)?,
        volatility: match row.try_get::<_, String>(8)?.as_str() {
            "i" => Volatility::Immutable,
            "s" => Volatility::Stable,
            _ => Volatility::Volatile,
        },
        leakproof: row.try_get(9)?,
        strict: row.try_get(10)?,
        kind: match row.try_get::<_, String>(11)?.as_str() {
            "a" => FunctionKind::Aggregate,
            "w" => FunctionKind::Window,
            "p" => FunctionKind::Procedure,
            _ => FunctionKind::Function,
        },
        security_definer: row.try_get(15)?,
        out_names,
        out_types,
    })
}

fn operator(row: &Row) -> Result<Operator, IntrospectError> {
    Ok(Operator {
        name: QualifiedName::new(row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?),
        left: row.try_get(2)?,
        right: row.try_get(3)?,
        result: row.try_get(4)?,
        function: row.try_get(5)?,
        leakproof: row.try_get(6)?,
        function_name: QualifiedName::new(row.try_get::<_, String>(7)?, row.try_get::<_, String>(8)?),
    })
}

fn casts(rows: &[Row]) -> Result<HashMap<(Oid, Oid), Cast>, IntrospectError> {
    let mut casts = HashMap::with_capacity(rows.len());
    for row in rows {
        let schema: Option<String> = row.try_get(4)?;
        let name: Option<String> = row.try_get(5)?;
        let method: String = row.try_get(3)?;
        let cast = Cast {
            function: schema.zip(name).map(|(schema, name)| QualifiedName::new(schema, name)),
            context: row.try_get::<_, String>(2)?.chars().next().unwrap_or('e'),
            method: method.chars().next().unwrap_or('i'),
            leakproof: row.try_get(6)?,
        };
        casts.insert((row.try_get(0)?, row.try_get(1)?), cast);
    }
    Ok(casts)
}

/// A cheap fingerprint of everything that a snapshot holds: when it changes, take a new one.
///
/// Only objects that are not the server's own (OID 16384 and up) and not temporary are looked at.
pub async fn fingerprint(client: &Client) -> Result<String, IntrospectError> {
    Ok(client.query_one(queries::FINGERPRINT, &[]).await?.try_get(0)?)
}
