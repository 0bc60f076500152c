//! Reading and checking policies: every error of every file at once, at its place, with what to do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use support::Database;
use support::policies::{begin, refused};

const DIRECTORY: &str =
    "[directory]\nusers = \"SELECT 'u'::text AS login, 1 AS user_id, 2 AS team_id, 'r'::text AS role\"\n";

async fn told(files: &[(&str, &str)]) -> String {
    let database = Database::new().await;
    refused(&database, files).await.join("\n")
}

#[tokio::test]
async fn every_error_of_every_file_is_told_at_once() {
    let problems = told(&[
        (
            "directory.toml",
            "[directory]\nusers = \"SELECT 1\"\nrefresh = \"soon\"\nteems = \"\"\n",
        ),
        (
            "tables.toml",
            "[defaults]\ncolumns = \"shown\"\nunprotected = 3\n[customers]\nrelation = \"customers\"\nowner = 7\n\
             [contacts]\nkey = \"id\"\nparent = { table = \"customers\" }\n[scopes]\nown = { where = \"true\" }\nodd = {}\n",
        ),
        (
            "roles/r.toml",
            "bypass = \"yes\"\n[customers]\nveiw = [\"own\"]\nmax_rows = 0\n[customers.columns]\nphone = \"masked\"\n\
             email = { mask = \"partial\" }\nname = { mask = \"emial\" }\nlevel = { except = [\"own\"] }\n\
             [rights]\nfunctions = [\"weighted\"]\nlimits = { work_mom = \"1MB\" }\n",
        ),
        ("tests/t.toml", "[[test]]\nas = \"u\"\nsql = \"SELECT 1\"\n[[test]]\nsql = \"\"\nerror = \"oops\"\n"),
    ])
    .await;
    insta::assert_snapshot!(problems);
}

#[tokio::test]
async fn broken_toml_is_told_with_the_rest() {
    let problems = told(&[
        ("directory.toml", "[directory\nusers = \"x\"\n"),
        ("tables.toml", "[t]\nrelation = \"public.customers\nkey = \"id\"\n"),
        ("roles/r.toml", "[t]\nview = [\"all\"]\nview = [\"own\"]\n"),
    ])
    .await;
    insta::assert_snapshot!(problems);
}

#[tokio::test]
async fn what_the_database_does_not_have_is_told_with_the_nearest_name() {
    let problems = told(&[
        ("directory.toml", DIRECTORY),
        (
            "tables.toml",
            "[customers]\nrelation = \"public.custmers\"\n\
             [contacts]\nrelation = \"public.contacts\"\nkey = \"idd\"\nowner = \"name\"\nparent = { table = \"opportunities\", column = \"title\" }\n\
             [opportunities]\nrelation = \"public.opportunities\"\nkey = \"id\"\nteam = \"team_id\"\n\
             [view]\nrelation = \"public.pipeline\"\n\
             [part]\nrelation = \"public.service_records_2025\"\n\
             [records]\nrelation = \"public.service_records\"\n\
             [scopes]\nrich = { where = \"amount > :fortune\" }\nunused = { where = \"true\" }\n",
        ),
        (
            "roles/r.toml",
            "[contacts]\nview = [\"own\", \"tem\", \"team\"]\n[contacts.columns]\nphones = \"hidden\"\n\
             [opportunities]\nview = [\"rich\", \"parent\", \"own\", \"member\"]\n[opportunities.columns]\nteam_id = { edit = true }\ntitle = { transfer = [\"team\"] }\n\
             [oportunities]\nview = [\"all\"]\n",
        ),
    ])
    .await;
    insta::assert_snapshot!(problems);
}

#[tokio::test]
async fn a_directory_query_that_fails_is_told_at_its_place() {
    let problems = told(&[
        (
            "directory.toml",
            "[directory]\nusers = \"SELECT login FROM crm.nobody\"\n",
        ),
        ("tables.toml", ""),
    ])
    .await;
    assert!(
        problems.contains("directory.toml:2:9: the directory query fails: relation \"crm.nobody\" does not exist"),
        "{problems}"
    );
    let problems = told(&[
        (
            "directory.toml",
            "[directory]\nusers = \"SELECT login FROM crm.users\"\n",
        ),
        ("tables.toml", ""),
    ])
    .await;
    assert!(
        problems.contains("the directory query yields no column \"role\""),
        "{problems}"
    );
}

#[tokio::test]
async fn a_scope_without_an_index_is_a_warning_with_the_index_to_make() {
    let database = Database::new().await;
    let client = database.superuser().await;
    client
        .batch_execute("CREATE TABLE public.big (id int, who int); INSERT INTO public.big SELECT i, i FROM generate_series(1, 3000) AS i; ANALYZE public.big")
        .await
        .unwrap();
    let files = [
        ("directory.toml", DIRECTORY),
        ("tables.toml", "[big]\nrelation = \"public.big\"\nowner = \"who\"\n"),
        ("roles/r.toml", "[big]\nview = [\"own\"]\n"),
    ];
    let keeper = begin(&database, &files).await.unwrap_or_else(|e| panic!("{e}"));
    let warnings = keeper.warnings().join("\n");
    assert!(
        warnings.contains("tables.toml:3:9: warning: column who of public.big decides a scope and leads no index"),
        "{warnings}"
    );
    assert!(
        warnings.contains("hint: CREATE INDEX ON \"public\".\"big\" (\"who\")"),
        "{warnings}"
    );
    client.batch_execute("CREATE INDEX ON public.big (who)").await.unwrap();
    let keeper = begin(&database, &files).await.unwrap_or_else(|e| panic!("{e}"));
    assert!(keeper.warnings().is_empty(), "{:?}", keeper.warnings());
}
