//! Completeness: numbered relations in every position that a relation can take. Analysis, rewrite and verify must
//! each see every one of them, and what is hidden in each stays hidden.

use crate::support::{Database, rows, shipped, stages};
use rowgate::identity::Principal;
use rowgate::policy::decision::ROW_ALIAS;
use rowgate::sql::census::{Census, census};
use rowgate::sql::rewrite::splice::SpliceKind;
use rowgate::world::World;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// Whose statements they are; rows of owner 36 are theirs.
const LOGIN: &str = "alice";

/// A statement and how many tables were numbered when it was done.
struct Numbered {
    sql: String,
    tables: std::ops::RangeInclusive<usize>,
}

/// The statements of a file, each with tables of its own.
fn numbered(file: &str, count: &mut usize) -> Vec<Numbered> {
    let text = std::fs::read_to_string(shipped(file)).unwrap();
    let lines = text.lines().filter(|l| !l.is_empty() && !l.starts_with("--"));
    lines
        .map(|line| {
            let first = *count + 1;
            let mut sql = String::new();
            for c in line.chars() {
                match c {
                    '§' => {
                        *count += 1;
                        let _ = write!(sql, "t{count}");
                    }
                    '¤' => {
                        let _ = write!(sql, "t{count}");
                    }
                    other => sql.push(other),
                }
            }
            Numbered {
                sql,
                tables: first..=*count,
            }
        })
        .collect()
}

/// All queries as columns of one statement.
fn whole(queries: &[Numbered]) -> Numbered {
    let columns: Vec<String> = queries
        .iter()
        .enumerate()
        .map(|(i, q)| {
            format!(
                "(SELECT string_agg(q::text, ',' ORDER BY q::text) FROM (\n{}\n) AS q) AS c{i}",
                q.sql
            )
        })
        .collect();
    Numbered {
        sql: format!("SELECT\n{}", columns.join(",\n")),
        tables: 1..=*queries.last().unwrap().tables.end(),
    }
}

/// A table of which rows 3 and 4, the column `s` and what `m` holds are hidden.
fn table(n: usize) -> String {
    format!(
        "CREATE TABLE t{n} (id int PRIMARY KEY, owner_id int, v text, m text, s text, a int[], j jsonb);
         CREATE INDEX ON t{n} (owner_id);
         INSERT INTO t{n} SELECT i, CASE WHEN i < 3 THEN 36 ELSE 37 END,
             CASE WHEN i < 3 THEN 'v' ELSE 'canary-v-{n}-' END || i, 'canary-m-{n}', 'canary-s-{n}', ARRAY[i, 7],
             jsonb_build_object('k', CASE WHEN i < 3 THEN {n}::text ELSE 'canary-j-{n}' END)
         FROM generate_series(1, 4) AS i;\n"
    )
}

/// The same as the person should see it.
fn table_as_if(n: usize) -> String {
    format!(
        "CREATE TABLE t{n} (id int PRIMARY KEY, owner_id int, v text, m text, a int[], j jsonb);
         INSERT INTO t{n} SELECT i, 36, 'v' || i, '***', ARRAY[i, 7], jsonb_build_object('k', {n}::text)
         FROM generate_series(1, 2) AS i;\n"
    )
}

fn policies(tables: usize) -> tempfile::TempDir {
    let mut protected = String::from("[defaults]\nunprotected = \"denied\"\ncolumns = \"clear\"\n");
    let mut role = String::from("title = \"Reader\"\n[rights]\ntemp_tables = true\nexplain = true\n");
    for n in 1..=tables {
        let _ = write!(
            protected,
            "[t{n}]\nrelation = \"public.t{n}\"\nkey = \"id\"\nowner = \"owner_id\"\n"
        );
        let _ = write!(
            role,
            "[t{n}]\nview = [\"own\"]\nexport = [\"own\"]\n[t{n}.columns]\ns = \"hidden\"\n\
             m = {{ mask = \"fixed\", value = \"***\" }}\n"
        );
    }
    let directory = "[directory]\nusers = \"SELECT login, user_id, ARRAY['reader'] AS role FROM crm.users\"\n";
    crate::support::policies::directory(&[
        ("tables.toml", &protected),
        ("roles/reader.toml", &role),
        ("directory.toml", directory),
    ])
}

/// How often each numbered table stands in a text, and how often under rowgate's alias.
fn counted(found: &Census, n: usize) -> (usize, usize) {
    let name = format!("t{n}");
    // a common table expression of the same name is no table
    let all = found.relations.iter().filter(|r| r.name == name);
    let open = all
        .clone()
        .filter(|r| r.alias != ROW_ALIAS && !found.ctes.contains(&name));
    (open.count(), all.filter(|r| r.alias == ROW_ALIAS).count())
}

fn tree(sql: &str) -> Census {
    let parsed = pg_query::parse(sql, pg_query::ParserOptions::DEFAULT).unwrap_or_else(|e| panic!("{e}\n{sql}"));
    census(&parsed.protobuf)
}

