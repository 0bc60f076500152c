//! Decisions on a real PostgreSQL: scopes, several roles, hidden columns with exceptions, generated columns, parents.

use crate::support::policies::{access, begin, guard, view};
use crate::support::{Database, rows};
use rowgate::policy::{Access, ColumnView, Rows};
use rowgate::world::World;
use std::sync::Arc;
use tokio_postgres::Client;

/// Two levels of parents, a composite key, NULLs in every place, an orphan.
const TABLES: &str = "
CREATE TABLE public.staff (login text, user_id int, roles text[], team_id int, manager_id int, active bool, region text);
INSERT INTO public.staff VALUES
  ('ann', 1, '{own}', 10, 3, true, 'north'), ('bea', 2, '{own}', 11, 3, true, NULL),
  ('cleo', 3, '{lead}', 10, 5, true, 'south'), ('dan', 4, '{own,lead}', 11, NULL, true, 'north'),
  ('eve', 5, '{boss}', 10, 3, true, NULL), ('fay', NULL, '{own,lead,boss}', NULL, NULL, true, NULL),
  ('gus', 7, '{own}', 10, 3, false, NULL), ('hal', 1, '{nothing}', 10, NULL, true, NULL),
  ('ida', 1, '{own,seer}', 10, NULL, true, 'north');
CREATE TABLE public.teams (team_id int, parent_id int);
INSERT INTO public.teams VALUES (10, NULL), (11, 10), (12, 11), (13, 14), (14, 13);
CREATE TABLE public.a (id int, part int, owner int, team int, region text, phone varchar(12), secret text,
  joint text GENERATED ALWAYS AS (phone || '/' || coalesce(secret, '')) STORED,
  risky int GENERATED ALWAYS AS (length(phone) / length(secret)) STORED,
  PRIMARY KEY (id, part));
INSERT INTO public.a VALUES
  (1, 1, 1, 10, 'north', '111111', 's1'), (2, 1, 2, 11, 'south', '222222', 's2'), (3, 1, NULL, NULL, NULL, NULL, 's3'),
  (4, 1, 4, 12, 'north', '444444', 's4'), (5, 2, 5, 10, 'south', '555555', 's5'), (6, 1, 7, 13, NULL, '666666', 's6');
CREATE TABLE public.b (id int PRIMARY KEY, a_id bigint, a_part int, note text);
INSERT INTO public.b VALUES (1, 1, 1, 'n1'), (2, 2, 1, 'n2'), (3, 3, 1, 'n3'), (4, NULL, 1, 'n4'), (5, 99, 1, 'n5'), (6, 5, 1, 'n6'), (7, 5, 2, 'n7');
CREATE TABLE public.c (id int PRIMARY KEY, b_id int REFERENCES public.b, note text);
INSERT INTO public.c VALUES (1, 1, 'c1'), (2, 2, 'c2'), (3, 5, 'c5'), (4, NULL, 'c4');
CREATE TABLE public.m (a_id int, a_part int, person int, team int);
INSERT INTO public.m VALUES (2, 1, 1, NULL), (3, 1, NULL, 11), (5, 1, 1, NULL), (NULL, 1, 1, NULL);
CREATE TABLE public.open_one (x int);
";

const DIRECTORY: &str = "[directory]
users = \"SELECT login, user_id, roles AS role, team_id, manager_id, active, region FROM public.staff\"
teams = \"SELECT team_id, parent_id FROM public.teams\"
";

