//! What a client may read of EXPLAIN's answer: the shape and the costs, never a condition.
//!
//! A condition is printed with the client's own constants in it, line breaks included, so that a line can begin and
//! end as the client likes. What passes is therefore told by every character of the line, not by its beginning.

/// The line as the client may read it; `None` drops it.
pub fn filter_line(line: &str) -> Option<&str> {
    (is_summary(line) || is_node(line)).then_some(line)
}

/// `Planning Time: 0.123 ms`
fn is_summary(line: &str) -> bool {
    ["Planning Time: ", "Execution Time: "].iter().any(|label| {
        let time = line.strip_prefix(label).and_then(|rest| rest.strip_suffix(" ms"));
        time.is_some_and(|t| t.chars().all(|c| c.is_ascii_digit() || c == '.'))
    })
}

/// `  ->  Index Scan using customers_pkey on customers c  (cost=0.28..8.30 rows=1 width=4)`: names and numbers alone.
/// A condition has a bracket or a quote before it can hold anything that rowgate wrote.
fn is_node(line: &str) -> bool {
    let Some((head, costs)) = line.split_once("  (") else {
        return false;
    };
    let plain_head = head
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, ' ' | '_' | '.' | '"' | '$' | '-' | '>' | ':'));
    let words = ["cost=", "actual time=", "actual rows=", "never executed"];
    let plain_costs = costs
        .chars()
        .all(|c| c.is_ascii_digit() || c.is_ascii_lowercase() || matches!(c, ' ' | '=' | '.' | '(' | ')'));
    plain_head
        && !head.contains(": ")
        && plain_costs
        && words.iter().any(|w| costs.starts_with(w))
        && costs.ends_with(')')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_and_times_pass_and_conditions_do_not() {
        let passes = |line: &str| filter_line(line).is_some();
        assert!(passes("Limit  (cost=0.28..8.30 rows=1 width=4)"));
        assert!(passes(
            "  ->  Seq Scan on customers \"rowgate:row\"  (cost=0.00..8.30 rows=1 width=4) (actual time=0.02..0.03 rows=1 loops=1)"
        ));
        assert!(passes("Planning Time: 0.123 ms"));
        assert!(!passes("  Filter: (city = '(cost='::text)"));
        assert!(!passes(
            "  Filter: ((city = 'x  (cost=1.0..2.0 rows=1 width=1)'::text) AND (owner_id = 7))"
        ));
        assert!(!passes(
            "->  Seq Scan on x'::text) AND (owner_id = 7) AND (city = '  (cost=1.0..2.0 rows=1 width=1)"
        ));
        assert!(!passes("->  Seq Scan on x  (cost=1.0 'a) AND (owner_id = 7)"));
        assert!(!passes("  Rows Removed by Filter: 1788"));
        assert!(!passes("  Index Cond: id  (cost=1)"));
    }
}
