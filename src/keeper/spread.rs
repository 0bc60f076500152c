//! Reading the statistics of the columns that decide who sees what.

use crate::catalog::Oid;
use crate::policy::{Spread, Spreads};
use deadpool_postgres::Client;
use std::collections::BTreeSet;

/// Of a table with children the statistics of all its rows come last. Values that are long decide nothing.
const SQL: &str = "SELECT c.oid, s.attname::pg_catalog.text, s.null_frac, s.n_distinct, \
CASE WHEN s.avg_width <= 64 THEN (s.most_common_vals::pg_catalog.text::pg_catalog.text[])[1:1000] END, \
CASE WHEN s.avg_width <= 64 THEN s.most_common_freqs[1:1000] END \
FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.text[])) AS asked (relation, name) \
JOIN pg_catalog.pg_class c ON c.oid = asked.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = asked.name \
ORDER BY s.inherited";

/// What the server knows of these columns; those that it has not looked at yet, or that rowgate's role may not read, are left out.
pub(super) async fn read(client: &Client, columns: &BTreeSet<(Oid, String)>) -> Result<Spreads, tokio_postgres::Error> {
    let mut spreads = Spreads::new();
    if columns.is_empty() {
        return Ok(spreads);
    }
    let (relations, names): (Vec<Oid>, Vec<&str>) = columns.iter().map(|(oid, name)| (*oid, name.as_str())).unzip();
    for row in client.query(SQL, &[&relations, &names]).await? {
        let values: Option<Vec<String>> = row.try_get(4)?;
        let shares: Option<Vec<f32>> = row.try_get(5)?;
        let common = values.unwrap_or_default().into_iter().zip(shares.unwrap_or_default());
        let spread = Spread {
            nulls: row.try_get(2)?,
            distinct: row.try_get(3)?,
            common: common.collect(),
        };
        spreads.insert((row.try_get(0)?, row.try_get(1)?), spread);
    }
    Ok(spreads)
}
