//! No write gives its author more: by columns that others are computed from, by relations that say who is whose collaborator,
//! by another partition's triggers.

use crate::support::gate::{Gate, REPRESENTATIVES};
use crate::support::raw::Raw;
use crate::support::{Database, data};

const TABLES: (&str, &str) = (
    "tables.toml",
    "[defaults]\ncolumns = \"clear\"\nunprotected = \"open\"\nunprotected_writes = [\"public.helpers\"]\n\
     [scopes]\nmine = { where = \"low = 'mine'\" }\n\
     [parts]\nrelation = \"public.parts\"\nkey = \"id\"\n\
     [sights]\nrelation = \"public.sights\"\nkey = \"id\"\n\
     [deeds]\nrelation = \"public.deeds\"\nkey = \"id\"\nowner = \"owner_id\"\n\
     [tasks]\nrelation = \"public.tasks\"\nkey = \"id\"\nowner = \"owner_id\"\n\
     members = { relation = \"public.helpers\", row = \"task_id\", user = \"user_id\" }\n\
     [events]\nrelation = \"public.events\"\nkey = [\"id\", \"year\"]\nowner = \"owner_id\"\n",
);
const ROLE: (&str, &str) = (
    "roles/rep.toml",
    "title = \"Representative\"\n\
     [parts]\nview = [\"all\"]\nedit = [\"all\"]\ninsert = [\"all\"]\ndelete = [\"mine\"]\n\
     [parts.columns]\nphone = { mask = \"null\", except = [\"mine\"] }\n\
     [sights]\nview = [\"all\"]\nedit = [\"all\"]\n\
     [sights.columns]\nseen = { mask = \"sql\", expression = \"CASE WHEN low = 'x' THEN seen END\" }\n\
     [deeds]\nview = [\"all\"]\nedit = [\"all\"]\n\
     [deeds.columns]\nphone = { mask = \"null\", except = [\"own\"] }\n\
     [tasks]\nview = [\"own\", \"member\"]\n\
     [events]\nview = [\"own\"]\nedit = [\"own\"]\n",
);

async fn scene(ddl: &str, files: &[(&str, &str)]) -> (Database, Gate, Raw) {
    let database = Database::new().await;
    let admin = database.superuser().await;
    admin.batch_execute(ddl).await.unwrap();
    let gate = Gate::start(&database, files).await;
    let more = [("database", database.name.as_str())];
    let raw = Raw::login(gate.port(), "alice", &data::password("alice"), &more)
        .await
        .unwrap();
    (database, gate, raw)
}

const DDL: &str = "
    create table public.parts (id int primary key, kind text, low text generated always as (lower(kind)) stored, phone text);
    insert into public.parts values (1, 'a', default, '111'), (2, 'MINE', default, '222');
    create table public.sights (id int primary key, kind text, low text generated always as (lower(kind)) stored, seen text);
    insert into public.sights values (1, 'a', default, 's');
    create table public.deeds (id int primary key, paper jsonb, phone text,
                               owner_id int generated always as ((paper ->> 'owner')::int) stored);
    insert into public.deeds values (1, '{\"owner\": 7}', '111'), (2, '{\"owner\": 36}', '222');
    create table public.tasks (id int primary key, owner_id int);
    insert into public.tasks values (1, 7);
    create table public.helpers (task_id int, user_id int);
    create table public.events (id int, year int, owner_id int, primary key (id, year)) partition by list (year);
    create table public.events_1 partition of public.events for values in (1);
    create table public.events_2 partition of public.events for values in (2);
    insert into public.events values (1, 1, 36);
    create function public.give() returns trigger language plpgsql as $$ begin new.owner_id := 7; return new; end $$;
    create trigger give before insert on public.events_2 for each row execute function public.give();
    grant select, insert, update, delete on public.parts, public.sights, public.deeds, public.tasks, public.helpers, public.events to rowgate;";

#[tokio::test]
async fn a_generated_column_widens_nothing() {
    let (_database, gate, mut raw) = scene(DDL, &[TABLES, REPRESENTATIVES, ROLE]).await;
    for (sql, answer) in [
        // what a scope reads is computed from what is written
        ("update parts set kind = 'Mine' where id = 1 returning phone", "E 42501"),
        ("update parts set kind = 'b' where id = 1", "C UPDATE 1"),
        ("update parts set kind = kind where id = 1", "C UPDATE 1"),
        (
            "merge into parts p using (values (1)) s(i) on p.id = s.i when matched then update set kind = 'MINE'",
            "E 42501",
        ),
        (
            "insert into parts (id, kind) values (1, 'x') on conflict (id) do update set kind = 'mINE' returning phone",
            "E 42501",
        ),
        ("delete from parts where id = 1", "C DELETE 0"),
        (
            "update parts set kind = 'MINe' where id = 2 returning phone",
            "T phone:25",
        ),
        // what a mask reads is
        ("update sights set kind = 'X' where id = 1 returning seen", "E 42501"),
        ("update sights set kind = 'a' where id = 1 returning seen", "T seen:25"),
        // the owner is, by what could raise: nobody hands over by it
        (
            "update deeds set paper = '{\"owner\": 36}' where id = 1 returning phone",
            "E 42501",
        ),
        ("update deeds set paper = paper where id = 1", "C UPDATE 1"),
    ] {
        let said = raw.query(sql).await;
        assert!(said[0].starts_with(answer), "{sql}: {said:?}");
    }
    gate.stop().await;
}

#[tokio::test]
async fn nobody_makes_themselves_a_collaborator_where_the_relation_has_no_policy() {
    let (_database, gate, mut raw) = scene(DDL, &[TABLES, REPRESENTATIVES, ROLE]).await;
    for sql in [
        "insert into helpers values (1, 36)",
        "update helpers set user_id = 36",
        "delete from helpers",
        "copy helpers from stdin",
        "truncate helpers",
    ] {
        let said = raw.query(sql).await;
        assert!(said[0].starts_with("E 42501"), "{sql}: {said:?}");
    }
    assert_eq!(
        raw.query("select * from tasks").await,
        ["T id:23 owner_id:23", "C SELECT 0", "Z I"]
    );
    gate.stop().await;
}

#[tokio::test]
async fn another_partitions_trigger_takes_no_row_out_of_its_scope() {
    let (_database, gate, mut raw) = scene(DDL, &[TABLES, REPRESENTATIVES, ROLE]).await;
    let said = raw
        .query("update events set year = 2 where id = 1 returning id, owner_id")
        .await;
    assert!(said[0].starts_with("E 42501"), "{said:?}");
    assert_eq!(raw.query("update events set id = 2").await, ["C UPDATE 1", "Z I"]);
    gate.stop().await;
}
