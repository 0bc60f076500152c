//! Parameters of statements that write get the types that PostgreSQL gives them, whatever is written around them.

use crate::support::Database;
use tokio_postgres::Client;

const STATEMENTS: &[&str] = &[
    "UPDATE customers SET city = $1 WHERE id = $2",
    "UPDATE customers SET city = $1, tax_id = $2, phone = $3, level = $4, owner_id = $5, tags = $6 WHERE id = $7",
    "UPDATE customers SET tax_id = COALESCE($1, tax_id), city = COALESCE($2, city) WHERE id = $3",
    "UPDATE customers SET tax_id = COALESCE($1, $2), owner_id = COALESCE($3, $4) WHERE id = $5",
    "UPDATE customers SET tax_id = CASE WHEN id > $1 THEN $2 ELSE $3 END, owner_id = CASE WHEN $4 THEN $5 END WHERE id = $6",
    "UPDATE customers SET city = CASE WHEN $1 THEN $2 END WHERE id = $3",
    "UPDATE customers SET phone = phone || $1, city = city || $2, owner_id = owner_id + $3 WHERE id = $4",
    "UPDATE customers SET (tax_id, owner_id) = ($1, $2) WHERE id = $3",
    "UPDATE customers SET (tax_id, owner_id) = ROW($1, $2) WHERE id = $3",
    "UPDATE customers SET (tax_id, city) = (SELECT $1, $2) WHERE id = $3",
    "UPDATE customers SET tax_id = $1, city = $1 WHERE id = $2",
    "UPDATE customers SET tax_id = NULLIF($1, ''), owner_id = NULLIF($2, 0) WHERE id = $3",
    "UPDATE customers SET tax_id = GREATEST($1, $2), owner_id = LEAST($3, $4) WHERE id = $5",
    "UPDATE customers SET owner_id = ($1), tax_id = (($2)) WHERE id = $3",
    "UPDATE customers SET owner_id = $1::int8, level = $2::text::public.customer_level WHERE id = $3",
    "UPDATE customers SET tags = $1, tax_id = $2 WHERE tags && $3 AND phone = $4 AND $5 = ANY (tags)",
    "UPDATE customers SET tags[1] = $1 WHERE id = $2",
    "UPDATE customers SET city = $1 WHERE phone LIKE $2 AND email ILIKE $3 AND created_at > $4 AND level = $5 AND id IN ($6, $7)",
    "UPDATE customers SET city = $1 WHERE id = ANY ($2) AND owner_id IS NOT DISTINCT FROM $3 AND founded_on BETWEEN $4 AND $5",
    "UPDATE customers SET city = $1 WHERE (id, phone) = ($2, $3)",
    "UPDATE customers SET city = $1 WHERE CASE WHEN $2 THEN phone = $3 ELSE TRUE END RETURNING $4::int, phone || $5, COALESCE($6, phone)",
    "UPDATE opportunities SET amount = $1, stage = $2, owner_id = $3, notes = $4, products = $5, expected_on = $6 WHERE id = $7",
    "UPDATE opportunities SET owner_id = $1, expected_on = expected_on + $2 WHERE id = $3 AND created_at > now() - $4",
    "UPDATE contacts SET birthday = $1, phone = $2, is_primary = $3, customer_id = $4 WHERE id = $5 AND birthday = $6",
    "UPDATE contacts AS k SET birthday = $1 FROM customers AS c WHERE c.id = k.customer_id AND c.phone = $2 AND k.phone <> $3",
    "UPDATE open_opportunities SET title = $1, owner_id = $2 WHERE id = $3 RETURNING COALESCE($4, title)",
    "INSERT INTO customers (name, owner_id, city, tax_id, level, tags) VALUES ($1, $2, $3, DEFAULT, DEFAULT, $4)",
    "INSERT INTO customers (name, owner_id, tax_id) VALUES ($1, $2, $3), ($4, $5, $6)",
    "INSERT INTO customers (name, owner_id, city) VALUES (upper($1), COALESCE($2, 36), CASE WHEN $3 THEN $4 END)",
    "INSERT INTO customers (name, owner_id, city) SELECT $1, $2, $3",
    "INSERT INTO customers (name, owner_id, city) SELECT name || $1, $2, c.city FROM customers c WHERE c.phone = $3",
    "INSERT INTO activities (customer_id, owner_id, summary, happened_at) VALUES ($1, $2, $3, $4) RETURNING id, $5::text",
    "INSERT INTO contacts (id, customer_id, name) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET name = $4, birthday = $5, phone = COALESCE($6, contacts.phone) WHERE contacts.title = $7",
    "INSERT INTO open_opportunities (id, customer_id, owner_id, title, stage) VALUES ($1, $2, $3, $4, $5)",
    "DELETE FROM opportunities WHERE id = $1 AND owner_id = $2 AND title = $3 RETURNING id + $4",
    "WITH u AS (UPDATE contacts SET birthday = $1 WHERE id = $2 RETURNING id) SELECT * FROM u WHERE id <> $3",
    "MERGE INTO contacts AS t USING (VALUES ($1::int, $2)) AS s(id, word) ON t.id = s.id AND t.phone <> $3 WHEN MATCHED AND t.title = $4 THEN UPDATE SET birthday = $5, title = $6 WHEN NOT MATCHED THEN INSERT (customer_id, name, created_at) VALUES ($7, $8, $9)",
];

async fn types(client: &Client, sql: &str) -> String {
    match client.prepare(sql).await {
        Ok(statement) => {
            let names = statement.params().iter().map(|ty| ty.name().to_owned());
            names.collect::<Vec<_>>().join(", ")
        }
        Err(error) => error.code().map_or_else(|| error.to_string(), |c| c.code().to_owned()),
    }
}

#[tokio::test]
async fn parameters_get_the_types_that_they_have_without_rowgate() {
    let database = Database::new().await;
    let front = database.rowgate().await;
    let straight = database.superuser().await;
    straight.batch_execute("SET search_path = public").await.unwrap();
    let mut wrong = Vec::new();
    for login in ["alice", "yun"] {
        let through = database.through(&front, login).await;
        for sql in STATEMENTS {
            let (ours, theirs) = (types(&through, sql).await, types(&straight, sql).await);
            // what the policy refuses has no types
            if ours != theirs && ours != "42501" && ours != "42703" {
                wrong.push(format!("{login}: {sql}\n  rowgate:    {ours}\n  PostgreSQL: {theirs}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    front.stop().await;
}
