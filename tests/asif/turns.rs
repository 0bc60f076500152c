//! Ways to turn the planner: what a database answers under one of them, it may answer.

use crate::tape::Tape;

/// What turns the planner, one at a time and together.
const TURNS: [&str; 20] = [
    "enable_hashjoin = off",
    "enable_mergejoin = off",
    "enable_nestloop = off",
    "enable_seqscan = off",
    "enable_indexscan = off",
    "enable_indexonlyscan = off",
    "enable_bitmapscan = off",
    "enable_hashagg = off",
    "enable_sort = off",
    "enable_incremental_sort = off",
    "enable_material = off",
    "enable_memoize = off",
    "join_collapse_limit = 1",
    "from_collapse_limit = 1",
    "geqo_threshold = 2",
    "cursor_tuple_fraction = 1",
    "random_page_cost = 0.01",
    "cpu_tuple_cost = 10",
    "cpu_operator_cost = 10",
    "work_mem = '64kB'",
];

/// How many combinations are tried after each turn by itself.
const COMBINED: usize = 60;

/// Every way to plan that is tried, as settings.
pub fn ways() -> Vec<Vec<String>> {
    let mut ways: Vec<Vec<String>> = TURNS.iter().map(|t| vec![(*t).to_owned()]).collect();
    let mut tape = Tape::seeded(0x91a5);
    for n in 0..COMBINED {
        let mut way: Vec<String> = TURNS
            .iter()
            .filter(|_| tape.chance(30))
            .map(|t| (*t).to_owned())
            .collect();
        // the genetic planner draws join orders from its seed
        way.push(format!("geqo_seed = {}", n as f64 / COMBINED as f64));
        ways.push(way);
    }
    ways
}
