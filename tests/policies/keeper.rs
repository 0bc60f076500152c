//! The world is kept: policies, people and schema that change are noticed, and what is broken changes nothing.

use crate::support::Database;
use crate::support::policies::{access, directory, source, view};
use rowgate::keeper::Keeper;
use rowgate::policy::{Access, ColumnView, Rows};
use rowgate::world::{World, WorldHandle};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_postgres::Client;

const TABLES: &str = "[defaults]\ncolumns = \"clear\"\nunprotected = \"open\"\n[t]\nrelation = \"public.t\"\nkey = \"id\"\nowner = \"who\"\n";

struct Kept {
    database: Database,
    client: Client,
    policies: TempDir,
    handle: WorldHandle,
}

async fn kept(refresh: &str) -> Kept {
    let database = Database::new().await;
    let client = database.superuser().await;
    client
        .batch_execute(
            "CREATE TABLE public.t (id int PRIMARY KEY, who int, phone text);
             CREATE TABLE public.people (login text, user_id int, role text, active bool);
             INSERT INTO public.people VALUES ('ann', 1, 'r', true)",
        )
        .await
        .unwrap();
    let people = format!(
        "[directory]\nusers = \"SELECT login, user_id, role, active FROM public.people\"\nrefresh = \"{refresh}\"\n"
    );
    let policies = directory(&[
        ("directory.toml", &people),
        ("tables.toml", TABLES),
        ("roles/r.toml", "[t]\nview = [\"own\"]\n"),
    ]);
    let keeper = Keeper::begin(source(&database, policies.path()))
        .await
        .unwrap_or_else(|e| panic!("{e}"));
    let kept = Kept {
        database,
        client,
        policies,
        handle: keeper.handle(),
    };
    // the listener has them read when it begins
    kept.reads_people(async || drop(tokio::spawn(keeper.run()))).await;
    kept
}

