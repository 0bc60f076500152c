//! Foreign keys to rows that do not show: as if they were not there, whatever type their columns have.

use crate::support::gate::Gate;
use crate::support::raw::{Raw, command};
use crate::support::{Database, data};

const POLICY: [(&str, &str); 3] = [
    (
        "tables.toml",
        "[defaults]\ncolumns = \"clear\"\n[places]\nrelation = \"public.places\"\nkey = \"id\"\nowner = \"owner_id\"\n\
         [visits]\nrelation = \"public.visits\"\nkey = \"id\"\nowner = \"owner_id\"\n",
    ),
    (
        "directory.toml",
        "[directory]\nusers = \"SELECT login, user_id, 'rep'::text AS role, team_id, manager_id, active FROM crm.users\"\n",
    ),
    (
        "roles/rep.toml",
        "title = \"Representative\"\n[places]\nview = [\"own\"]\n[visits]\nview = [\"own\"]\ninsert = [\"own\"]\n",
    ),
];

#[tokio::test]
async fn a_hidden_target_is_none_whatever_its_type() {
    let database = Database::new().await;
    let admin = database.superuser().await;
    admin
        .batch_execute(
            "create domain public.codes as text[];
             create type public.pair as (a int, b int);
             create table public.places (id int primary key, owner_id int, span int4range unique, tags text[] unique,
                                         codes public.codes unique, pair public.pair unique);
             create table public.visits (id int primary key, owner_id int, span int4range references public.places(span),
                                         tags text[] references public.places(tags), codes public.codes references public.places(codes),
                                         pair public.pair references public.places(pair));
             insert into public.places values (1, 36, '[1,5)', '{a}', '{x}', '(1,1)'), (2, 7, '[7,9)', '{b}', '{y}', '(2,2)');
             alter table public.visits add up int references public.visits;
             insert into public.visits (id, owner_id) values (100, 7);
             grant select, insert on public.places, public.visits to rowgate;",
        )
        .await
        .unwrap();
    let gate = Gate::start(&database, &POLICY).await;
    let more = [("database", database.name.as_str())];
    let mut raw = Raw::login(gate.port(), "alice", &data::password("alice"), &more)
        .await
        .unwrap();
    let columns = [
        ("span", "[1,5)", "[7,9)", "[3,4)"),
        ("tags", "{a}", "{b}", "{c}"),
        ("codes", "{x}", "{y}", "{z}"),
    ];
    for (id, (column, visible, hidden, missing)) in columns.iter().enumerate() {
        let insert = |value: &str| format!("insert into visits (id, owner_id, {column}) values ({id}, 36, '{value}')");
        for value in [hidden, missing] {
            let broken = format!(
                "E 23503 insert or update on table \"visits\" violates foreign key constraint \"visits_{column}_fkey\""
            );
            assert_eq!(
                raw.query(&insert(value)).await,
                [broken.as_str(), "Z I"],
                "{column} = {value}"
            );
        }
        assert_eq!(
            raw.query(&insert(visible)).await,
            ["C INSERT 0 1", "Z I"],
            "{column} = {visible}"
        );
    }
    // of a type whose comparison is not known nothing shows
    for value in ["(1,1)", "(2,2)", "(3,3)"] {
        let insert = format!("insert into visits (id, owner_id, pair) values (9, 36, '{value}')");
        assert!(raw.query(&insert).await[0].starts_with("E 23503"), "{value}");
    }
    assert_eq!(
        raw.query("insert into visits (id, owner_id) values (9, 36)").await,
        ["C INSERT 0 1", "Z I"]
    );
    // its own row, one of hers, a hidden one, none
    for (id, up, answer) in [(20, 20, "C"), (21, 20, "C"), (22, 100, "E 23503"), (23, 24, "E 23503")] {
        let insert = format!("insert into visits (id, owner_id, up) values ({id}, 36, {up})");
        assert!(raw.query(&insert).await[0].starts_with(answer), "{id} → {up}");
    }
    gate.stop().await;
}

const FAMILIES: [(&str, &str); 3] = [
    (
        "tables.toml",
        "[defaults]\ncolumns = \"clear\"\nunprotected = \"open\"\nunprotected_writes = \"open\"\n\
         [places]\nrelation = \"public.places\"\nkey = \"id\"\nowner = \"owner_id\"\n\
         [areas]\nrelation = \"public.areas\"\nkey = [\"id\", \"part\"]\nowner = \"owner_id\"\n\
         [visits]\nrelation = \"public.visits\"\nowner = \"owner_id\"\n\
         [trips]\nrelation = \"public.trips\"\nowner = \"owner_id\"\n",
    ),
    POLICY[1],
    (
        "roles/rep.toml",
        "title = \"Representative\"\n[places]\nview = [\"own\"]\ninsert = [\"own\"]\n\
         [places.columns]\nphone = { mask = \"partial\", keep = [3, 0], edit = true }\ncode = \"hidden\"\n\
         [areas]\nview = [\"own\"]\n\
         [visits]\nview = [\"own\"]\ninsert = [\"own\"]\nedit = [\"own\"]\n[trips]\nview = [\"own\"]\ninsert = [\"own\"]\nedit = [\"own\"]\n",
    ),
];

