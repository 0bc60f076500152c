//! What a write returns is computed only of rows that may be written: the check stands before it, wherever the client's own
//! columns are counted from the first.

use crate::support::gate::{Gate, REPRESENTATIVES};
use crate::support::raw::{Raw, command};
use crate::support::{Database, data};

const POLICY: [(&str, &str); 3] = [
    (
        "tables.toml",
        "[defaults]\ncolumns = \"clear\"\n[notes]\nrelation = \"public.notes\"\nkey = \"id\"\nowner = \"owner_id\"\n\
         [marks]\nrelation = \"public.marks\"\nkey = \"id\"\nowner = \"owner_id\"\n",
    ),
    REPRESENTATIVES,
    (
        "roles/rep.toml",
        "title = \"Representative\"\n[notes]\nview = [\"own\"]\ninsert = [\"own\"]\nedit = [\"own\"]\n\
         [marks]\nview = [\"own\"]\ninsert = [\"own\"]\nedit = [\"own\"]\n",
    ),
];

/// Rows in which a trigger puts what it reads of somebody else's.
async fn scene() -> (Database, Gate, Raw) {
    let database = Database::new().await;
    let admin = database.superuser().await;
    admin
        .batch_execute(
            "create table public.notes (id int primary key, owner_id int, of int, said varchar(40));
             insert into public.notes values (1, 7, null, 'secret'), (2, 36, null, 'mine');
             create function public.tell() returns trigger language plpgsql security definer as $$ begin
               if new.of is not null then
                 new.said := (select said from public.notes where id = new.of);
                 new.owner_id := (select owner_id from public.notes where id = new.of);
               end if;
               return new; end $$;
             create trigger tell before insert or update on public.notes for each row execute function public.tell();
             create table public.marks (id int primary key, owner_id int, note int references public.notes, said text);
             insert into public.marks values (1, 36, 2, 'mine');
             create function public.quote() returns trigger language plpgsql security definer as $$ begin
               new.said := (select said from public.notes where id = new.note); return new; end $$;
             create trigger quote before insert on public.marks for each row execute function public.quote();
             grant select, insert, update, delete on public.notes, public.marks to rowgate;",
        )
        .await
        .unwrap();
    let gate = Gate::start(&database, &POLICY).await;
    let more = [("database", database.name.as_str())];
    let raw = Raw::login(gate.port(), "alice", &data::password("alice"), &more)
        .await
        .unwrap();
    (database, gate, raw)
}

#[tokio::test]
async fn nothing_is_computed_of_a_row_that_may_not_be_written() {
    let (_database, gate, mut raw) = scene().await;
    for guess in ["secret", "another"] {
        let asks = format!("1 / (case when said = '{guess}' then 0 else 1 end)");
        for sql in [
            format!("insert into notes values (9, 36, 1, '') returning {asks}"),
            format!("insert into notes values (9, 36, 1, '') returning id, {asks} as x, *"),
            format!("insert into notes values (2, 36, 1, '') on conflict (id) do update set of = 1 returning {asks}"),
            format!("update notes set of = 1 where id = 2 returning {asks}"),
            format!("with w as (update notes set of = 1 where id = 2 returning {asks} as x) select x from w"),
            format!("with w(x) as (insert into notes values (9, 36, 1, '') returning {asks}) select x from w"),
        ] {
            let said = raw.query(&sql).await;
            assert!(said[0].starts_with("E 42501"), "{sql}: {said:?}");
        }
    }
    gate.stop().await;
}

#[tokio::test]
async fn what_a_trigger_reads_of_a_hidden_row_is_not_stored_by_a_conflict() {
    let (_database, gate, mut raw) = scene().await;
    let insert = |note: u32| {
        format!(
            "insert into marks values (1, 36, {note}, '') on conflict (id) do update set said = excluded.said returning said"
        )
    };
    assert!(raw.query(&insert(1)).await[0].starts_with("E 42501"));
    assert_eq!(raw.query(&insert(2)).await[1], "D mine");
    gate.stop().await;
}

#[tokio::test]
async fn no_cursor_reads_what_a_write_returns() {
    let (_database, gate, mut raw) = scene().await;
    for sql in [
        "declare c cursor for with w as (update notes set said = 'x' where id = 2 returning id) select * from w",
        "create temp table t as with w as (update notes set said = 'x' where id = 2 returning id) select * from w",
    ] {
        let said = raw.query(sql).await;
        assert!(
            said[0].starts_with("E 0A000") || said[0].starts_with("E 42501"),
            "{sql}: {said:?}"
        );
    }
    gate.stop().await;
}

#[tokio::test]
async fn the_check_before_them_moves_no_column_of_the_clients() {
    let (_database, gate, mut raw) = scene().await;
    let own = "update notes set said = 'x' where id = 2 returning";
    for (sql, answer) in [
        (
            format!("{own} *"),
            ["T id:23 owner_id:23 of:23 said:1043", "D 2|36|NULL|x"],
        ),
        (
            format!("{own}*"),
            ["T id:23 owner_id:23 of:23 said:1043", "D 2|36|NULL|x"],
        ),
        (format!("{own} said, id as n"), ["T said:1043 n:23", "D x|2"]),
        (
            format!("with w as ({own} id, said) select * from w"),
            ["T id:23 said:1043", "D 2|x"],
        ),
        (
            format!("with w(a, b) as ({own} id, said) select * from w"),
            ["T a:23 b:1043", "D 2|x"],
        ),
        (
            format!("with w(a) as ({own} id, said) select said, a from w"),
            ["T said:1043 a:23", "D x|2"],
        ),
        (
            format!("with w as ({own} id, said) select a, b from w as v(a, b)"),
            ["T a:23 b:1043", "D 2|x"],
        ),
        (
            format!("with w as ({own} id, said) select * from w v (a)"),
            ["T a:23 said:1043", "D 2|x"],
        ),
        (
            format!("with w as ({own} id, id) select * from w"),
            ["T id:23 id:23", "D 2|2"],
        ),
        (
            format!("with w as ({own} id, said) select * from w join notes n using (id)"),
            ["T id:23 said:1043 owner_id:23 of:23 said:1043", "D 2|x|36|NULL|mine"],
        ),
    ] {
        assert_eq!(raw.query("begin").await, ["C BEGIN", "Z T"]);
        let said = raw.query(&sql).await;
        assert_eq!(said[..2], answer, "{sql}: {said:?}");
        assert_eq!(raw.query("rollback").await, ["C ROLLBACK", "Z I"]);
    }
    // formats by column: the second alone is binary
    let mut bytes = command(&format!("P | {own} said, id"));
    bytes.extend_from_slice(b"B\0\0\0\x10\0\0\0\0\0\0\0\x02\0\0\0\x01");
    for message in ["D P", "E", "S"] {
        bytes.extend_from_slice(&command(message));
    }
    raw.send(&bytes).await;
    let said = raw.until_ready(1).await;
    assert_eq!(said[2], "T said:1043 id:23");
    assert_eq!(said[3], "D x|\0\0\0\u{2}", "{said:?}");
    gate.stop().await;
}
