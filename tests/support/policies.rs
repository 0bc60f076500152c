//! Policies of a test's own, and what they show.

use super::Database;
use rowgate::catalog::Relation;
use rowgate::keeper::{Keeper, Source, StartError};
use rowgate::name::{QualifiedName, quote_ident};
use rowgate::policy::decision::ROW_ALIAS;
use rowgate::policy::{Access, ColumnView, Rows, TableView};
use rowgate::world::World;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// A policies directory with these files.
pub fn directory(files: &[(&str, &str)]) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    for below in ["roles", "tests"] {
        std::fs::create_dir(place.path().join(below)).unwrap();
    }
    for (name, text) in files {
        std::fs::write(place.path().join(name), text).unwrap();
    }
    place
}

/// Where a superuser reads the world of a test's database.
pub fn source(database: &Database, policies: &Path) -> Source {
    Source {
        upstream: database.cluster.superuser(&database.name),
        tls: None,
        policies: policies.to_owned(),
        rights: None,
    }
}

/// The first world under these files.
pub async fn begin(database: &Database, files: &[(&str, &str)]) -> Result<Keeper, StartError> {
    let place = directory(files);
    Keeper::begin(source(database, place.path())).await
}

/// The problems of a set that must not be taken, each as the operator reads it.
pub async fn refused(database: &Database, files: &[(&str, &str)]) -> Vec<String> {
    match begin(database, files).await {
        Err(StartError::Policies(problems)) => {
            let place = |text: String| {
                text.split_once("/.tmp").map_or(text.clone(), |(_, rest)| {
                    rest.split_once('/')
                        .map_or_else(|| rest.to_owned(), |(_, file)| file.to_owned())
                })
            };
            problems.iter().map(|p| place(p.to_string())).collect()
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("the set was taken"),
    }
}

/// What somebody may do with a relation.
pub fn access(world: &World, login: &str, schema: &str, name: &str) -> (Arc<Relation>, Access) {
    let who = world.directory.principal(login).unwrap();
    let relation = world.catalog.relation(&QualifiedName::new(schema, name)).unwrap();
    (
        Arc::clone(relation),
        world.policies.access(who, relation, &world.catalog),
    )
}

/// The view of somebody who may see something.
pub fn view(world: &World, login: &str, schema: &str, name: &str) -> (Arc<Relation>, TableView) {
    match access(world, login, schema, name) {
        (relation, Access::Guarded(view)) => (relation, Arc::unwrap_or_clone(view)),
        (_, other) => panic!("{login} on {schema}.{name}: {other:?}"),
    }
}

/// A plain guard: what a view shows, as a SELECT.
pub fn guard(relation: &Relation, view: &TableView) -> String {
    let row = quote_ident(ROW_ALIAS);
    let columns: Vec<String> = relation
        .columns
        .iter()
        .zip(&view.columns)
        .filter_map(|(column, shown)| match shown {
            ColumnView::Clear => Some(format!("{row}.{0} AS {0}", quote_ident(&column.name))),
            ColumnView::Masked { sql, .. } => Some(format!("{sql} AS {}", quote_ident(&column.name))),
            ColumnView::Hidden => None,
        })
        .collect();
    let filter = match &view.rows {
        Rows::All => String::new(),
        Rows::None => " WHERE FALSE".to_owned(),
        Rows::Where(sql) => format!(" WHERE {sql}"),
    };
    format!(
        "SELECT {} FROM {} AS {row}{filter}",
        columns.join(", "),
        relation.name.to_sql()
    )
}
