//! Texts that differ in literals alone: what is filled in from another one's judgement is always what the text itself
//! would be judged to be, whatever the literals hold and wherever they stand.

use crate::support::gate::{Gate, OPEN_POLICY};
use crate::support::{Database, connect, login_at, rows, shipped, stages};
use rowgate::audit::Common;
use rowgate::gate::cache::{Ask, Bounds, Cache, Found};
use rowgate::gate::{self, Judgement};
use rowgate::identity::Principal;
use rowgate::sql::shape::{Shape, free, probe::Probe};
use rowgate::world::World;
use rowgate::world::standing::{Asker, Fact, Question};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Statements; a literal is put for each ¤.
const FORMS: &[&str] = &[
    "SELECT ¤",
    "SELECT id, name, phone FROM customers WHERE id = ¤",
    "SELECT id, name FROM customers c WHERE c.name = ¤ AND level <> ¤ OR NOT city > ¤",
    "SELECT * FROM customers WHERE id IN (¤, ¤, ¤) AND level BETWEEN ¤ AND ¤",
    "SELECT count(*) FROM contacts WHERE email = ¤",
    "SELECT * FROM customers WHERE email IN (¤, ¤) AND id < ¤",
    "SELECT c.name, o.amount FROM customers c JOIN opportunities o ON o.customer_id = c.id AND o.stage = ¤ WHERE o.amount >= ¤",
    "SELECT * FROM customers WHERE name LIKE ¤ AND id = ¤",
    "SELECT * FROM customers WHERE phone LIKE ¤",
    "SELECT * FROM customers WHERE name ~ ¤",
    "SELECT name FROM customers WHERE city = ¤ ORDER BY ¤ LIMIT ¤ OFFSET ¤",
    "SELECT level, count(*) FROM customers WHERE city = ¤ GROUP BY ¤ HAVING count(*) > ¤",
    "SELECT date_trunc(¤, created_at) FROM customers WHERE id = ¤",
    "SELECT * FROM customers WHERE date_trunc(¤, created_at) = ¤",
    "SELECT * FROM customers WHERE created_at > now() - ¤::interval AND id = ¤",
    "SELECT * FROM customers WHERE created_at > date ¤ AND id > ¤::int",
    "SELECT * FROM customers WHERE name || ¤ = ¤ AND substr(name, ¤, ¤) = ¤",
    "SELECT * FROM customers WHERE id + ¤ = ¤ AND 10 / id > ¤ AND repeat(name, ¤) <> ¤",
    "SELECT * FROM customers WHERE (SELECT amount FROM opportunities o WHERE o.customer_id = customers.id AND o.id = ¤ LIMIT ¤) > ¤",
    "SELECT * FROM customers WHERE EXISTS (SELECT FROM contracts t WHERE t.customer_id = customers.id AND t.signed_on > ¤)",
    "SELECT * FROM (SELECT id, name FROM customers WHERE id = ¤) x, (VALUES (¤, ¤)) y (a, b) WHERE x.id = y.a",
    "WITH w AS (SELECT id FROM customers WHERE level = ¤) SELECT * FROM w WHERE id = ¤ UNION SELECT ¤ FROM products WHERE id = ¤",
    "SELECT * FROM open_opportunities WHERE stage = ¤ AND id = ¤",
    "SELECT * FROM key_customers WHERE name = ¤",
    "SELECT coalesce(phone, ¤), CASE WHEN id = ¤ THEN ¤ ELSE ¤ END FROM customers WHERE ¤ = name",
    "SELECT * FROM customers WHERE tags[¤] = ¤ AND id = ANY (ARRAY[¤, ¤])",
    "SELECT * FROM customers WHERE (id, name) = (¤, ¤)",
    "SELECT 1 FROM customers WHERE id = ¤ FOR UPDATE",
    "SELECT * FROM customers TABLESAMPLE system (¤) REPEATABLE (¤) WHERE id = ¤",
    "SELECT * FROM generate_series(¤, ¤) g WHERE g = ¤",
    "SELECT \"c\".\"id\" FROM \"public\".\"customers\" AS \"c\" WHERE \"c\".\"name\"=¤ AND \"c\".\"id\">=¤;",
    "INSERT INTO activities (customer_id, summary, happened_at) VALUES (¤, ¤, ¤)",
    "INSERT INTO customers (id, name, owner_id) VALUES (¤, ¤, ¤) ON CONFLICT (id) DO UPDATE SET name = ¤ WHERE customers.id = ¤",
    "INSERT INTO contacts (customer_id, name, phone) SELECT id, ¤, ¤ FROM customers WHERE id = ¤ RETURNING id",
    "UPDATE customers SET name = ¤, phone = ¤ WHERE id = ¤",
    "UPDATE customers SET city = ¤, level = level || ¤ WHERE id IN (¤, ¤) RETURNING id, phone",
    "UPDATE opportunities o SET stage = ¤ FROM customers c WHERE c.id = o.customer_id AND c.id = ¤",
    "UPDATE customers SET owner_id = ¤ WHERE id = ¤",
    "UPDATE opportunities SET amount = amount + ¤ WHERE id = ¤",
    "UPDATE opportunities SET amount = amount -¤ WHERE id > -¤ AND amount <> - ¤",
    "UPDATE customers SET (name, city) = (¤, ¤) WHERE id = ¤",
    "DELETE FROM activities WHERE id = ¤ AND summary = ¤",
    "MERGE INTO customers c USING (VALUES (¤, ¤)) v (id, name) ON c.id = v.id AND c.level = ¤ WHEN MATCHED THEN UPDATE SET name = ¤",
    "EXPLAIN SELECT * FROM customers WHERE id = ¤",
    "PREPARE p AS SELECT * FROM customers WHERE id = ¤",
    "EXECUTE p (¤)",
    "DECLARE d CURSOR FOR SELECT * FROM customers WHERE id = ¤",
    "COPY (SELECT * FROM customers WHERE id = ¤) TO STDOUT",
    "CREATE TEMP TABLE t AS SELECT * FROM customers WHERE id = ¤",
    "SET work_mem = ¤",
    "SELECT set_config(¤, ¤, false)",
    "SELECT * FROM customers WHERE id = ¤ AND id = $1 AND name = $2",
    "SELECT id FROM customers WHERE id =¤ or city<¤and level>¤",
    "SELECT * FROM nowhere WHERE id = ¤",
];

