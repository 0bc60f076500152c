//! Every mask's exact meaning, on a real PostgreSQL: values, NULL, the column's type and modifier, and that nothing
//! raises or follows a session's settings.

use crate::support::{Database, rows};
use rowgate::keeper::{Keeper, StartError};
use rowgate::name::QualifiedName;
use rowgate::policy::{Access, ColumnView};
use std::fmt::Write as _;

const DIRECTORY: &str = "[directory]\nusers = \"SELECT 'u'::text AS login, 1 AS user_id, 'r'::text AS role\"\n";

/// Settings that a client may change, in which no mask may show.
const SETTINGS: &str = "SET search_path = evil, public; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'sql_standard';
SET TimeZone = 'Asia/Kathmandu'; SET bytea_output = 'escape'; SET extra_float_digits = -3; SET lc_monetary = 'C'";

async fn begin(database: &Database, role: &str) -> Result<Keeper, StartError> {
    let files = [
        ("directory.toml", DIRECTORY),
        ("tables.toml", "[t]\nrelation = \"public.t\"\n"),
        ("roles/r.toml", role),
    ];
    crate::support::policies::begin(database, &files).await
}

/// Makes `public.t (v <type>)` of these values, masks `v`, and gives what shows, in their order.
async fn masked(sql_type: &str, mask: &str, values: &[&str]) -> Vec<Option<String>> {
    let database = Database::new().await;
    let client = database.superuser().await;
    let mut setup = format!("CREATE SCHEMA evil; CREATE TABLE public.t (n int, v {sql_type});\n");
    for (at, value) in values.iter().enumerate() {
        writeln!(setup, "INSERT INTO public.t VALUES ({at}, {value});").unwrap();
    }
    client.batch_execute(&setup).await.unwrap_or_else(|e| panic!("{e:?}"));
    let role = format!("[t]\nview = [\"all\"]\n[t.columns]\nn = \"clear\"\nv = {mask}\n");
    let keeper = begin(&database, &role).await.unwrap_or_else(|e| panic!("{e}"));
    let world = keeper.handle().current();
    let relation = world.catalog.relation(&QualifiedName::new("public", "t")).unwrap();
    let who = world.directory.principal("u").unwrap();
    let Access::Guarded(view) = world.policies.access(who, relation, &world.catalog) else {
        panic!("denied");
    };
    let ColumnView::Masked { sql, .. } = &view.columns[1] else {
        panic!("not masked");
    };
    let masked = format!("SELECT {sql} AS v FROM public.t AS \"rowgate:row\" ORDER BY n");
    let statement = client
        .prepare(&masked)
        .await
        .unwrap_or_else(|e| panic!("{masked}\n{e:?}"));
    let plain = client.prepare("SELECT v FROM public.t").await.unwrap();
    let (found, wanted) = (&statement.columns()[0], &plain.columns()[0]);
    assert_eq!(
        (found.type_(), found.type_modifier()),
        (wanted.type_(), wanted.type_modifier())
    );
    let as_text = format!("SELECT v::text FROM ({masked}) AS masked");
    let calm = rows(&client, &as_text).await;
    let as_bytes = |settings: String| {
        let client = &client;
        let masked = masked.clone();
        async move {
            client.batch_execute(&settings).await.unwrap();
            let bytes = format!("COPY ({masked}) TO STDOUT (FORMAT binary)");
            use futures::StreamExt as _;
            let mut stream = Box::pin(client.copy_out(&bytes).await.unwrap());
            let mut all = Vec::new();
            while let Some(part) = stream.next().await {
                all.extend_from_slice(&part.unwrap());
            }
            all
        }
    };
    let before = as_bytes("RESET ALL".to_owned()).await;
    let after = as_bytes(SETTINGS.to_owned()).await;
    assert!(before == after, "{masked} follows the session's settings");
    calm.into_iter().map(|row| row[0].clone()).collect()
}