impl Kept {
    async fn within(&self, limit: Duration, what: &str, holds: impl Fn(&World) -> bool) -> Arc<World> {
        let begun = Instant::now();
        loop {
            let world = self.handle.current();
            if holds(&world) {
                return world;
            }
            assert!(begun.elapsed() < limit, "not within {limit:?}: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Does something that has people read, and waits until they have been. What was asked for with them, or before,
    /// has been read by then, and a world that is made of it comes before any other.
    async fn reads_people(&self, cause: impl AsyncFnOnce()) {
        let people = self.database.lock("public.people").await;
        cause().await;
        people.until_wanted().await;
        people.let_go().await;
    }

    /// Has everything read again, whether or not it has changed.
    async fn reads_all(&self) {
        self.reads_people(async || self.handle.request_refresh()).await;
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.policies.path().join(Path::new(name)), text).unwrap();
    }
}

const SOON: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_was_too_early_is_taken_when_its_column_is_there() {
    let kept = kept("1min").await;
    let columns = "[t]\nview = [\"own\"]\n[t.columns]\nbonus = \"hidden\"\n";
    // the set is tried before the column is there
    kept.reads_people(async || kept.write("roles/r.toml", columns)).await;
    kept.client
        .batch_execute("ALTER TABLE public.t ADD COLUMN bonus int DEFAULT 77777")
        .await
        .unwrap();
    kept.within(SOON, "the column is hidden", |world| {
        let (relation, shown) = view(world, "ann", "public", "t");
        let bonus = relation.columns.iter().position(|c| c.name == "bonus");
        bonus.is_some_and(|at| matches!(shown.columns[at], ColumnView::Hidden))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_takes_effect_and_a_broken_one_does_not() {
    let kept = kept("1min").await;
    let rows = |world: &World| view(world, "ann", "public", "t").1.rows;
    assert!(matches!(rows(&kept.handle.current()), Rows::Where(_)));
    kept.write("roles/r.toml", "[t]\nview = [\"all\"]\n");
    let world = kept.within(SOON, "the new scope", |w| rows(w) == Rows::All).await;
    kept.write("roles/r.toml", "[t]\nview = [\"al\"]\n");
    kept.reads_all().await;
    // what else changes goes on beside the broken file
    kept.client
        .batch_execute("ALTER TABLE public.t ADD more int")
        .await
        .unwrap();
    let next = kept
        .within(SOON, "the new column", |w| {
            view(w, "ann", "public", "t").1.columns.len() == 4
        })
        .await;
    assert_eq!(next.generation, world.generation + 1, "the broken file is not taken");
    assert_eq!(rows(&next), Rows::All);
    kept.write("roles/r.toml", "[t]\nview = []\n");
    kept.within(SOON, "nothing", |w| access(w, "ann", "public", "t").1 == Access::Denied)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_and_go_at_once_on_notify() {
    let kept = kept("1min").await;
    kept.client
        .batch_execute("INSERT INTO public.people VALUES ('bea', 2, 'r', true); NOTIFY rowgate_directory")
        .await
        .unwrap();
    kept.within(SOON, "bea", |w| w.directory.principal("bea").is_some())
        .await;
    kept.client
        .batch_execute("UPDATE public.people SET active = false WHERE login = 'ann'; NOTIFY rowgate_directory")
        .await
        .unwrap();
    let world = kept
        .within(SOON, "ann is gone", |w| w.directory.principal("ann").is_none())
        .await;
    let notify = async || kept.client.batch_execute("NOTIFY rowgate_directory").await.unwrap();
    kept.reads_people(notify).await;
    kept.client
        .batch_execute("INSERT INTO public.people VALUES ('cid', 3, 'r', true); NOTIFY rowgate_directory")
        .await
        .unwrap();
    let next = kept
        .within(SOON, "cid", |w| w.directory.principal("cid").is_some())
        .await;
    assert_eq!(next.generation, world.generation + 1, "nothing had changed before");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_read_again_in_their_own_rhythm() {
    let kept = kept("200ms").await;
    kept.client
        .batch_execute("UPDATE public.people SET role = 'nobody'")
        .await
        .unwrap();
    kept.within(SOON, "no role", |w| access(w, "ann", "public", "t").1 == Access::Denied)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_rhythm_is_taken_up() {
    let kept = kept("1min").await;
    kept.write(
        "directory.toml",
        "[directory]\nusers = \"SELECT login, user_id, role, active FROM public.people\"\nrefresh = \"200ms\"\n",
    );
    kept.within(SOON, "the new file", |w| w.generation > 1).await;
    kept.client
        .batch_execute("UPDATE public.people SET role = 'nobody'")
        .await
        .unwrap();
    kept.within(SOON, "no role", |w| access(w, "ann", "public", "t").1 == Access::Denied)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_changes_under_the_policy_closes_what_it_no_longer_fits() {
    let kept = kept("1min").await;
    // a renamed column that decides the scope: nobody gets the table
    kept.client
        .batch_execute("ALTER TABLE public.t RENAME who TO whom")
        .await
        .unwrap();
    kept.within(SOON, "closed", |w| access(w, "ann", "public", "t").1 == Access::Denied)
        .await;
    kept.client
        .batch_execute("ALTER TABLE public.t RENAME whom TO who")
        .await
        .unwrap();
    kept.within(SOON, "open again", |w| {
        matches!(access(w, "ann", "public", "t").1, Access::Guarded(_))
    })
    .await;
    // a renamed table does not become an unprotected, open one
    kept.client
        .batch_execute("ALTER TABLE public.t RENAME TO t_old")
        .await
        .unwrap();
    let renamed = |w: &World| w.catalog.relations.values().any(|r| r.name.name == "t_old");
    let world = kept.within(SOON, "renamed", renamed).await;
    assert_eq!(access(&world, "ann", "public", "t_old").1, Access::Denied);
    kept.client
        .batch_execute("CREATE TABLE public.other (x int)")
        .await
        .unwrap();
    let world = kept
        .within(SOON, "another table", |w| {
            w.catalog.relations.values().any(|r| r.name.name == "other")
        })
        .await;
    assert_eq!(
        access(&world, "ann", "public", "t_old").1,
        Access::Denied,
        "and stays closed"
    );
    assert_eq!(access(&world, "ann", "public", "other").1, Access::Open);
    kept.client
        .batch_execute("ALTER TABLE public.t_old RENAME TO t")
        .await
        .unwrap();
    kept.within(SOON, "back", |w| {
        w.catalog.relations.values().any(|r| r.name.name == "t")
            && matches!(access(w, "ann", "public", "t").1, Access::Guarded(_))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_change_is_noticed_and_temp_tables_are_not() {
    let kept = kept("1min").await;
    let changes = [
        "CREATE VIEW public.v AS SELECT id FROM public.t",
        "CREATE OR REPLACE VIEW public.v AS SELECT id, phone FROM public.t",
        "CREATE FUNCTION public.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER FUNCTION public.f(int) STABLE",
        "DROP FUNCTION public.f(int)",
        "CREATE TYPE public.colour AS ENUM ('red')",
        "CREATE DOMAIN public.d AS int",
        "ALTER DOMAIN public.d ADD CHECK (VALUE > 0)",
        "CREATE TABLE public.child () INHERITS (public.t)",
        "ALTER TABLE public.child NO INHERIT public.t",
        "CREATE SCHEMA another",
        "DROP VIEW public.v",
        "CREATE TABLE public.calm (id int PRIMARY KEY)",
        "ALTER TABLE public.t ALTER phone TYPE varchar(20)",
        "ALTER TABLE public.t ADD FOREIGN KEY (who) REFERENCES public.t",
    ];
    for change in changes {
        let before = kept.handle.current().generation;
        kept.client.batch_execute(change).await.unwrap();
        kept.within(SOON, change, |w| w.generation > before).await;
    }
    let world = kept.handle.current();
    let (relation, shown) = view(&world, "ann", "public", "t");
    assert_eq!(
        relation.column("phone").unwrap().type_sql,
        "\"pg_catalog\".\"varchar\"(20)"
    );
    assert!(shown.columns.iter().all(|c| *c == ColumnView::Clear));
    for quiet in [
        "CREATE TEMP TABLE mine AS SELECT * FROM public.t",
        "INSERT INTO public.calm VALUES (1)",
        "ANALYZE public.calm",
        "VACUUM public.calm",
    ] {
        kept.client.batch_execute(quiet).await.unwrap();
    }
    kept.reads_all().await;
    kept.client
        .batch_execute("CREATE TABLE public.last (id int)")
        .await
        .unwrap();
    let last = |w: &World| w.catalog.relations.values().any(|r| r.name.name == "last");
    let next = kept.within(SOON, "the last table", last).await;
    assert_eq!(next.generation, world.generation + 1, "nothing had changed before");
}
