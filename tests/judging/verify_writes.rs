//! `verify` and writes: texts that a wrong rewriter could have made of a statement that writes are refused.

use crate::support::gate::REPRESENTATIVES;
use crate::support::stages::{self, Rewritten};
use crate::support::{Database, policies, shipped};
use rowgate::sql::rewrite::splice::SpliceKind;
use std::collections::BTreeMap;
use std::path::Path;

/// Statements whose rewriting is broken, with who writes.
const STATEMENTS: &[(&str, &str)] = &[
    ("alice", "UPDATE customers SET city = 'x' WHERE id = 5"),
    (
        "alice",
        "UPDATE customers AS c SET tax_id = 'y', city = c.phone WHERE c.name LIKE 'A%' RETURNING *",
    ),
    (
        "alice",
        "UPDATE customers SET owner_id = 37, level = 'gold' WHERE id = 5 RETURNING id, phone",
    ),
    (
        "alice",
        "UPDATE contacts SET birthday = '2001-01-01', phone = 'z' WHERE customer_id = 5",
    ),
    (
        "alice",
        "UPDATE contacts SET title = c.phone FROM customers AS c WHERE c.id = contacts.customer_id RETURNING contacts.email",
    ),
    ("yun", "DELETE FROM opportunities WHERE id = 7 RETURNING title"),
    (
        "yun",
        "DELETE FROM opportunities WHERE 1 / (id - 7) > 0 RETURNING title",
    ),
    (
        "yun",
        "DELETE FROM opportunities AS o USING customers c WHERE c.id = o.customer_id AND c.tax_id = 'x'",
    ),
    (
        "alice",
        "INSERT INTO activities (customer_id, owner_id, summary, happened_at) VALUES (5, 36, 'x', '2024-01-01') RETURNING *",
    ),
    (
        "alice",
        "INSERT INTO customers (external_id, name, owner_id, country, city, tax_id, created_at) VALUES ('00000000-0000-4000-8000-000000000001', 'x', 36, 'CN', 'x', NULL, '2024-01-01')",
    ),
    (
        "alice",
        "INSERT INTO activities (customer_id, owner_id, summary, happened_at) SELECT id, 36, phone, created_at FROM customers",
    ),
    (
        "alice",
        "INSERT INTO contacts (id, customer_id, name, created_at) VALUES (5, 5, 'x', '2024-01-01') ON CONFLICT (id) DO UPDATE SET name = excluded.name, birthday = contacts.birthday RETURNING birthday",
    ),
    (
        "alice",
        "MERGE INTO contacts AS t USING (VALUES (5)) AS s(id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET title = t.phone WHEN NOT MATCHED THEN INSERT (customer_id, name, created_at) VALUES (5, 'x', '2024-01-01')",
    ),
    (
        "alice",
        "WITH u AS (UPDATE customers SET city = 'x' WHERE id = 5 RETURNING phone) SELECT * FROM u",
    ),
    ("fiona", "UPDATE contracts SET paid = 0, amount = amount WHERE id = 1"),
    (
        "alice",
        "UPDATE open_opportunities SET title = 'x' WHERE id = 5 RETURNING title",
    ),
    ("yun", "DELETE FROM open_opportunities RETURNING id"),
    (
        "alice",
        "UPDATE key_customers AS k SET name = k.phone, owner_id = 37 WHERE 1 / (k.id - 5) > 0 RETURNING k.*",
    ),
    (
        "alice",
        "INSERT INTO open_opportunities (id, customer_id, owner_id, title) VALUES (1, 5, 36, 'x') ON CONFLICT (id) DO UPDATE SET title = excluded.title RETURNING id",
    ),
];