async fn shows(sql_type: &str, mask: &str, pairs: &[(&str, Option<&str>)]) {
    let values: Vec<&str> = pairs.iter().map(|p| p.0).collect();
    let wanted: Vec<Option<String>> = pairs.iter().map(|p| p.1.map(str::to_owned)).collect();
    assert_eq!(masked(sql_type, mask, &values).await, wanted, "{sql_type} {mask}");
}

#[tokio::test]
async fn null_is_null_of_the_columns_type() {
    for sql_type in [
        "text",
        "int",
        "jsonb",
        "varchar(3)",
        "numeric(4,1)",
        "int[]",
        "timestamptz(3)",
        "bytea",
        "point",
    ] {
        shows(sql_type, "\"null\"", &[("NULL", None)]).await;
    }
}

#[tokio::test]
async fn fixed_is_the_constant_even_for_null() {
    shows(
        "text",
        "{ mask = \"fixed\", value = \"it's \\\\ me\" }",
        &[("'a'", Some("it's \\ me")), ("NULL", Some("it's \\ me"))],
    )
    .await;
    shows("int", "{ mask = \"fixed\", value = 7 }", &[("1", Some("7"))]).await;
    shows(
        "numeric(12,2)",
        "{ mask = \"fixed\", value = 7.125 }",
        &[("1", Some("7.13"))],
    )
    .await;
    shows(
        "boolean",
        "{ mask = \"fixed\", value = true }",
        &[("false", Some("true"))],
    )
    .await;
    shows(
        "date",
        "{ mask = \"fixed\", value = \"2001-02-03\" }",
        &[("'2020-01-01'", Some("2001-02-03"))],
    )
    .await;
    shows(
        "varchar(3)",
        "{ mask = \"fixed\", value = \"abcdef\" }",
        &[("'x'", Some("abc"))],
    )
    .await;
    shows(
        "interval",
        "{ mask = \"fixed\", value = \"-1 days +02:03\" }",
        &[("'1 h'", Some("-1 days +02:03:00"))],
    )
    .await;
    shows(
        "timestamptz",
        "{ mask = \"fixed\", value = \"2001-02-03 04:05\" }",
        &[("now()", Some("2001-02-03 04:05:00+00"))],
    )
    .await;
    shows(
        "int[]",
        "{ mask = \"fixed\", value = \"{1,2}\" }",
        &[("'{}'", Some("{1,2}"))],
    )
    .await;
}

#[tokio::test]
async fn partial_keeps_length_and_both_ends() {
    let mask = "{ mask = \"partial\", keep = [3, 4] }";
    let pairs = [
        ("'13812345678'", Some("138****5678")),
        ("'12345678'", Some("123*5678")),
        ("'1234567'", Some("*******")),
        ("'1'", Some("*")),
        ("''", Some("")),
        ("NULL", None),
    ];
    shows("text", mask, &pairs).await;
    shows("varchar(11)", mask, &pairs).await;
    shows(
        "text",
        mask,
        &[
            ("'甲乙丙丁戊己庚辛壬'", Some("甲乙丙**己庚辛壬")),
            ("'é' || 'abcdefgh'", Some("éab**efgh")),
        ],
    )
    .await;
    shows("char(9)", mask, &[("'12345678'", Some("123*5678"))]).await;
    shows(
        "text",
        "{ mask = \"partial\", keep = [0, 0] }",
        &[("'abc'", Some("***")), ("NULL", None)],
    )
    .await;
    shows(
        "text",
        "{ mask = \"partial\", keep = [0, 2] }",
        &[("'abc'", Some("*bc")), ("'ab'", Some("**"))],
    )
    .await;
    shows(
        "text",
        "{ mask = \"partial\", keep = [1, 0] }",
        &[("'abc'", Some("a**")), ("'a'", Some("*"))],
    )
    .await;
}

