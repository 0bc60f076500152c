//! EXPLAIN (FORMAT YAML): one property a line, what is below it further in. PostgreSQL writes values as JSON does, so
//! that none spans lines.

use super::{Leaf, may_pass};

/// What of a plan may be read.
pub fn filter(document: &str) -> Option<String> {
    let mut kept = String::new();
    // what stands further in than this belongs to a property that does not pass
    let mut dropped: Option<usize> = None;
    for line in document.lines() {
        let inner = line.trim_start_matches(' ');
        let property = inner.strip_prefix("- ").unwrap_or(inner);
        let depth = line.len() - property.len();
        if dropped.is_some_and(|above| depth > above) {
            continue;
        }
        dropped = None;
        if passes(property) {
            kept.push_str(line);
            kept.push('\n');
        } else {
            dropped = Some(depth);
        }
    }
    kept.pop();
    (!kept.is_empty()).then_some(kept)
}

fn passes(property: &str) -> bool {
    let Some((key, value)) = property.split_once(": ") else {
        return false;
    };
    let quoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    match (value, quoted) {
        ("", _) => matches!(key, "Plan" | "Plans"),
        (_, Some(word)) => may_pass(key, Leaf::Word(word)),
        ("true" | "false", None) => may_pass(key, Leaf::Flag),
        (number, None) => may_pass(key, Leaf::Number(number)),
    }
}