/// Where the policy fills in the owner, and rows that do not show are not in a source.
const FILLED: &[(&str, &str)] = &[
    (
        "alice",
        "INSERT INTO activities (customer_id, summary, happened_at) VALUES (5, 'x', '2024-01-01'), (6, 'y', '2024-01-01')",
    ),
    (
        "alice",
        "INSERT INTO activities (customer_id, owner_id, summary, happened_at) VALUES (5, DEFAULT, 'x', '2024-01-01'), (6, 36, 'y', '2024-01-01')",
    ),
    (
        "alice",
        "INSERT INTO activities (customer_id, summary, happened_at) SELECT 5, 'x', now() UNION ALL SELECT 6, 'y', now() RETURNING id",
    ),
    ("alice", "INSERT INTO activities DEFAULT VALUES"),
    (
        "alice",
        "MERGE INTO activities AS t USING (VALUES (5)) AS s(id) ON t.id = s.id WHEN NOT MATCHED THEN INSERT (customer_id, summary, happened_at) VALUES (s.id, 'x', '2024-01-01')",
    ),
    (
        "alice",
        "MERGE INTO activities AS t USING (VALUES (5)) AS s(id) ON t.id = s.id WHEN NOT MATCHED AND s.id > 4 THEN INSERT (customer_id, owner_id, summary, happened_at) VALUES (s.id, DEFAULT, 'x', '2024-01-01')",
    ),
    (
        "alice",
        "MERGE INTO activities AS t USING (VALUES (5)) AS s(id) ON t.id = s.id WHEN NOT MATCHED THEN INSERT DEFAULT VALUES",
    ),
    (
        "alice",
        "MERGE INTO activities AS t USING (VALUES (5)) AS s(id) ON t.id = s.id WHEN NOT MATCHED BY SOURCE THEN DELETE",
    ),
    (
        "alice",
        "MERGE INTO activities AS t USING (VALUES (5)) AS s(id) ON t.id = s.id WHEN NOT MATCHED BY SOURCE AND 1 / (t.id - 5) > 0 THEN UPDATE SET customer_id = 5, summary = 'x' WHEN MATCHED THEN DO NOTHING RETURNING t.summary, s.id",
    ),
    (
        "alice",
        "MERGE INTO activities AS t USING (VALUES (5)) AS s(id) ON t.id = s.id WHEN NOT MATCHED BY SOURCE AND 1 / (t.id - 5) > 0 THEN DO NOTHING WHEN NOT MATCHED BY SOURCE AND t.summary = 'x' THEN DELETE RETURNING t.*",
    ),
];

/// Alice, number 36, sees and changes her own.
const POLICY: &[(&str, &str)] = &[
    (
        "tables.toml",
        "[defaults]\nunprotected = \"open\"\ncolumns = \"clear\"\n\
         [activities]\nrelation = \"public.activities\"\nkey = \"id\"\nowner = \"owner_id\"\n",
    ),
    REPRESENTATIVES,
    (
        "roles/rep.toml",
        "title = \"Representative\"\n\
         [activities]\nview = [\"own\"]\ninsert = [\"own\"]\nedit = [\"own\"]\ndelete = [\"own\"]\n\
         [activities.columns]\nowner_id = { default = \"own\" }\nsummary = { mask = \"partial\", keep = [1, 1], edit = true }\n",
    ),
];

/// What a wrong rewriter might have printed instead of a part of a splice.
const INSTEAD: &[(&str, &str, &str)] = &[
    ("a check that takes NULL", "IS NOT TRUE", "IS NULL"),
    ("a check the wrong way", "IS NOT TRUE", "IS TRUE"),
    ("a comparison that takes anything", " IS TRUE", " IS NOT NULL"),
    ("another operator", "OPERATOR(pg_catalog.=)", "OPERATOR(pg_catalog.<>)"),
    ("somebody else", "'36'::pg_catalog.int4", "'37'::pg_catalog.int4"),
    ("another team", "'14'::pg_catalog.int4", "'15'::pg_catalog.int4"),
    ("a filter or", ") AND (", ") OR ("),
    ("a filter that is not", "NOT EXISTS", "EXISTS"),
    ("a check that ends well", "END)", "ELSE NULL END)"),
    (
        "a raise that does not",
        "::pg_catalog.int4)::pg_catalog.text",
        ")::pg_catalog.text",
    ),
    ("an error that is not ours", "'rowgate:", "'"),
    ("another row", "\"rowgate:row\".", "\"rowgate:new\"."),
    ("another value", "\"rowgate:new\".\"1\"", "\"rowgate:new\".\"2\""),
    (
        "the new value kept",
        "THEN \"rowgate:row\".\"birthday\" ELSE",
        "THEN \"rowgate:new\".\"1\" ELSE",
    ),
    ("always kept out", "CASE WHEN", "CASE WHEN FALSE AND"),
    ("always let in", "CASE WHEN", "CASE WHEN TRUE OR"),
    ("a condition that holds", "WHERE (", "WHERE TRUE OR ("),
    (
        "a mask of nothing",
        "pg_catalog.repeat('*'::pg_catalog.text,",
        "pg_catalog.repeat(''::pg_catalog.text,",
    ),
    ("more of the value", "pg_catalog.text, 3)", "pg_catalog.text, 9)"),
    ("another column", ".\"tax_id\"", ".\"phone\""),
    ("another column set", "(\"paid\", \"amount\")", "(\"amount\", \"paid\")"),
    (
        "another table",
        "\"public\".\"customers\" AS",
        "\"public\".\"contracts\" AS",
    ),
    (
        "a view of more",
        "'won'::public.deal_stage",
        "'lead'::public.deal_stage",
    ),
    ("a view of less", "'gold'::public.customer_level, ", ""),
    (
        "another view",
        "\"rowgate:row\".\"stage\" <> ALL",
        "\"rowgate:row\".\"stage\" = ANY",
    ),
    ("another column of the view", "\"title\"", "\"notes\""),
    ("no proposal", "excluded.\"owner_id\"", "NULL::pg_catalog.int4"),
    ("another owner filled in", "('36'::", "('37'::"),
    (
        "rows that do not show",
        "IS NOT TRUE THEN FALSE",
        "IS NOT TRUE THEN TRUE",
    ),
    ("every row", "THEN FALSE WHEN", "THEN FALSE WHEN TRUE OR"),
    ("no alias", "AS \"rowgate:row\"", "AS \"row\""),
];