/// What is put there.
const LITERALS: &[&str] = &[
    "1",
    "0",
    "7",
    "42",
    "36",
    "2147483647",
    "2147483648",
    "9223372036854775807",
    "9223372036854775808",
    "123456789012345678901234567890",
    "1.5",
    "0.0",
    "100000.25",
    "1e400",
    "1e5",
    ".5",
    "5.",
    "-5",
    "- 5",
    "+5",
    "007",
    "1_000",
    "0x1F",
    "604130000",
    "1704130000",
    "1704130001",
    "94061.123400000",
    "''",
    "''''",
    "'x'",
    "'it''s'",
    "'%'",
    "'A%'",
    "'a\\'",
    "'%\\'",
    "'ü – 漢字 🦀'",
    "'1e400'",
    "'-1'",
    "'42'",
    "'2024-02-30'",
    "'2024-01-01'",
    "'month'",
    "'nonsense'",
    "'1 day'",
    "'1000000 years'",
    "'work_mem'",
    "'$1'",
    "'$$'",
    "'--'",
    "'/*'",
    "'\"'",
    "'rowgate:body:0'",
    "'rowgate:row'",
    "'row''gate%17000000_'",
    "'row''gate%17000001_'",
    "'); DROP TABLE customers; --'",
    "' OR TRUE OR name = '",
    "'' OR TRUE",
    "'a' 'b'",
    "'a'\n'b'",
    "'a\nb'",
    "E'a\\'b'",
    "U&'\\0041'",
    "B'1'",
    "X'1F'",
    "N'a'",
    "$$a$$",
    "NULL",
    "TRUE",
    "DEFAULT",
    "id",
    "1 /* x */",
    "1 -- x\n",
    "date '2024-01-01'",
    "'x'::text",
    "(1)",
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'",
];

struct Random(u64);

impl Random {
    fn below(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % below
    }
}

fn text(form: &str, random: &mut Random) -> String {
    // mostly from a few of one kind, so that shapes come again
    let kind = random.below(4);
    let mut parts = form.split('¤');
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let literal = match (kind, random.below(8)) {
            (_, 0) => LITERALS[random.below(LITERALS.len())],
            (0, _) => LITERALS[random.below(6)],
            (1, _) => LITERALS[27 + random.below(8)],
            (2, _) => LITERALS[35 + random.below(20)],
            _ => LITERALS[10 + random.below(3)],
        };
        text.push_str(literal);
        text.push_str(part);
    }
    text
}