#[tokio::test]
async fn email_keeps_first_character_and_domain() {
    let pairs = [
        ("'alice@example.com'", Some("a***@example.com")),
        ("'a@b'", Some("a***@b")),
        ("'nobody'", Some("***")),
        ("''", Some("***")),
        ("NULL", None),
        ("'\"odd@name\"@example.com'", Some("\"***@example.com")),
        ("'张@例子.cn'", Some("张***@例子.cn")),
        ("'@b'", Some("@***@b")),
        ("'a@'", Some("a***@")),
    ];
    shows("text", "\"email\"", &pairs).await;
    shows("varchar(6)", "\"email\"", &[("'a@b.cn'", Some("a***@b"))]).await;
}

#[tokio::test]
async fn buckets_are_floors() {
    let mask = "{ mask = \"bucket\", bucket = 1000 }";
    let whole = [
        ("0", Some("0")),
        ("999", Some("0")),
        ("1000", Some("1000")),
        ("-1", Some("-1000")),
        ("-1000", Some("-1000")),
        ("NULL", None),
    ];
    for sql_type in ["int2", "int4", "int8"] {
        shows(sql_type, mask, &whole).await;
    }
    shows(
        "int4",
        mask,
        &[("2147483647", Some("2147483000")), ("-2147483648", None)],
    )
    .await;
    shows(
        "int8",
        mask,
        &[
            ("9223372036854775807", Some("9223372036854775000")),
            ("'-9223372036854775808'", None),
        ],
    )
    .await;
    shows(
        "int8",
        "{ mask = \"bucket\", bucket = 7 }",
        &[("9223372036854775806", Some("9223372036854775800"))],
    )
    .await;
    shows("int2", mask, &[("'-32768'", None), ("32767", Some("32000"))]).await;
    let money = [
        ("1234.56", Some("1000.00")),
        ("-0.01", Some("-1000.00")),
        ("9999999999.99", Some("9999999000.00")),
        ("-9999999999.99", None),
        ("'NaN'", Some("NaN")),
        ("NULL", None),
    ];
    shows("numeric(12,2)", mask, &money).await;
    shows(
        "numeric",
        mask,
        &[("1234.5", Some("1000")), ("'Infinity'", Some("Infinity"))],
    )
    .await;
    shows(
        "numeric(6,2)",
        "{ mask = \"bucket\", bucket = 0.25 }",
        &[("1.30", Some("1.25"))],
    )
    .await;
    let floats = [
        ("1234.56", Some("1000")),
        ("-0.5", Some("-1000")),
        ("5e-324", Some("0")),
        ("1.7976931348623157e308", None),
        ("'NaN'", None),
        ("'-Infinity'", None),
    ];
    shows("float8", mask, &floats).await;
    shows("float4", mask, &[("1234.56", Some("1000")), ("3e38", None)]).await;
}

#[tokio::test]
async fn rounding_goes_both_ways_of_the_point() {
    let hundreds = "{ mask = \"round\", digits = -2 }";
    shows(
        "int4",
        hundreds,
        &[
            ("149", Some("100")),
            ("150", Some("200")),
            ("-150", Some("-200")),
            ("2147483647", Some("2147483600")),
        ],
    )
    .await;
    shows(
        "int4",
        "{ mask = \"round\", digits = -9 }",
        &[("2147483647", Some("2000000000")), ("-2147483648", Some("-2000000000"))],
    )
    .await;
    shows("int2", "{ mask = \"round\", digits = -4 }", &[("32767", Some("30000"))]).await;
    shows("int2", "{ mask = \"round\", digits = -5 }", &[("32767", Some("0"))]).await;
    shows(
        "numeric(12,2)",
        hundreds,
        &[("149.99", Some("100.00")), ("9999999999.99", None), ("NULL", None)],
    )
    .await;
    shows(
        "numeric(12,2)",
        "{ mask = \"round\", digits = 1 }",
        &[("1.25", Some("1.30")), ("1.24", Some("1.20"))],
    )
    .await;
    shows(
        "numeric(3,-2)",
        "{ mask = \"round\", digits = -3 }",
        &[("99900", None), ("12300", Some("12000"))],
    )
    .await;
    shows("float8", "{ mask = \"round\" }", &[("1.5", Some("2")), ("'NaN'", None)]).await;
}

