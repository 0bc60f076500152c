//! What a client may read of EXPLAIN's answer: the shape and the costs, never a condition.

/// The line as the client may read it; `None` drops it.
pub fn filter_line(line: &str) -> Option<&str> {
    let trimmed = line.trim_start();
    let is_node = trimmed.contains("(cost=") || trimmed.contains("(actual ");
    let is_summary =
        trimmed.starts_with("Planning Time:") || trimmed.starts_with("Execution Time:") || trimmed == "QUERY PLAN";
    (is_node || is_summary).then_some(line)
}