fn judge(text: &str, ask: &Ask<'_>, who: &Arc<Principal>) -> Option<(Judgement, Vec<(Question, Fact)>)> {
    let asker = Asker::about(ask.world, &ask.world.standing(who));
    let judged = gate::judge_as(text, &asker, ask.view, ask.types, ask.world).ok()?;
    Some((judged, asker.asked()))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_filled_in_is_what_would_be_judged() {
    const ROUNDS: usize = 45;
    let database = Database::new().await;
    let world = database.world_with(&shipped("policies")).await;
    let view = Arc::new(stages::fresh());
    let mut people: BTreeMap<&[String], &Arc<Principal>> = BTreeMap::new();
    for who in world.directory.people() {
        people.entry(&who.roles).or_insert(who);
    }
    let people: Vec<_> = people.into_values().collect();
    let cache = Cache::<Judgement, Common>::new(Bounds {
        bytes: 256 << 20,
        entries: 1 << 20,
    });
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let mut filled: BTreeMap<&str, usize> = BTreeMap::new();
    // one for all, as no session would have it
    let mut last = None;
    for form in FORMS {
        for _ in 0..ROUNDS {
            let text = text(form, &mut random);
            let who = people[random.below(people.len())];
            let standing = world.standing(who);
            let ask = Ask {
                text: &text,
                types: &[],
                view: &view,
                world: &world,
                standing: &standing,
            };
            match cache.find(&ask, &mut last) {
                Found::Judged(found) => assert_eq!(judge(&text, &ask, who).unwrap().0, *found, "{text}"),
                Found::Filled(found, common) => {
                    let fresh = judge(&text, &ask, who).unwrap_or_else(|| panic!("refused: {text}"));
                    assert_eq!(fresh.0, found, "{text}");
                    *filled.entry(form).or_default() += 1;
                    let own = Common::default();
                    let (own, shared) = (own.show(&text, false), common.show(&text, false));
                    assert_eq!((own.statement, own.fingerprint), (shared.statement, shared.fingerprint));
                }
                Found::Nothing(shape) => {
                    let Some((judged, asked)) = judge(&text, &ask, who) else {
                        continue;
                    };
                    let judged = Arc::new(judged);
                    cache.keep(&ask, &asked, &judged);
                    if let Some(shape) = shape {
                        cache.learn(&ask, &shape, &judged, &asked, &|text| judge(text, &ask, who));
                    }
                }
            }
        }
    }
    assert!(filled.values().sum::<usize>() > 150 && filled.len() > 12, "{filled:#?}");
    let never = |form: &str| !filled.contains_key(form);
    for form in FORMS
        .iter()
        .filter(|f| f.starts_with("EXPLAIN") || f.starts_with("PREPARE") || f.starts_with("SET"))
    {
        assert!(never(form), "{form}");
    }
}

/// What a text comes to when it is the third of its shape, behind two harmless ones.
fn third(world: &World, login: &str, form: &str, literals: [&str; 3]) -> Option<Judgement> {
    let who = world.directory.principal(login).unwrap();
    let view = Arc::new(stages::fresh());
    let cache = Cache::<Judgement, ()>::new(Bounds {
        bytes: 1 << 20,
        entries: 100,
    });
    let standing = world.standing(who);
    for literal in literals {
        let text = form.replace('¤', literal);
        let ask = Ask {
            text: &text,
            types: &[],
            view: &view,
            world,
            standing: &standing,
        };
        match cache.find(&ask, &mut None) {
            Found::Filled(judgement, _) => return Some(judgement),
            Found::Judged(_) => panic!("the texts differ"),
            Found::Nothing(shape) => {
                let (judged, asked) = judge(&text, &ask, who)?;
                let judged = Arc::new(judged);
                cache.keep(&ask, &asked, &judged);
                if let Some(shape) = shape {
                    cache.learn(&ask, &shape, &judged, &asked, &|text| judge(text, &ask, who));
                }
            }
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_a_judgement_looks_at_are_never_left_out() {
    let database = Database::new().await;
    let world = database.world_with(&shipped("policies")).await;
    let shared = |form, literals| third(&world, "alice", form, literals).is_some();
    assert!(shared("SELECT * FROM customers WHERE id = ¤", ["1", "2", "3"]));
    assert!(shared(
        "SELECT * FROM customers WHERE name = ¤",
        ["'a'", "'b'", "'c'''"]
    ));
    assert!(shared(
        "UPDATE customers SET city = ¤ WHERE id = 7",
        ["'a'", "'b'", "'c'"]
    ));
    let form = "INSERT INTO activities (customer_id, summary, happened_at) VALUES (7, ¤, '2024-01-01')";
    assert!(shared(form, ["'a'", "'b'", "'c'"]));
    for (form, literals) in [
        // a pattern that ends in an escape raises, on hidden rows too
        ("SELECT * FROM customers WHERE name LIKE ¤", ["'a'", "'b'", "'a%'"]),
        ("SELECT * FROM customers WHERE name ~ ¤", ["'a'", "'b'", "'('"]),
        (
            "SELECT * FROM customers WHERE date_trunc(¤, created_at) > '2020-01-01'",
            ["'day'", "'month'", "'nonsense'"],
        ),
        (
            "SELECT * FROM customers WHERE created_at > now() - ¤::interval",
            ["'1 day'", "'2 days'", "'9 centuries'"],
        ),
        (
            "SELECT * FROM customers WHERE created_at > now() - interval ¤",
            ["'1 day'", "'2 days'", "'9 centuries'"],
        ),
        ("SELECT * FROM customers WHERE 100 / ¤ = id", ["1", "2", "0"]),
        (
            "SELECT * FROM customers WHERE lpad(name, ¤) = 'x'",
            ["1", "2", "1000000000"],
        ),
        ("SELECT * FROM customers WHERE name || ¤ = 'x'", ["'a'", "'b'", "'c'"]),
        ("SELECT name FROM customers ORDER BY ¤", ["1", "2", "3"]),
        ("SELECT city FROM customers GROUP BY ¤", ["1", "2", "3"]),
        (
            "SELECT (SELECT phone FROM contacts LIMIT ¤) FROM customers",
            ["0", "1", "2"],
        ),
        ("SELECT ¤::int FROM customers", ["'1'", "'2'", "'x'"]),
        ("SELECT * FROM customers WHERE id = ¤::int", ["'1'", "'2'", "'x'"]),
        ("SET statement_timeout = ¤", ["1", "2", "3"]),
        ("SET work_mem = ¤", ["'1MB'", "'2MB'", "'900GB'"]),
        ("SELECT set_config('work_mem', ¤, false)", ["'1MB'", "'2MB'", "'900GB'"]),
        (
            "SELECT current_setting(¤)",
            ["'work_mem'", "'datestyle'", "'config_file'"],
        ),
        ("SELECT nextval(¤)", ["'a'", "'b'", "'c'"]),
        ("PREPARE p AS SELECT * FROM customers WHERE id = ¤", ["1", "2", "3"]),
        ("EXPLAIN SELECT * FROM customers WHERE id = ¤", ["1", "2", "3"]),
    ] {
        assert!(!shared(form, literals), "{form}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_reads_the_same_tokens_in_every_text_of_a_shape() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut probed = 0;
    for form in FORMS.iter().cycle().take(40 * FORMS.len()) {
        let text = text(form, &mut random);
        let Some(shape) = Shape::of(&text) else { continue };
        let Some(free) = free::literals(&text, &shape) else {
            continue;
        };
        let probe = Probe::of(&text, &shape, &free).unwrap();
        assert_eq!(Shape::of(&probe.text).unwrap().blank, shape.blank, "{text}");
        let tokens = |text: &str| {
            let scanned = pg_query::scan(text).unwrap().tokens;
            scanned
                .into_iter()
                .map(|t| (t.token, t.keyword_kind))
                .collect::<Vec<_>>()
        };
        assert_eq!(tokens(&text), tokens(&probe.text), "{text}");
        // each literal is a token of its own
        let starts: Vec<(i32, i32)> = pg_query::scan(&text)
            .unwrap()
            .tokens
            .iter()
            .map(|t| (t.start, t.end))
            .collect();
        for literal in &shape.literals {
            let at = (
                i32::try_from(literal.at.start).unwrap(),
                i32::try_from(literal.at.end).unwrap(),
            );
            assert!(starts.contains(&at), "{text}");
        }
        probed += 1;
    }
    assert!(probed > 500, "{probed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_errors_and_their_places_are_those_of_the_literals() {
    let database = Database::new().await;
    for entries in [2, 100_000] {
        let config = format!("[cache]\nentries = {entries}\n");
        let gate = Gate::with(&database, OPEN_POLICY, &config).await;
        let client = connect(&login_at(gate.port(), "alice", &database.name)).await;
        let straight = database.superuser().await;
        for id in 1..40 {
            let name = ["o''Neil", "", "漢字", "a%"][id % 4];
            let sql = format!("SELECT id, name, '{name}' FROM customers WHERE id = {id} OR name = '{name}'");
            assert_eq!(rows(&client, &sql).await, rows(&straight, &sql).await, "{sql}");
            let sql = format!("SELECT id FROM customers WHERE id = {id} AND city = '{name}' AND nothing = 1");
            let place = |e: tokio_postgres::Error| e.as_db_error().unwrap().position().cloned();
            let ours = client.simple_query(&sql).await.map_err(place).unwrap_err();
            let theirs = straight.simple_query(&sql).await.map_err(place).unwrap_err();
            assert_eq!(ours, theirs, "{sql}");
            let sql = format!("SELECT name FROM customers WHERE id <> {id} AND created_at = '{name}x'");
            let ours = client.simple_query(&sql).await.map_err(place).unwrap_err();
            let theirs = straight.simple_query(&sql).await.map_err(place).unwrap_err();
            assert_eq!(ours, theirs, "{sql}");
        }
        gate.stop().await;
    }
}
