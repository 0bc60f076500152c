//! Counts in Prometheus' text format.

use crate::session::Shared;
use std::fmt::Write;
use std::sync::atomic::Ordering;

/// A text of metrics under construction.
#[derive(Default)]
struct Text(String);

impl Text {
    /// One value, or one for each label.
    fn metric(&mut self, kind: &str, name: &str, help: &str, values: impl IntoIterator<Item = (String, f64)>) {
        let _ = writeln!(self.0, "# HELP rowgate_{name} {help}\n# TYPE rowgate_{name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(self.0, "rowgate_{name}{labels} {value}");
        }
    }

    fn counter(&mut self, name: &str, help: &str, value: f64) {
        self.metric("counter", name, help, [(String::new(), value)]);
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.metric("gauge", name, help, [(String::new(), value)]);
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn count(value: u64) -> f64 {
    value as f64
}

/// Everything that is counted.
pub(super) fn text(shared: &Shared) -> String {
    let mut text = Text::default();
    let load = |c: &std::sync::atomic::AtomicU64| count(c.load(Ordering::Relaxed));
    let counters = &shared.counters;
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    let now = |c: i64| c as f64;
    text.gauge(
        "sessions",
        "Clients that are logged in.",
        now(counters.sessions.load(Ordering::Relaxed)),
    );
    let allowed = ("{result=\"allowed\"}".to_owned(), load(&counters.logins));
    let refused = counters
        .refused_logins()
        .map(|(reason, n)| (format!("{{result=\"{reason}\"}}"), count(n)));
    text.metric(
        "counter",
        "logins_total",
        "Logins by what became of them.",
        std::iter::once(allowed).chain(refused),
    );
    text.gauge(
        "login_locks",
        "Logins at an address, and addresses, that are locked now.",
        count(shared.lockout.locked(std::time::Instant::now()) as u64),
    );
    let generation = shared.world.current().generation;
    text.gauge(
        "world_generation",
        "Counts swaps of policies, catalogue and directory.",
        count(generation),
    );
    let pool = shared.pool.status();
    let gauges = [
        (
            "pool_size",
            "Connections to the database that there may be.",
            pool.max_size,
        ),
        ("pool_open", "Connections to the database that are open.", pool.size),
        ("pool_idle", "Open connections that nobody holds.", pool.available),
        ("pool_waiting", "Sessions that wait for a connection.", pool.waiting),
    ];
    for (name, help, value) in gauges {
        text.gauge(name, help, count(value as u64));
    }
    let pinned = counters
        .pinned()
        .map(|(pin, n)| (format!("{{reason=\"{}\"}}", pin.word()), now(n)));
    text.metric(
        "gauge",
        "pool_pinned",
        "Sessions that are kept on their connection between transactions.",
        pinned,
    );
    text.counter(
        "pool_taken_total",
        "How often a session took a shared connection up.",
        load(&counters.taken),
    );
    let waited = load(&counters.waited) / 1e6;
    text.counter(
        "pool_wait_seconds_total",
        "How long sessions waited for a connection.",
        waited,
    );
    text.counter(
        "pool_refused_total",
        "How often none came free in time.",
        load(&counters.refused),
    );
    let put = load(&counters.settings_put);
    text.counter(
        "pool_settings_total",
        "How often a connection was given a session's settings.",
        put,
    );
    let placed = load(&counters.placed);
    text.counter(
        "pool_prepared_total",
        "Statements prepared because they did not stand on the connection.",
        placed,
    );
    cache(&mut text, shared);
    text.0
}

fn cache(text: &mut Text, shared: &Shared) {
    let judgements = &shared.judgements;
    let counters = judgements.counters();
    let load = |c: &std::sync::atomic::AtomicU64| count(c.load(Ordering::Relaxed));
    text.counter("cache_hits_total", "Judgements that were found.", load(&counters.hits));
    text.counter(
        "cache_shape_hits_total",
        "Judgements that were filled in from another text of the shape.",
        load(&counters.shape_hits),
    );
    text.counter(
        "cache_misses_total",
        "Judgements that had to be made.",
        load(&counters.misses),
    );
    text.counter(
        "cache_evictions_total",
        "Judgements that were dropped to make room.",
        load(&counters.evictions),
    );
    text.gauge(
        "cache_bytes",
        "Bytes of judgements that are kept.",
        count(judgements.bytes()),
    );
    text.gauge(
        "cache_entries",
        "Entries that are kept.",
        count(judgements.entries() as u64),
    );
}
