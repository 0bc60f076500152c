//! What one person's text was judged to be is given to another only where it would be judged the same for them: tried
//! with people who differ in one thing each, and with many threads, few places and worlds that change meanwhile.

use crate::support::{Database, shipped, stages};
use rowgate::gate::cache::{Ask, Bounds, Cache, Found, Last};
use rowgate::gate::{self, Judgement, SessionView};
use rowgate::identity::{Attribute, Principal};
use rowgate::refusal::Refusal;
use rowgate::world::standing::Asker;
use rowgate::world::{World, WorldHandle};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const TEXTS: &[&str] = &[
    "SELECT 1",
    "SELECT count(*) FROM products",
    "SELECT id, name, phone FROM customers WHERE id = 7",
    "SELECT * FROM customers ORDER BY id LIMIT 3",
    "SELECT c.name, o.amount FROM customers c JOIN opportunities o ON o.customer_id = c.id WHERE c.city LIKE 'B%'",
    "SELECT * FROM contacts WHERE phone = '+49 30 1234'",
    "TABLE key_customers",
    "SELECT * FROM open_opportunities",
    "SELECT * FROM crm.users",
    "WITH c AS (SELECT * FROM customers) SELECT count(*) FROM c, service_records s WHERE s.customer_id = c.id",
    "INSERT INTO activities (customer_id, summary, happened_at) VALUES (1, 'call', now())",
    "UPDATE customers SET city = 'Bonn' WHERE id = 7 RETURNING id, phone",
    "UPDATE opportunities SET stage = 'won' WHERE id = 3",
    "UPDATE customers SET owner_id = 3 WHERE id = 7",
    "DELETE FROM activities WHERE id = 1",
    "TRUNCATE activities",
    "COPY customers TO STDOUT",
    "COPY customers (id, name) FROM STDIN",
    "SET search_path = \"$user\", public",
    "SET work_mem = '64MB'",
    "EXPLAIN SELECT * FROM customers",
    "CREATE TEMP TABLE t AS SELECT id FROM customers",
    "SELECT pg_sleep(0)",
    "LISTEN news",
    "PREPARE p (int) AS SELECT name FROM customers WHERE id = $1",
];

fn attribute(value: &str) -> Option<Attribute> {
    Some(Attribute {
        type_sql: "\"pg_catalog\".\"int4\"".into(),
        values: vec![value.to_owned()],
        is_list: false,
    })
}

/// Some of the directory, everybody of whom is there with one thing changed: a field that is added later breaks this.
fn people(world: &World) -> Vec<Arc<Principal>> {
    let mut known: Vec<Arc<Principal>> = Vec::new();
    for who in world.directory.people() {
        let alike = known.iter().filter(|k| k.roles == who.roles).count();
        if alike < 1 + usize::from(who.roles == ["sales_rep"]) {
            known.push(Arc::clone(who));
        }
    }
    let mut people = known.clone();
    for who in &known {
        let Principal {
            login: _,
            user_id: _,
            roles: _,
            team_id: _,
            team_tree: _,
            reports: _,
            attributes: _,
            bypass: _,
            held: _,
        } = who.as_ref();
        let mut add = |change: &dyn Fn(&mut Principal)| {
            let mut other = who.as_ref().clone();
            change(&mut other);
            people.push(Arc::new(other));
        };
        add(&|p| p.login = "somebody".to_owned());
        add(&|p| p.login = "crm".to_owned());
        add(&|p| p.user_id = None);
        add(&|p| p.user_id = attribute("4711"));
        add(&|p| p.roles.clear());
        add(&|p| p.roles.reverse());
        add(&|p| p.roles.push("executive".to_owned()));
        add(&|p| p.team_id = None);
        add(&|p| p.team_id = attribute("2"));
        add(&|p| p.team_tree = p.team_id.clone());
        add(&|p| p.team_tree = None);
        add(&|p| p.reports = attribute("5"));
        add(&|p| p.reports = None);
        add(&|p| p.attributes = Arc::default());
        add(&|p| {
            Arc::make_mut(&mut p.attributes).insert("region".to_owned(), attribute("1").unwrap());
        });
        add(&|p| p.bypass = !p.bypass);
    }
    people
}

fn judge(ask: &Ask<'_>, who: &Arc<Principal>) -> (Result<Judgement, Refusal>, Asked) {
    let asker = Asker::about(ask.world, &ask.world.standing(who));
    let judged = gate::judge_as(ask.text, &asker, ask.view, ask.types, ask.world);
    (judged, asker.asked())
}

