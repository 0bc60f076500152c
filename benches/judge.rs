//! How long a judgement takes: sqlparser's parse alone, PostgreSQL's grammar alone, the whole gate, and its stages,
//! side by side in one run, for a point query, a 2 kB and a 10 kB query of the kind that BI tools write.
//!
//! `cargo bench --bench judge -- HOST PORT USER PASSWORD DATABASE` against a database with the demonstration's data.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use rowgate::gate::{SessionView, judge};
use rowgate::identity::Principal;
use rowgate::keeper::{Keeper, Source};
use rowgate::sql::resolve::Analysis;
use rowgate::sql::rewrite::print_unit;
use rowgate::sql::{agree, parse, statement, verify};
use rowgate::world::World;
use rowgate::world::standing::Asker;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const POINT: &str = "SELECT c.id, c.name, c.phone, c.email, c.level, c.city, c.created_at, o.stage, o.amount FROM customers c \
     JOIN opportunities o ON o.customer_id = c.id WHERE c.id = 1042 AND o.stage IN ('won', 'lost') ORDER BY o.amount DESC LIMIT 10";

fn report(arms: usize) -> String {
    let arm = "SELECT date_trunc('month', o.created_at) AS month, c.country, c.level, count(*) AS deals, \
        sum(o.amount) AS amount, avg(o.amount) AS average, count(DISTINCT c.id) AS customers, \
        sum(CASE WHEN o.stage = 'won' THEN o.amount ELSE 0 END) AS won, max(c.created_at) AS newest \
        FROM customers c JOIN opportunities o ON o.customer_id = c.id LEFT JOIN contracts t ON t.customer_id = c.id \
        WHERE c.country IN ('CN', 'DE', 'US', 'FR') AND o.created_at >= '2023-01-01' AND c.name LIKE 'A%' \
        AND (t.id IS NULL OR t.customer_id = c.id) GROUP BY 1, 2, 3 HAVING count(*) > 1";
    vec![arm; arms].join(" UNION ALL ")
}

fn time(times: u32, mut work: impl FnMut()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        for _ in 0..times {
            work();
        }
        best = best.min(start.elapsed() / times);
    }
    best
}

fn main() {
    // as much stack as a thread of the server has
    let thread = std::thread::Builder::new().stack_size(32 << 20).spawn(measure);
    thread.unwrap().join().unwrap();
}

fn measure() {
    let given: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let [host, port, user, password, database] = given.as_slice() else {
        println!("usage: cargo bench --bench judge -- HOST PORT USER PASSWORD DATABASE");
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(async {
        let mut upstream = tokio_postgres::Config::new();
        upstream
            .host(host)
            .port(port.parse().unwrap())
            .user(user)
            .password(password)
            .dbname(database);
        upstream.ssl_mode(tokio_postgres::config::SslMode::Disable);
        let policies = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/policies"));
        Keeper::begin(Source {
            upstream,
            tls: None,
            policies,
            rights: None,
        })
        .await
        .unwrap()
        .handle()
        .current()
    });
    let session = SessionView {
        search_path: vec!["public".to_owned()],
        temp_relations: Vec::new(),
        stored: None,
    };
    let dialect = sqlparser::dialect::PostgreSqlDialect {};
    let who = world.directory.principal("alice").unwrap();
    println!(
        "{:>6} {:>6} {:>10} {:>10} {:>10} {:>6}   {:>10} {:>10} {:>10} {:>10}",
        "bytes", "sent", "sqlparser", "pg parse", "judge", "ratio", "parse", "rewrite", "agree", "verify"
    );
    for text in [POINT.to_owned(), report(3), report(14)] {
        let judged = judge(&text, who, &session, &[], &world).unwrap_or_else(|e| panic!("{e}: {:?}", e.detail));
        let sent = judged.text.text().len();
        let times = if text.len() < 1_000 { 1_000 } else { 100 };
        let first = time(times, || {
            black_box(sqlparser::parser::Parser::parse_sql(&dialect, &text).unwrap());
        });
        let grammar = time(times, || {
            black_box(pg_query::parse(&text, 0).unwrap());
        });
        let whole = time(times, || {
            black_box(judge(&text, who, &session, &[], &world).unwrap());
        });
        let stages = stages(&text, who, &session, &world, times);
        let ratio = whole.as_secs_f64() / first.as_secs_f64();
        print!(
            "{:>6} {sent:>6} {first:>10.1?} {grammar:>10.1?} {whole:>10.1?} {ratio:>6.1}  ",
            text.len()
        );
        for stage in stages {
            print!(" {stage:>10.1?}");
        }
        println!();
    }
}

/// The stages one by one: parse, analysis with rewriting, agreement, verification.
fn stages(text: &str, who: &Principal, session: &SessionView, world: &World, times: u32) -> [Duration; 4] {
    let who = &Asker::new(world, who);
    let mut spent = [Duration::MAX; 4];
    for _ in 0..5 {
        let mut sums = [Duration::ZERO; 4];
        for _ in 0..times {
            let start = Instant::now();
            let parsed = parse::parse(text).unwrap();
            let at_parsed = Instant::now();
            let (sent, placed) = {
                let mut analysis = Analysis::new(world, who, session, &[], Arc::clone(&parsed.text), parsed.tokens);
                black_box(statement::judge_all(&mut analysis, &parsed.tree).unwrap());
                print_unit(&mut analysis, 0).unwrap()
            };
            let rewritten = Instant::now();
            agree::agree(&parsed.text, &parsed.tree, parsed.scanned.tokens()).unwrap();
            let agreed = Instant::now();
            black_box(verify::verify(&parsed.scanned, sent, placed, who, session, world).unwrap());
            let verified = Instant::now();
            for (sum, stage) in sums.iter_mut().zip([
                at_parsed - start,
                rewritten - at_parsed,
                agreed - rewritten,
                verified - agreed,
            ]) {
                *sum += stage;
            }
        }
        for (least, sum) in spent.iter_mut().zip(sums) {
            *least = (*least).min(sum / times);
        }
    }
    spent
}