fn broken(sql: &str, whole: &Rewritten) -> Vec<(String, Rewritten)> {
    let mut out = Vec::new();
    for splice in 0..whole.splices.len() {
        let text = whole.spliced(splice).to_owned();
        let kind = whole.splices[splice].kind;
        if kind == SpliceKind::Label {
            continue; // what a result column is called is nobody's secret
        }
        out.push((format!("nothing for {kind:?}"), whole.with(splice, "")));
        let own = &sql[whole.splices[splice].client.clone()];
        if kind == SpliceKind::Column && text.trim() == format!("\"rowgate:row\".\"{own}\"") {
            continue; // a view's column under the table's own name: both mean the same
        }
        out.push((format!("the client's words for {kind:?}"), whole.with(splice, own)));
        for (how, part, instead) in INSTEAD {
            for (at, _) in text.match_indices(part) {
                let changed = format!("{}{instead}{}", &text[..at], &text[at + part.len()..]);
                out.push(((*how).to_owned(), whole.with(splice, &changed)));
            }
        }
        if kind == SpliceKind::Column && text.contains("CASE") {
            for column in ["phone", "email", "birthday", "tax_id"] {
                let clear = format!("\n\"rowgate:row\".\"{column}\" ");
                if text.contains(clear.trim()) {
                    out.push(("a mask left out".to_owned(), whole.with(splice, &clear)));
                }
            }
        }
        for end in [
            "/* ",
            "' ",
            "; DELETE FROM customers; ",
            ", (SELECT id FROM customers) ",
        ] {
            out.push((
                "a splice that brings more".to_owned(),
                whole.with(splice, &format!("{text}{end}")),
            ));
        }
    }
    out
}

#[tokio::test]
async fn verify_refuses_whatever_write_is_broken() {
    refuses_whatever_is_broken(STATEMENTS, &shipped("policies")).await;
}

#[tokio::test]
async fn verify_refuses_whatever_is_filled_in_wrongly() {
    let place = policies::directory(POLICY);
    refuses_whatever_is_broken(FILLED, place.path()).await;
}

async fn refuses_whatever_is_broken(statements: &[(&str, &str)], policies: &Path) {
    let database = Database::new().await;
    let world = database.world_with(policies).await;
    let superuser = database.superuser().await;
    let mut tried: BTreeMap<String, usize> = BTreeMap::new();
    let mut missed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (login, sql) in statements {
        let who = stages::person(&world, login);
        let whole = stages::rewrite(sql, &who, &world).unwrap_or_else(|r| panic!("{login}: {sql}: {r:?}"));
        whole
            .verify(sql, &who, &world)
            .unwrap_or_else(|r| panic!("{login}: {sql}: {r:?}"));
        for (how, broken) in broken(sql, &whole) {
            if broken.text == whole.text {
                continue;
            }
            *tried.entry(how.clone()).or_default() += 1;
            // what PostgreSQL itself cannot read does no harm
            if broken.verify(sql, &who, &world).is_ok() && superuser.prepare(&broken.text).await.is_ok() {
                missed
                    .entry(how)
                    .or_default()
                    .push(format!("{login}: {sql}\n    {}", broken.text));
            }
        }
    }
    println!("tried {tried:?}");
    let shown: Vec<String> = missed
        .iter()
        .map(|(how, texts)| {
            format!(
                "{how}: {} of {}, such as {}",
                texts.len(),
                tried[how],
                texts.join("\n@@ ")
            )
        })
        .collect();
    assert!(missed.is_empty(), "verify takes\n{}", shown.join("\n"));
}
