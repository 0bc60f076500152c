//! What a client may read of EXPLAIN's answer: the shape and the costs, never a condition.
//!
//! A condition is printed with the client's own constants in it, line breaks included, so that a line can begin and
//! end as the client likes. What passes is therefore told by every character of the line, not by its beginning.

mod xml;
mod yaml;

use serde_json::{Map, Value};
use std::borrow::Cow;

/// How EXPLAIN answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Explained {
    /// Line by line.
    Text,
    /// As one JSON document.
    Json,
    /// As one document in YAML.
    Yaml,
    /// As one document in XML.
    Xml,
}

/// A result row as the client may read it; `None` drops it.
pub fn filter_row(row: &str, format: Explained) -> Option<Cow<'_, str>> {
    match format {
        Explained::Text => (is_summary(row) || is_node(row)).then_some(Cow::Borrowed(row)),
        Explained::Json => {
            let plans = serde_json::from_str(row).ok().and_then(|value| shape(&value))?;
            serde_json::to_string_pretty(&plans).ok().map(Cow::Owned)
        }
        Explained::Yaml => yaml::filter(row).map(Cow::Owned),
        Explained::Xml => xml::filter(row).map(Cow::Owned),
    }
}

/// What of a plan in JSON may be read: numbers, words and names by the keys that have them, and the plans below. `None`
/// where there is nothing of it.
fn shape(value: &Value) -> Option<Value> {
    match value {
        Value::Array(plans) => Some(plans.iter().filter_map(shape).collect()),
        Value::Object(fields) => {
            let kept = fields.iter().filter_map(|(key, value)| {
                let value = match value {
                    Value::Array(_) | Value::Object(_) if matches!(key.as_str(), "Plan" | "Plans") => shape(value)?,
                    Value::Number(number) if may_pass(key, Leaf::Number(&number.to_string())) => value.clone(),
                    Value::Bool(_) if may_pass(key, Leaf::Flag) => value.clone(),
                    Value::String(text) if may_pass(key, Leaf::Word(text)) => value.clone(),
                    _ => return None,
                };
                Some((key.clone(), value))
            });
            Some(Value::Object(kept.collect::<Map<_, _>>()))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// A value of a plan.
#[derive(Debug, Clone, Copy)]
enum Leaf<'t> {
    Number(&'t str),
    Flag,
    Word(&'t str),
}

fn may_pass(key: &str, leaf: Leaf<'_>) -> bool {
    match leaf {
        Leaf::Number(text) => has_number(key) && text.parse::<f64>().is_ok_and(f64::is_finite),
        Leaf::Flag => has_flag(key),
        Leaf::Word(text) => has_word(key) && text.chars().all(is_of_name),
    }
}

fn has_number(key: &str) -> bool {
    let keys = [
        "Startup Cost",
        "Total Cost",
        "Plan Rows",
        "Plan Width",
        "Actual Startup Time",
        "Actual Total Time",
        "Actual Rows",
        "Actual Loops",
        "Planning Time",
        "Execution Time",
        "Workers Planned",
    ];
    keys.contains(&key)
}

fn has_flag(key: &str) -> bool {
    [
        "Parallel Aware",
        "Async Capable",
        "Inner Unique",
        "Single Copy",
        "Disabled",
    ]
    .contains(&key)
}

fn has_word(key: &str) -> bool {
    let keys = [
        "Node Type",
        "Parent Relationship",
        "Join Type",
        "Strategy",
        "Partial Mode",
        "Scan Direction",
        "Index Name",
        "Relation Name",
        "Alias",
        "Function Name",
        "CTE Name",
        "Subplan Name",
        "Command",
    ];
    keys.contains(&key)
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, ' ' | '_' | '.' | '"' | '$' | '-' | ':')
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
        let passes = |line: &str| filter_row(line, Explained::Text).is_some();
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

    #[test]
    fn of_a_plan_in_json_the_shape_passes() {
        let plan = r#"[{"Plan": {"Node Type": "Limit", "Startup Cost": 0.28, "Rows Removed by Filter": 7, "Plans": [
            {"Node Type": "Index Scan", "Alias": "rowgate:row", "Index Cond": "(id = 5)", "Filter": "(owner_id = 7)",
             "Relation Name": "x'::text) AND (owner_id = 7", "Output": ["phone"], "Group Key": ["a"]}]},
            "Settings": {"work_mem": "4MB"}, "Query Text": "SELECT 1", "Planning Time": 0.1}]"#;
        let shown = filter_row(plan, Explained::Json).unwrap();
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let wanted = r#"[{"Plan": {"Node Type": "Limit", "Startup Cost": 0.28, "Plans": [
            {"Node Type": "Index Scan", "Alias": "rowgate:row"}]}, "Planning Time": 0.1}]"#;
        assert_eq!(shown, serde_json::from_str::<Value>(wanted).unwrap());
        assert_eq!(filter_row("  Filter: (a = 1)", Explained::Json), None);
    }

    #[test]
    fn of_a_plan_in_yaml_the_shape_passes() {
        let plan = "- Plan: \n    Node Type: \"Limit\"\n    Startup Cost: 0.28\n    Rows Removed by Filter: 7\n    \
            Sort Key: \n      - \"a\"\n      - \"Node Type: 7\"\n    Grouping Sets: \n      - Alias: \"secret\"\n    \
            Plans: \n      - Node Type: \"Index Scan\"\n        Alias: \"rowgate:row\"\n        \
            Filter: \"(a = 'x\\n    Alias: \\\"y\\\"' AND owner_id = 7)\"\n        Relation Name: \"x' AND 7\"\n        \
            Inner Unique: true\n        Plan Rows: (7)\n  Planning Time: 0.1";
        let wanted = "- Plan: \n    Node Type: \"Limit\"\n    Startup Cost: 0.28\n    \
            Plans: \n      - Node Type: \"Index Scan\"\n        Alias: \"rowgate:row\"\n        \
            Inner Unique: true\n  Planning Time: 0.1";
        assert_eq!(filter_row(plan, Explained::Yaml).unwrap(), wanted);
        assert_eq!(filter_row("  Filter: \"(a = 1)\"", Explained::Yaml), None);
    }

    #[test]
    fn of_a_plan_in_xml_the_shape_passes() {
        let plan = "<explain xmlns=\"x\">\n  <Query>\n    <Plan>\n      <Node-Type>Limit</Node-Type>\n      \
            <Sort-Key>\n        <Item>a</Item>\n        <Alias>secret</Alias>\n      </Sort-Key>\n      \
            <Filter>(a = 'x\n&lt;Alias&gt;y&lt;/Alias&gt;' AND owner_id = 7)</Filter>\n      <Plans>\n        <Plan>\n          \
            <Alias>x' AND 7</Alias>\n          <Plan-Rows>7</Plan-Rows>\n          <Empty/>\n          \
            <Inner-Unique>true</Inner-Unique>\n        </Plan>\n      </Plans>\n    </Plan>\n    \
            <Settings>\n      <Plan>7</Plan>\n    </Settings>\n  </Query>\n</explain>";
        let wanted = "<explain xmlns=\"http://www.postgresql.org/2009/explain\">\n  <Query>\n    <Plan>\n      \
            <Node-Type>Limit</Node-Type>\n      <Plans>\n        <Plan>\n          <Plan-Rows>7</Plan-Rows>\n          \
            <Inner-Unique>true</Inner-Unique>\n        </Plan>\n      </Plans>\n    </Plan>\n  </Query>\n</explain>";
        assert_eq!(filter_row(plan, Explained::Xml).unwrap(), wanted);
        assert_eq!(filter_row("<Filter>(a = 1)</Filter>", Explained::Xml), None);
        assert_eq!(filter_row("<Plan><Alias>a</Alias>", Explained::Xml), None);
    }
}
