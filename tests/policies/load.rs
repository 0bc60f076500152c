//! Reading and checking policies: every error of every file at once, at its place, with what to do.

use crate::support::Database;
use crate::support::policies::{begin, refused};

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
             [contacts]\nkey = \"id\"\nparent = { table = \"customers\" }\n[scopes]\nown = { where = \"true\" }\nodd = {}\n\
             [notes]\nrelation = \"public.notes\"\nmembers = { relation = \"helpers\", row = \"id\", user = \"who\" }\n",
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

/// The problems of a set whose one scope has this condition; empty if it is taken.
async fn condition(database: &Database, condition: &str) -> String {
    let tables = format!(
        "[defaults]\ncolumns = \"clear\"\n[customers]\nrelation = \"public.customers\"\n[scopes]\nmine = {{ where = \"{condition}\" }}\n"
    );
    let files = [
        (
            "directory.toml",
            "[directory]\nusers = \"SELECT 'u'::text AS login, 'r'::text AS role, ARRAY['CN'] AS countries, 3 AS level\"\n",
        ),
        ("tables.toml", tables.as_str()),
        ("roles/r.toml", "[customers]\nview = [\"mine\"]\n"),
    ];
    match begin(database, &files).await {
        Ok(keeper) => keeper.warnings().join("\n"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn conditions_that_mean_the_same_in_every_session_are_taken() {
    let database = Database::new().await;
    for good in [
        "country = ANY(:countries) AND level::text LIKE 'g%'",
        "country IN ('CN', 'DE') OR NOT (city ILIKE 'b%')",
        "created_at > now() - interval '1 year' AND created_at >= '2001-02-03 04:05:06+00'",
        "founded_on BETWEEN '1990-01-01' AND current_date",
        "date_trunc('month', created_at, 'UTC') = '2024-01-01Z' OR extract(year FROM founded_on) = 2000",
        "(created_at AT TIME ZONE 'UTC')::date > '2024-01-01'::date",
        "coalesce(credit_limit, 0) > :level * 1000.5 AND greatest(id, 3) > least(4, owner_id)",
        "EXISTS (SELECT 1 FROM public.contacts k JOIN public.contracts x ON x.customer_id = k.customer_id WHERE k.customer_id = customers.id)",
        "id IN (SELECT customer_id FROM opportunities WHERE stage = 'won') OR id = ANY(ARRAY(SELECT c.customer_id FROM contacts c))",
        "CASE city WHEN 'Berlin' THEN owner_id IS DISTINCT FROM 3 ELSE lower(name) <> '' END",
        "profile ->> 'size' = 'big' AND tags @> ARRAY['key']::text[]",
    ] {
        assert_eq!(condition(&database, good).await, "", "{good}");
    }
}

#[tokio::test]
async fn conditions_that_do_not_are_refused_and_say_why() {
    let database = Database::new().await;
    for (bad, why) in [
        (
            "created_at > '2024-01-01'",
            "depends on the session's time zone: write it as",
        ),
        ("founded_on > '01/02/2024'", "depends on the session's date style"),
        (
            "created_at::date = current_date",
            "depends on the session's time zone: write AT TIME ZONE 'UTC'",
        ),
        (
            "created_at > current_date",
            "depends on the session's time zone: write AT TIME ZONE 'UTC'",
        ),
        (
            "extract(year FROM created_at) = 2024",
            "of a timestamptz depends on the session's time zone",
        ),
        ("owner_id::text = current_user", "use :login for the person"),
        ("random() < 0.5", "random is volatile"),
        ("id = (SELECT max(id) FROM contacts)", "may yield several rows"),
        (
            "id IN (SELECT customer_id FROM contacts LIMIT 1)",
            "may hold SELECT, FROM, JOIN and WHERE only",
        ),
        (
            "count(*) > 1",
            "aggregates, window functions and VARIADIC cannot be used",
        ),
        ("id = $1", "parameters are written as :attribute"),
        ("id = nullif(id, 3)", "NULLIF cannot be qualified"),
        ("customers.* IS NULL", "a whole row (*) cannot be used"),
        ("cuntry = 'CN'", "did you mean \\\"country\\\"?"),
        ("id = 1; DROP TABLE customers", "PostgreSQL cannot read it"),
        ("id", "fails on the table's own rows"),
        ("1 / (id - 5) > 0", "fails on the table's own rows: division by zero"),
        ("country = :countries", "fails on the table's own rows"),
    ] {
        let told = condition(&database, bad).await;
        assert!(told.contains(&why.replace("\\\"", "\"")), "{bad}: {told}");
    }
}

#[tokio::test]
async fn limits_that_the_database_does_not_take_are_errors() {
    let database = Database::new().await;
    let files = [
        ("directory.toml", DIRECTORY),
        ("tables.toml", ""),
        (
            "roles/r.toml",
            "[rights]\nfunctions = [\"public.wieghted\"]\nlimits = { work_mem = \"64XB\", statement_timeout = \"30s\" }\n",
        ),
    ];
    let problems = refused(&database, &files).await.join("\n");
    assert!(
        problems
            .contains("roles/r.toml:1:1: the limit work_mem of role \"r\" cannot be set: invalid value for parameter"),
        "{problems}"
    );
    assert!(problems.contains("warning: role \"r\" names a function that does not exist: public.wieghted\n  hint: did you mean \"public.weighted\"?"), "{problems}");
}

#[tokio::test]
async fn a_parent_whose_key_names_several_rows_is_a_warning() {
    let database = Database::new().await;
    let files = [
        ("directory.toml", DIRECTORY),
        (
            "tables.toml",
            "[activities]\nrelation = \"public.activities\"\nkey = \"id\"\nowner = \"owner_id\"\n\
             [contacts]\nrelation = \"public.contacts\"\nkey = \"id\"\nparent = { table = \"activities\", column = \"customer_id\" }\n",
        ),
        (
            "roles/r.toml",
            "[activities]\nview = [\"own\"]\n[contacts]\nview = [\"parent\"]\n",
        ),
    ];
    let keeper = begin(&database, &files).await.unwrap_or_else(|e| panic!("{e}"));
    let warnings = keeper.warnings().join("\n");
    assert!(
        warnings.contains("tables.toml:8:20: warning: several rows of public.activities may have one key (id)"),
        "{warnings}"
    );
}