#[tokio::test]
async fn years_and_months_are_cut_in_the_columns_type() {
    let days = [
        ("'2024-05-17'", Some("2024-01-01")),
        ("'0044-03-15 BC'", Some("0044-01-01 BC")),
        ("'infinity'", Some("infinity")),
        ("'-infinity'", Some("-infinity")),
        ("'5874897-12-31'", None),
        ("'4714-11-24 BC'", None),
        ("NULL", None),
    ];
    shows("date", "\"year\"", &days).await;
    shows("date", "\"month\"", &[("'2024-05-17'", Some("2024-05-01"))]).await;
    let moments = [
        ("'2024-05-17 13:14:15.678'", Some("2024-01-01 00:00:00")),
        ("'infinity'", Some("infinity")),
        ("'4714-11-24 00:00:00 BC'", None),
        ("'294276-12-31 23:59:59'", Some("294276-01-01 00:00:00")),
        ("NULL", None),
    ];
    shows("timestamp", "\"year\"", &moments).await;
    shows(
        "timestamp(3)",
        "\"month\"",
        &[("'2024-05-17 13:14:15.678'", Some("2024-05-01 00:00:00"))],
    )
    .await;
    let zoned = [
        ("'2024-01-01 00:30+01'", Some("2023-01-01 00:00:00+00")),
        ("'2024-05-17 13:14:15+00'", Some("2024-01-01 00:00:00+00")),
        ("'-infinity'", Some("-infinity")),
        ("'4714-11-24 00:00:00+00 BC'", None),
        ("NULL", None),
    ];
    shows("timestamptz", "\"year\"", &zoned).await;
    shows(
        "timestamptz",
        "\"month\"",
        &[("'2024-06-01 00:30+01'", Some("2024-05-01 00:00:00+00"))],
    )
    .await;
}

#[tokio::test]
async fn hashes_are_stable_keyed_and_of_the_columns_type() {
    let words = masked("text", "\"hash\"", &["'a'", "'a'", "'b'", "NULL", "''"]).await;
    assert_eq!(words[0], words[1]);
    assert_ne!(words[0], words[2]);
    assert_eq!(words[3], None);
    assert!(words[0].as_ref().unwrap().len() == 32 && words[4].as_ref().unwrap().len() == 32);
    let numbers = masked("int4", "\"hash\"", &["1", "1", "2", "NULL"]).await;
    assert!(numbers[0] == numbers[1] && numbers[0] != numbers[2] && numbers[3].is_none());
    masked("int8", "\"hash\"", &["1", "'-9223372036854775808'"]).await;
    masked("int2", "\"hash\"", &["1", "'-32768'", "32767"]).await;
    masked("uuid", "\"hash\"", &["gen_random_uuid()", "NULL"]).await;
    let short = masked("varchar(16)", "\"hash\"", &["'a'"]).await;
    assert_eq!(short[0].as_ref().unwrap().len(), 16);
}

#[tokio::test]
async fn expressions_are_over_the_real_row() {
    shows(
        "text",
        "{ mask = \"sql\", expression = \"CASE WHEN n = 0 THEN upper(v) ELSE left(v, 1) || '…' END\" }",
        &[("'abc'", Some("ABC")), ("'xyz'", Some("x…"))],
    )
    .await;
    shows(
        "int",
        "{ mask = \"sql\", expression = \"v BETWEEN 1 AND 5 AND v IN (2, 3)\" }",
        &[],
    )
    .await;
}