const POLICY: &str = "[defaults]
columns = \"clear\"
unprotected = [\"public.open_one\"]
[a]
relation = \"public.a\"
key = [\"id\", \"part\"]
owner = \"owner\"
team = \"team\"
members = { relation = \"public.m\", row = [\"a_id\", \"a_part\"], user = \"person\", team = \"team\" }
[b]
relation = \"public.b\"
key = \"id\"
parent = { table = \"a\", column = [\"a_id\", \"a_part\"] }
[c]
relation = \"public.c\"
key = \"id\"
parent = { table = \"b\", column = \"b_id\" }
[scopes]
near = { where = \"region = :region AND id <= 1000\" }
mine_or_none = { where = \"owner IS NOT DISTINCT FROM NULL OR EXISTS (SELECT 1 FROM public.m WHERE m.a_id = a.id AND m.person = :user_id)\" }
";

const OWN: &str = "[a]
view = [\"own\", \"member\"]
edit = [\"own\"]
max_rows = 10
[a.columns]
phone = { mask = \"partial\", keep = [1, 1], except = [\"own\"] }
secret = \"hidden\"
[b]
view = [\"parent\"]
[c]
view = [\"parent\"]
";

const LEAD: &str = "[a]
view = [\"team_tree\", \"reports\"]
edit = [\"all\"]
export = [\"team_tree\", \"reports\", \"own\"]
max_rows = 20
[a.columns]
phone = \"null\"
secret = { hidden = true, except = [\"team\"] }
[b]
view = [\"parent:team\"]
[c]
view = [\"parent:parent:team\"]
";

const BOSS: &str = "[a]
view = [\"all\"]
[a.columns]
phone = \"clear\"
secret = { mask = \"fixed\", value = \"-\" }
[b]
view = [\"parent\"]
[c]
view = [\"parent\"]
";

const SEER: &str = "[a]
view = [\"near\", \"mine_or_none\"]
[a.columns]
phone = \"hidden\"
";

async fn world() -> (Database, Arc<World>, Client) {
    let database = Database::new().await;
    let client = database.superuser().await;
    client.batch_execute(TABLES).await.unwrap();
    let files = [
        ("directory.toml", DIRECTORY),
        ("tables.toml", POLICY),
        ("roles/own.toml", OWN),
        ("roles/lead.toml", LEAD),
        ("roles/boss.toml", BOSS),
        ("roles/seer.toml", SEER),
        ("roles/nothing.toml", "title = \"none\"\n"),
    ];
    let keeper = begin(&database, &files).await.unwrap_or_else(|e| panic!("{e}"));
    let told = keeper.warnings().join("\n");
    for circle in [
        "team 13 comes back",
        "team 14 comes back",
        "person 3 comes back",
        "person 5 comes back",
    ] {
        assert!(told.contains(circle), "{told}");
    }
    let world = keeper.handle().current();
    (database, world, client)
}

/// A view's rows, one text each, columns parted by `|`, NULL as `-`.
async fn sees(client: &Client, world: &World, login: &str, table: &str, columns: &str) -> String {
    let (relation, view) = view(world, login, "public", table);
    let sql = format!(
        "SELECT {columns} FROM ({}) AS shown ORDER BY id",
        guard(&relation, &view)
    );
    let found = rows(client, &sql).await;
    let lines: Vec<String> = found
        .into_iter()
        .map(|row| {
            row.into_iter()
                .map(|v| v.unwrap_or_else(|| "-".to_owned()))
                .collect::<Vec<_>>()
                .join("|")
        })
        .collect();
    lines.join(" ")
}

#[tokio::test]
async fn one_role_shows_its_rows_and_masks_all_but_its_exceptions() {
    let (_database, world, client) = world().await;
    assert_eq!(
        sees(&client, &world, "ann", "a", "id, phone").await,
        "1|111111 2|2****2"
    );
    assert_eq!(sees(&client, &world, "bea", "a", "id, phone").await, "2|222222 3|-");
    let (relation, view) = view(&world, "ann", "public", "a");
    let hidden: Vec<&str> = relation
        .columns
        .iter()
        .zip(&view.columns)
        .filter(|(_, v)| **v == ColumnView::Hidden)
        .map(|(c, _)| c.name.as_str())
        .collect();
    assert_eq!(hidden, ["secret", "joint", "risky"]);
    assert_eq!(view.max_rows.as_ref().map(|m| m.rows), Some(10));
    assert!(!view.export);
    let Rows::Where(lockable) = &view.lockable else {
        panic!("{:?}", view.lockable)
    };
    assert_eq!(
        lockable,
        "(\"rowgate:row\".\"owner\" OPERATOR(pg_catalog.=) '1'::pg_catalog.int4)"
    );
}

#[tokio::test]
async fn several_roles_show_the_union_each_row_as_the_least_restrictive() {
    let (_database, world, client) = world().await;
    // dan: own and member rows by one role, those of teams 11 and 12 by the other; nobody reports to him
    assert_eq!(
        sees(&client, &world, "dan", "a", "id, phone, secret, joint").await,
        "2|-|s2|- 3|-|-|- 4|444444|-|444444/"
    );
    let (_, shown) = view(&world, "dan", "public", "a");
    assert_eq!(shown.max_rows.as_ref().map(|m| m.rows), Some(20));
    // somebody without an id or a team has no own rows, but all rows by a third role
    assert_eq!(
        sees(&client, &world, "fay", "a", "id, phone, secret").await,
        "1|111111|- 2|222222|- 3|-|- 4|444444|- 5|555555|- 6|666666|-"
    );
    let (_, shown) = view(&world, "fay", "public", "a");
    assert_eq!((&shown.rows, &shown.max_rows), (&Rows::All, &None));
    assert_eq!(shown.columns[5], ColumnView::Clear);
}

#[tokio::test]
async fn teams_below_and_people_below_count_circles_do_not() {
    let (_database, world, client) = world().await;
    // cleo: teams 10 to 12 by the tree; ann, bea and gus (who has left) report to her, eve only by a circle
    assert_eq!(
        sees(&client, &world, "cleo", "a", "id, secret").await,
        "1|s1 2|- 4|- 5|s5 6|-"
    );
    let cleo = world.directory.principal("cleo").unwrap();
    assert_eq!(cleo.reports.as_ref().unwrap().values, ["1", "2", "7"]);
    assert_eq!(cleo.team_tree.as_ref().unwrap().values, ["10", "11", "12"]);
    assert!(world.directory.principal("gus").is_none());
}

#[tokio::test]
async fn children_follow_their_parents_through_any_number_of_levels() {
    let (_database, world, client) = world().await;
    assert_eq!(sees(&client, &world, "ann", "b", "id").await, "1 2");
    assert_eq!(sees(&client, &world, "ann", "c", "id").await, "1 2");
    assert_eq!(sees(&client, &world, "cleo", "b", "id").await, "1 7");
    assert_eq!(sees(&client, &world, "cleo", "c", "id").await, "1");
    // all parents show, but an orphan and a child without a parent do not: no foreign key says there is one
    assert_eq!(sees(&client, &world, "eve", "b", "id").await, "1 2 3 7");
    assert_eq!(sees(&client, &world, "eve", "c", "id").await, "1 2");
}

#[tokio::test]
async fn where_a_foreign_key_vouches_for_the_parent_no_parent_is_read() {
    let database = Database::new().await;
    let client = database.superuser().await;
    client.batch_execute(TABLES).await.unwrap();
    let files = [
        ("directory.toml", DIRECTORY),
        (
            "tables.toml",
            "[b]\nrelation = \"public.b\"\nkey = \"id\"\n[c]\nrelation = \"public.c\"\nparent = { table = \"b\", column = \"b_id\" }\n",
        ),
        (
            "roles/boss.toml",
            "[b]\nview = [\"all\"]\n[c]\nview = [\"parent\"]\n[c.columns]\n\"*\" = \"clear\"\n",
        ),
    ];
    let keeper = begin(&database, &files).await.unwrap_or_else(|e| panic!("{e}"));
    let world = keeper.handle().current();
    let (_, shown) = view(&world, "eve", "public", "c");
    assert_eq!(
        shown.rows,
        Rows::Where("(\"rowgate:row\".\"b_id\" IS NOT NULL)".to_owned())
    );
    // and of the parent no column is named, so none shows
    let (_, shown) = view(&world, "eve", "public", "b");
    assert!(shown.columns.iter().all(|c| *c == ColumnView::Hidden));
}

#[tokio::test]
async fn scopes_of_the_dbas_own_take_attributes_and_hold_under_a_hostile_path() {
    let (_database, world, client) = world().await;
    client
        .batch_execute(
            "CREATE SCHEMA evil; CREATE FUNCTION evil.yes(int, int) RETURNS bool LANGUAGE sql AS 'SELECT true';
             CREATE OPERATOR evil.= (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.yes);
             CREATE TABLE evil.m (a_id int, person int); INSERT INTO evil.m SELECT i, 1 FROM generate_series(1, 9) AS i;
             SET search_path = evil, pg_catalog; SET transform_null_equals = on",
        )
        .await
        .unwrap();
    assert_eq!(
        sees(&client, &world, "ida", "a", "id, phone").await,
        "1|111111 2|2****2 3|- 4|- 5|-"
    );
    assert_eq!(sees(&client, &world, "ann", "a", "id").await, "1 2");
    // hal has no role that says anything; ann's region is known to the near scope only through ida's role
    assert_eq!(access(&world, "hal", "public", "a").1, Access::Denied);
    assert_eq!(access(&world, "hal", "public", "open_one").1, Access::Open);
    assert_eq!(access(&world, "hal", "public", "staff").1, Access::Denied);
    assert_eq!(access(&world, "hal", "pg_catalog", "pg_class").1, Access::Open);
}

#[tokio::test]
async fn generated_columns_are_computed_from_what_shows() {
    let (_database, world, client) = world().await;
    assert_eq!(
        sees(&client, &world, "eve", "a", "id, joint").await,
        "1|111111/- 2|222222/- 3|- 4|444444/- 5|555555/- 6|666666/-"
    );
    // an expression that could raise on masked values is NULL
    assert_eq!(
        sees(&client, &world, "eve", "a", "id, risky").await,
        "1|- 2|- 3|- 4|- 5|- 6|-"
    );
}

/// Rows of `a` by id: what shows in `phone` and in `secret`, `None` where the column is absent.
type Seen = std::collections::BTreeMap<String, Vec<Option<Option<String>>>>;

async fn seen(client: &Client, world: &World, who: &rowgate::identity::Principal) -> Seen {
    let name = rowgate::name::QualifiedName::new("public", "a");
    let relation = world.catalog.relation(&name).unwrap();
    let Access::Guarded(view) = world.policies.access(who, relation, &world.catalog) else {
        return Seen::new();
    };
    let absent = |column: &str| {
        let at = relation.columns.iter().position(|c| c.name == column).unwrap();
        view.columns[at] == ColumnView::Hidden
    };
    let shown = |column: &str| if absent(column) { "NULL" } else { column }.to_owned();
    let sql = format!(
        "SELECT id, {}, {} FROM ({}) AS shown",
        shown("phone"),
        shown("secret"),
        guard(relation, &view)
    );
    let mut seen = Seen::new();
    for row in rows(client, &sql).await {
        let cells = [("phone", 1), ("secret", 2)].map(|(column, at)| (!absent(column)).then(|| row[at].clone()));
        seen.insert(row[0].clone().unwrap(), cells.to_vec());
    }
    seen
}

#[tokio::test]
async fn any_set_of_roles_shows_what_its_roles_show_and_nothing_else() {
    let (_database, world, client) = world().await;
    let mut real = Seen::new();
    for row in rows(&client, "SELECT id, phone, secret FROM public.a").await {
        real.insert(
            row[0].clone().unwrap(),
            vec![Some(row[1].clone()), Some(row[2].clone())],
        );
    }
    let roles = ["own", "lead", "boss", "seer"];
    let mut compared = 0;
    for person in ["ann", "bea", "cleo", "dan", "eve", "fay", "ida"] {
        let held = world.directory.principal(person).unwrap();
        let with = |set: Vec<&str>| rowgate::identity::Principal {
            login: format!("{person} as {}", set.join(" and ")),
            roles: set.into_iter().map(str::to_owned).collect(),
            ..held.as_ref().clone()
        };
        let mut alone = Vec::new();
        for role in roles {
            alone.push(seen(&client, &world, &with(vec![role])).await);
        }
        for mask in 1_u32..16 {
            let chosen: Vec<usize> = (0..4).filter(|at| mask & (1 << at) != 0).collect();
            let together = seen(&client, &world, &with(chosen.iter().map(|&at| roles[at]).collect())).await;
            let ids: std::collections::BTreeSet<&String> = chosen.iter().flat_map(|&at| alone[at].keys()).collect();
            assert_eq!(
                together.keys().collect::<std::collections::BTreeSet<_>>(),
                ids,
                "{person} {chosen:?}"
            );
            for (id, cells) in &together {
                for (column, cell) in cells.iter().enumerate() {
                    let offers: Vec<&Option<String>> = chosen
                        .iter()
                        .filter_map(|&at| alone[at].get(id)?[column].as_ref())
                        .collect();
                    let truth = real[id][column].as_ref().unwrap();
                    let best = if offers.contains(&truth) {
                        truth.clone()
                    } else {
                        offers.iter().find_map(|o| (*o).clone())
                    };
                    let found = cell.clone().flatten();
                    assert_eq!(found, best, "{person} {chosen:?} row {id} column {column}: {offers:?}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 500, "{compared}");
}
