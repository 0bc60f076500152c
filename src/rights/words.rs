//! Stored rights and requests in words: as they are listed, and as the history has kept them.

use super::when;
use chrono::DateTime;
use serde_json::Value;

fn text<'v>(stored: &'v Value, name: &str) -> Option<&'v str> {
    stored.get(name).and_then(Value::as_str)
}

fn list(stored: &Value, name: &str) -> Option<String> {
    let all = stored.get(name)?.as_array()?;
    Some(all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "))
}

fn of(stored: &str) -> Value {
    serde_json::from_str(stored).unwrap_or_default()
}

/// What a stored right gives, in the words of the commands; `stored` is its row as JSON.
pub(super) fn given(stored: &str) -> String {
    right(&of(stored))
}

fn right(stored: &Value) -> String {
    let mut words = Vec::new();
    words.extend(text(stored, "delegator").map(|delegator| format!("rows of {delegator}")));
    let columns = list(stored, "columns");
    words.extend(list(stored, "operations"));
    words.extend(columns.as_ref().map(|_| "view".to_owned()));
    words.extend(text(stored, "role").map(|role| format!("ROLE {role}")));
    if let Some(table) = text(stored, "table_name") {
        let columns = columns.map(|columns| format!("({columns})")).unwrap_or_default();
        words.push(format!("ON {table}{columns}"));
    }
    words.extend(list(stored, "record").map(|key| format!("({key})")));
    words.extend(text(stored, "scope").map(|scope| format!("SCOPE {scope}")));
    words.join(" ")
}

/// A row of rights or requests as it was before or after a change, whole.
pub(super) fn kept(stored: &str) -> String {
    let stored = of(stored);
    let number = stored.get("id").map(Value::to_string).unwrap_or_default();
    let until = text(&stored, "until").and_then(|until| DateTime::parse_from_rfc3339(until).ok());
    let until = until.map(|until| format!(" until {}", when::shown(until.into())));
    let until = until.unwrap_or_default();
    if let Some(wanted) = text(&stored, "wanted") {
        let state = text(&stored, "state").unwrap_or_default();
        return format!("request {number}, {state}: {wanted}{until}");
    }
    let kind = text(&stored, "kind").unwrap_or_default();
    let mut words = vec![format!("right {number}, {kind}:"), right(&stored)];
    match (kind, text(&stored, "login"), text(&stored, "team")) {
        ("suspension", Some(login), _) => words.push(format!("PERSON {login}")),
        (_, Some(login), _) => words.push(format!("to {login}")),
        (_, None, Some(team)) => words.push(format!("to team {team}")),
        (_, None, None) => {}
    }
    words.retain(|word| !word.is_empty());
    format!("{}{until}", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_in_words() {
        let until = "\"until\": \"2026-11-23T00:00:00+00:00\"";
        for (stored, said) in [
            (
                r#"{"id": 1, "kind": "grant", "login": "a", "table_name": "t", "columns": ["b", "c"]}"#,
                "right 1, grant: view ON t(b, c) to a",
            ),
            (
                r#"{"id": 2, "kind": "grant", "login": "a", "table_name": "t", "operations": ["view"], "scope": "own"}"#,
                "right 2, grant: view ON t SCOPE own to a",
            ),
            (
                r#"{"id": 3, "kind": "share", "team": "7", "table_name": "t", "record": ["1", "x"], "until": null}"#,
                "right 3, share: ON t (1, x) to team 7",
            ),
            (
                r#"{"id": 4, "kind": "suspension", "login": "a"}"#,
                "right 4, suspension: PERSON a",
            ),
            (
                r#"{"id": 5, "kind": "delegation", "login": "a", "delegator": "b"}"#,
                "right 5, delegation: rows of b to a",
            ),
            (
                r#"{"id": 6, "wanted": "ROLE x", "state": "open", "login": "a"}"#,
                "request 6, open: ROLE x",
            ),
            ("no JSON", "right , :"),
        ] {
            assert_eq!(kept(stored), said);
        }
        assert!(kept(&format!("{{\"id\": 7, \"kind\": \"role\", {until}}}")).contains(" until 2026-11-2"));
    }
}
