//! Foreign keys to rows that do not show: as if they were not there, whatever type their columns have.

use crate::support::gate::Gate;
use crate::support::raw::Raw;
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