#[tokio::test]
async fn a_collation_stays_with_its_column() {
    let database = Database::new().await;
    let client = database.superuser().await;
    client
        .batch_execute("CREATE TABLE public.t (n int, v text COLLATE \"C\")")
        .await
        .unwrap();
    let keeper = begin(
        &database,
        "[t]\nview = [\"all\"]\n[t.columns]\nn = \"clear\"\nv = { mask = \"partial\", keep = [1, 1] }\n",
    )
    .await
    .unwrap_or_else(|e| panic!("{e}"));
    let world = keeper.handle().current();
    let relation = world.catalog.relation(&QualifiedName::new("public", "t")).unwrap();
    let who = world.directory.principal("u").unwrap();
    let Access::Guarded(view) = world.policies.access(who, relation, &world.catalog) else {
        panic!("denied");
    };
    let ColumnView::Masked { sql, .. } = &view.columns[1] else {
        panic!("not masked");
    };
    let found = crate::support::one(
        &client,
        &format!("SELECT pg_collation_for(v) FROM (SELECT {sql} AS v FROM (VALUES (1, ''::text)) AS \"rowgate:row\" (n, v)) AS x"),
    )
    .await;
    assert_eq!(found, "\"C\"");
}

#[tokio::test]
async fn masks_that_do_not_fit_are_errors_at_load() {
    let cases = [
        (
            "int",
            "\"email\"",
            "it is for text, and the column is \"pg_catalog\".\"int4\"",
        ),
        ("text", "{ mask = \"bucket\", bucket = 10 }", "it is for numbers"),
        ("text", "\"year\"", "it is for dates and timestamps"),
        ("jsonb", "\"hash\"", "it is for text, integers and uuid"),
        ("varchar(10)", "\"hash\"", "a hash needs at least 16 characters"),
        (
            "int",
            "{ mask = \"fixed\", value = \"x\" }",
            "invalid input syntax for type integer",
        ),
        ("int", "{ mask = \"bucket\", bucket = 0.5 }", "are not whole numbers"),
        (
            "positive",
            "{ mask = \"bucket\", bucket = 10 }",
            "is a domain with constraints",
        ),
        (
            "positive",
            "{ mask = \"fixed\", value = -1 }",
            "violates check constraint",
        ),
        ("filled", "\"null\"", "does not allow null values"),
        (
            "text",
            "{ mask = \"sql\", expression = \"nothing(v)\" }",
            "there is no function nothing",
        ),
        (
            "text",
            "{ mask = \"sql\", expression = \"random()::text\" }",
            "random is volatile",
        ),
        (
            "text",
            "{ mask = \"sql\", expression = \"current_setting('x')\" }",
            "depends on the session's settings",
        ),
        (
            "text",
            "{ mask = \"sql\", expression = \"w\" }",
            "there is no column w in public.t",
        ),
        (
            "text",
            "{ mask = \"sql\", expression = \"v::int\" }",
            "invalid input syntax for type integer",
        ),
        (
            "text",
            "{ mask = \"sql\", expression = \"v) FROM secret --\" }",
            "PostgreSQL cannot read it",
        ),
        (
            "text",
            "{ mask = \"sql\", expression = \"1, 2\" }",
            "cannot be qualified",
        ),
        (
            "text",
            "{ mask = \"sql\", expression = \":nothing\" }",
            "the directory gives people no attribute \"nothing\"",
        ),
    ];
    for (sql_type, mask, wanted) in cases {
        let database = Database::new().await;
        let client = database.superuser().await;
        client
            .batch_execute(&format!(
                "CREATE DOMAIN positive AS int CHECK (VALUE > 0); CREATE DOMAIN filled AS text NOT NULL;
                 CREATE TABLE public.t (n int, v {sql_type});"
            ))
            .await
            .unwrap();
        let filler = if sql_type == "text" { "'abc'" } else { "NULL" };
        if sql_type != "filled" {
            client
                .batch_execute(&format!("INSERT INTO public.t VALUES (1, {filler})"))
                .await
                .unwrap();
        } else {
            client
                .batch_execute("INSERT INTO public.t VALUES (1, 'x')")
                .await
                .unwrap();
        }
        let role = format!("[t]\nview = [\"all\"]\n[t.columns]\nn = \"clear\"\nv = {mask}\n");
        let Err(StartError::Policies(problems)) = begin(&database, &role).await else {
            panic!("{sql_type} {mask} was taken");
        };
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(
            told.iter().any(|t| t.contains(wanted) && t.contains("roles/r.toml:5:")),
            "{sql_type} {mask}: {told:?}"
        );
    }
}