/// Rows of alice and of somebody else, and what refers to them in every way.
const PLACES: &str = "
    create table public.places (id int primary key, owner_id int, phone text unique, code text unique);
    insert into public.places values (1, 36, '111222', 'c1'), (2, 7, '333444', 'c2');
    create table public.areas (id int, part int, owner_id int, primary key (id, part)) partition by list (part);
    create table public.areas_1 partition of public.areas for values in (1);
    create table public.areas_2 partition of public.areas for values in (2);
    insert into public.areas values (1, 1, 36), (2, 2, 7);
    create table public.visits (id int, owner_id int, place int, phone text references public.places (phone),
                                code text references public.places (code), area int, part int,
                                twice int generated always as (place) stored references public.places,
                                foreign key (area, part) references public.areas) partition by list (id);
    create table public.visits_1 partition of public.visits for values in (1);
    create table public.visits_2 partition of public.visits for values in (2);
    create table public.trips (id int, owner_id int, place int);
    create table public.far_trips () inherits (public.trips);
    alter table public.far_trips add foreign key (place) references public.places;
    insert into public.far_trips values (1, 36, 1);
    create table public.log (id int, place int references public.places);
    create table public.lines (id int);
    grant select, insert, update on all tables in schema public to rowgate;";

#[tokio::test]
async fn keys_are_held_wherever_a_table_has_them() {
    let database = Database::new().await;
    let admin = database.superuser().await;
    admin.batch_execute(PLACES).await.unwrap();
    let gate = Gate::start(&database, &FAMILIES).await;
    let more = [("database", database.name.as_str())];
    let mut raw = Raw::login(gate.port(), "alice", &data::password("alice"), &more)
        .await
        .unwrap();
    for (sql, answer) in [
        // a generated column's
        (
            "insert into visits (id, owner_id, place) values (1, 36, 1)",
            "C INSERT 0 1",
        ),
        ("insert into visits (id, owner_id, place) values (1, 36, 2)", "E 23503"),
        ("insert into visits (id, owner_id, place) values (1, 36, 3)", "E 23503"),
        ("update visits set place = 2 where id = 1", "E 23503"),
        ("update visits set place = 1 where id = 1", "C UPDATE 1"),
        // a column's that does not show in clear: no guess is answered
        (
            "insert into visits (id, owner_id, phone) values (1, 36, '111222')",
            "E 23503",
        ),
        (
            "insert into visits (id, owner_id, phone) values (1, 36, '111333')",
            "E 23503",
        ),
        (
            "insert into visits (id, owner_id, code) values (1, 36, 'c1')",
            "E 23503",
        ),
        (
            "insert into visits (id, owner_id, code) values (1, 36, 'c9')",
            "E 23503",
        ),
        // of a partitioned table
        (
            "insert into visits (id, owner_id, area, part) values (2, 36, 1, 1)",
            "C INSERT 0 1",
        ),
        (
            "insert into visits (id, owner_id, area, part) values (2, 36, 2, 2)",
            "E 23503",
        ),
        ("update visits set area = 1, part = 1 where id = 1", "C UPDATE 1"),
        // of a table below
        ("update trips set place = 2", "E 23503"),
        ("update trips set place = 3", "E 23503"),
        ("update trips set place = 1", "C UPDATE 1"),
        // of one that no policy is about
        ("insert into log values (1, 1)", "E 42501"),
        ("update log set id = 2", "E 42501"),
        ("copy log from stdin", "E 42501"),
        ("insert into lines values (1)", "C INSERT 0 1"),
        // no unique value that does not show is asked for in silence
        (
            "insert into places (id, owner_id, phone) values (9, 36, '333444') on conflict do nothing",
            "E 42501",
        ),
        (
            "insert into places (id, owner_id, phone) values (9, 36, '555666') on conflict (id) do nothing",
            "C INSERT 0 1",
        ),
        (
            "insert into places (id, owner_id) values (9, 36) on conflict (id) do nothing",
            "C INSERT 0 0",
        ),
    ] {
        let said = raw.query(sql).await;
        assert!(said[0].starts_with(answer), "{sql}: {said:?}");
    }
    // a check in COPY's own WHERE, and a comment behind it
    for comment in ["-- all", "/* all */", ""] {
        raw.send(&command(&format!("Q copy places (id, owner_id) from stdin {comment}")))
            .await;
        let begun = raw.message().await.map(|(tag, _)| tag);
        assert_eq!(begun, Some(b'G'), "{comment}");
        raw.send(&command("c")).await;
        assert_eq!(raw.until_ready(1).await, ["C COPY 0", "Z I"], "{comment}");
    }
    gate.stop().await;
}