/// The gate's every stage has seen every table of a statement.
fn seen_by_all(statement: &Numbered, who: &Principal, world: &World) -> Result<(), String> {
    let sql = &statement.sql;
    let judged = stages::judge(sql, who, world).map_err(|r| format!("refused: {} ({:?})", r.message, r.detail))?;
    let read: BTreeSet<&str> = judged
        .statements
        .iter()
        .flat_map(|s| s.reads.iter().map(|r| r.relation.as_str()))
        .collect();
    let sent = tree(judged.text.text());
    let rewritten = stages::rewrite(sql, who, world).unwrap();
    rewritten.verify(sql, who, world).unwrap();
    for n in statement.tables.clone() {
        if !read.contains(format!("public.t{n}").as_str()) {
            return Err(format!("t{n} is not among what was read: {read:?}"));
        }
        if !matches!(counted(&sent, n), (0, 1..)) {
            return Err(format!(
                "t{n} stands outside a guard or not at all: {}",
                judged.text.text()
            ));
        }
        let guards: Vec<usize> = (0..rewritten.splices.len())
            .filter(|i| rewritten.spliced(*i).contains(&format!("\"public\".\"t{n}\" AS ")))
            .collect();
        if guards.is_empty() {
            return Err(format!("no splice guards t{n}"));
        }
        // breaking each of some three hundred guards of one text takes a minute: each has its turn in a text of its own
        let broken = if statement.tables.clone().count() < 20 || n % 41 == 0 {
            guards
        } else {
            Vec::new()
        };
        for guard in broken {
            let bare = match rewritten.splices[guard].kind {
                SpliceKind::Copy => format!("\n(SELECT id FROM public.t{n}) "),
                _ => format!("\npublic.t{n} AS x "),
            };
            if rewritten.with(guard, &bare).verify(sql, who, world).is_ok() {
                return Err(format!("verify does not miss the guard of t{n}"));
            }
        }
    }
    Ok(())
}

/// Two databases: the real one and the one that holds only what the person may see.
struct Stage {
    real: Database,
    as_if: Database,
    policies: tempfile::TempDir,
}

impl Stage {
    async fn set(tables: usize) -> Self {
        let (real, as_if) = (Database::new().await, Database::new().await);
        let (mut sql, mut sql_as_if) = (String::new(), String::new());
        for n in 1..=tables {
            sql.push_str(&table(n));
            sql_as_if.push_str(&table_as_if(n));
        }
        sql.push_str("GRANT SELECT ON ALL TABLES IN SCHEMA public TO rowgate");
        for (database, sql) in [(&real, &sql), (&as_if, &sql_as_if)] {
            // compiling a statement with a thousand expressions takes half a minute
            let without_compiler = format!("ALTER DATABASE {} SET jit = off;\n{sql}", database.name);
            database
                .superuser()
                .await
                .batch_execute(&without_compiler)
                .await
                .unwrap();
        }
        Self {
            real,
            as_if,
            policies: policies(tables),
        }
    }

    fn policies(&self) -> &Path {
        self.policies.path()
    }
}

fn in_order(mut answer: Vec<Vec<Option<String>>>) -> Vec<Vec<Option<String>>> {
    answer.sort();
    answer
}

#[tokio::test]
async fn every_position_of_a_query_is_seen_and_hides_what_is_hidden() {
    let mut count = 0;
    let mut queries = numbered("tests/completeness/queries.sql", &mut count);
    let newer = numbered("tests/completeness/queries_17.sql", &mut count);
    let stage = Stage::set(count).await;
    let world = stage.real.world_with(stage.policies()).await;
    let who = stages::person(&world, LOGIN);
    let front = stage.real.rowgate_with(stage.policies()).await;
    let client = stage.real.through(&front, LOGIN).await;
    let as_if = stage.as_if.superuser().await;
    let mut wrong = Vec::new();
    if world.catalog.server_version >= 170_000 {
        queries.extend(newer);
    } else {
        let went = newer.iter().filter(|q| stages::judge(&q.sql, &who, &world).is_ok());
        wrong.extend(went.map(|q| format!("{}\n    means something else on this server", q.sql)));
    }
    queries.push(whole(&queries));
    for query in &queries {
        if let Err(error) = as_if.simple_query(&query.sql).await {
            wrong.push(format!("{}\n    not even as if: {error:?}", query.sql));
            continue;
        }
        let wanted = rows(&as_if, &query.sql).await;
        if let Err(why) = seen_by_all(query, &who, &world) {
            wrong.push(format!("{:.300}\n    {why}", query.sql));
            continue;
        }
        match client.simple_query(&query.sql).await {
            Err(error) => wrong.push(format!("{}\n    {error:?}", query.sql)),
            Ok(_) => {
                let found = rows(&client, &query.sql).await;
                assert!(!format!("{found:?}").contains("canary"), "{}\n{found:?}", query.sql);
                if in_order(found.clone()) != in_order(wanted.clone()) {
                    wrong.push(format!("{}\n    {found:?} instead of {wanted:?}", query.sql));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        queries.len(),
        wrong.join("\n")
    );
    assert!(count > 250, "{count} tables");
    drop(client);
    front.stop().await;
}

#[tokio::test]
async fn every_kind_of_statement_that_reads_is_seen() {
    let mut count = 0;
    let statements = numbered("tests/completeness/statements.sql", &mut count);
    let stage = Stage::set(count).await;
    let world = stage.real.world_with(stage.policies()).await;
    let who = stages::person(&world, LOGIN);
    let wrong: Vec<String> = statements
        .iter()
        .filter_map(|s| Some(format!("{}\n    {}", s.sql, seen_by_all(s, &who, &world).err()?)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