type Asked = Vec<(rowgate::world::standing::Question, rowgate::world::standing::Fact)>;

/// Looks a text up for somebody; what is not found is judged and kept. Was it found?
fn find_or_keep(
    cache: &Cache<Judgement, ()>,
    ask: &Ask<'_>,
    last: &mut Option<Last<()>>,
    who: &Arc<Principal>,
) -> Option<(Arc<Judgement>, bool)> {
    let shape = match cache.find(ask, last) {
        Found::Judged(found) => return Some((found, true)),
        Found::Filled(judgement, _) => return Some((Arc::new(judgement), true)),
        Found::Nothing(shape) => shape,
    };
    let (judged, asked) = judge(ask, who);
    let judged = Arc::new(judged.ok()?);
    cache.keep(ask, &asked, &judged);
    if let Some(shape) = shape {
        let judge = |text: &str| {
            let (judged, asked) = judge(&Ask { text, ..*ask }, who);
            Some((judged.ok()?, asked))
        };
        cache.learn(ask, &shape, &judged, &asked, &judge);
    }
    Some((judged, false))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_is_what_would_be_judged() {
    let database = Database::new().await;
    let world = database.world_with(&shipped("policies")).await;
    let cache = Cache::new(Bounds {
        bytes: 64 << 20,
        entries: 1 << 20,
    });
    let people = people(&world);
    let views = [vec!["public"], vec!["crm", "public"]].map(|path| {
        Arc::new(SessionView {
            search_path: path.into_iter().map(str::to_owned).collect(),
            ..stages::fresh()
        })
    });
    let (mut found, mut shared) = (0, 0);
    // one for all, as no session would have it
    let mut last = None;
    for text in TEXTS {
        for view in &views {
            let mut first: HashMap<usize, String> = HashMap::new();
            for who in &people {
                let standing = world.standing(who);
                let ask = Ask {
                    text,
                    types: &[],
                    view,
                    world: &world,
                    standing: &standing,
                };
                let (fresh, _) = judge(&ask, who);
                match find_or_keep(&cache, &ask, &mut last, who) {
                    Some((judged, hit)) => {
                        assert_eq!(*judged, fresh.unwrap(), "{text} for {who:?}");
                        found += usize::from(hit);
                        let owner = first
                            .entry(Arc::as_ptr(&judged) as usize)
                            .or_insert_with(|| who.login.clone());
                        shared += usize::from(*owner != who.login);
                    }
                    None => assert!(fresh.is_err(), "{text} for {who:?}"),
                }
            }
        }
    }
    assert!(
        found > 1000 && shared > 500,
        "{found} found, {shared} for somebody else"
    );
}

/// The shipped policies, with another mask and one scope less.
fn other_policies() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let mut left = vec![shipped("policies")];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let to = place.path().join(path.strip_prefix(shipped("policies")).unwrap());
            if path.is_dir() {
                std::fs::create_dir(&to).unwrap();
                left.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                let changed = text
                    .replace("keep = [3, 4]", "keep = [2, 4]")
                    .replace("\"reports\", ", "");
                std::fs::write(to, changed).unwrap();
            }
        }
    }
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_given_the_text_of_somebody_else() {
    const THREADS: usize = 6;
    const TIMES: usize = 1_200;
    let database = Database::new().await;
    let other = other_policies();
    let worlds = [
        database.world_with(&shipped("policies")).await,
        database.world_with(other.path()).await,
    ];
    let view = Arc::new(stages::fresh());
    // what everybody has to be given under each world, judged anew
    let expected: Vec<HashMap<(String, &str), Option<Judgement>>> = worlds
        .iter()
        .map(|world| {
            let people = world.directory.people();
            let all = people.flat_map(|who| TEXTS.iter().map(move |text| (who, *text)));
            all.map(|(who, text)| {
                (
                    (who.login.clone(), text),
                    gate::judge(text, who, &view, &[], world).ok(),
                )
            })
            .collect()
        })
        .collect();
    let differ = expected[0]
        .iter()
        .filter(|(key, judged)| expected[1][*key] != **judged)
        .count();
    assert!(differ > 20, "the worlds differ in {differ} judgements");
    for (bytes, entries) in [
        (1 << 20, 2),
        (1 << 20, 40),
        (300 << 10, 1 << 20),
        (64 << 20, 1 << 20),
        (0, 1),
    ] {
        let cache = Cache::new(Bounds { bytes, entries });
        let handle = WorldHandle::new(World::clone(&worlds[0]));
        let (done, hits) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            let reloads = scope.spawn(|| {
                for generation in 2.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    let at = usize::try_from(generation - 1).unwrap() % 2;
                    handle.replace(World {
                        generation,
                        ..World::clone(&worlds[at])
                    });
                    std::thread::yield_now();
                }
            });
            let workers: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let (cache, handle, hits) = (&cache, &handle, &hits);
                    let (view, expected) = (&view, &expected);
                    scope.spawn(move || {
                        let mut random = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(thread as u64 + 1);
                        let mut next = |below: usize| {
                            random ^= random << 13;
                            random ^= random >> 7;
                            random ^= random << 17;
                            usize::try_from(random >> 11).unwrap() % below
                        };
                        let mut last = None;
                        for _ in 0..TIMES / THREADS {
                            let world = handle.current();
                            let people: Vec<_> = world.directory.people().collect();
                            let who = people[next(people.len())];
                            let standing = world.standing(who);
                            // the same few texts again and again
                            let text = TEXTS[next(8) * next(4)];
                            let ask = Ask {
                                text,
                                types: &[],
                                view,
                                world: &world,
                                standing: &standing,
                            };
                            let given = find_or_keep(cache, &ask, &mut last, who);
                            let wanted = &expected[(usize::try_from(world.generation).unwrap() - 1) % 2];
                            let wanted = &wanted[&(who.login.clone(), text)];
                            hits.fetch_add(usize::from(given.as_ref().is_some_and(|g| g.1)), Ordering::Relaxed);
                            let same = given.as_ref().map(|(judged, _)| judged.as_ref()) == wanted.as_ref();
                            assert!(same, "{text} for {}: {given:?}", who.login);
                        }
                    })
                })
                .collect();
            let ended: Vec<_> = workers.into_iter().map(|w| w.join()).collect();
            done.store(true, Ordering::Relaxed);
            reloads.join().unwrap();
            assert!(ended.iter().all(Result::is_ok));
        });
        assert!(cache.bytes() <= bytes, "{} of {bytes} bytes", cache.bytes());
        let entries = usize::try_from(entries).unwrap();
        assert!(cache.entries() <= entries, "{} of {entries} entries", cache.entries());
        let counters = cache.counters();
        let counted = counters.hits.load(Ordering::Relaxed) + counters.shape_hits.load(Ordering::Relaxed);
        assert_eq!(usize::try_from(counted).unwrap(), hits.load(Ordering::Relaxed));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standing_of_another_world_is_not_asked() {
    let database = Database::new().await;
    let other = other_policies();
    let (one, two) = (
        database.world_with(&shipped("policies")).await,
        database.world_with(other.path()).await,
    );
    let who = one.directory.principal("alice").unwrap();
    let view = Arc::new(stages::fresh());
    let text = "SELECT * FROM customers";
    let cache = Cache::new(Bounds {
        bytes: 1 << 20,
        entries: 100,
    });
    let old = one.standing(who);
    let mut last = None;
    let ask = |world| Ask {
        text,
        types: &[],
        view: &view,
        world,
        standing: &old,
    };
    assert!(!find_or_keep(&cache, &ask(&one), &mut last, who).unwrap().1);
    assert!(find_or_keep(&cache, &ask(&one), &mut last, who).unwrap().1);
    let found = cache.find(&ask(&two), &mut last);
    assert!(matches!(found, Found::Nothing(_)), "even under the same generation");
    let asker = Asker::about(&two, &old);
    let judged = gate::judge_as(text, &asker, &view, &[], &two).unwrap();
    assert_eq!(judged, gate::judge(text, who, &view, &[], &two).unwrap());
    assert_ne!(judged, gate::judge(text, who, &view, &[], &one).unwrap());
}

/// Rust files below a directory.
fn sources(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|e| e.unwrap().path());
    let of = |path: std::path::PathBuf| {
        if path.is_dir() { sources(&path) } else { vec![path] }
    };
    entries
        .flat_map(of)
        .filter(|p| p.extension().is_some_and(|e| e == "rs"))
        .collect()
}

#[test]
fn judgements_reach_people_through_their_asker_alone() {
    let files = sources(&shipped("src/sql"));
    assert!(files.len() > 50);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for word in ["Principal", "world.directory", "standing("] {
            assert!(!text.contains(word), "{word} in {}", file.display());
        }
    }
}
