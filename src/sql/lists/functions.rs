//! Which built-in functions a client may call, and on what terms.

use super::file;
use crate::gate::Bound;
use std::collections::HashMap;
use std::sync::LazyLock;

/// How a call of a built-in function is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FunctionRule {
    /// Anybody may call it.
    Allowed,
    /// `pg_sleep` and its kin: where the role may sleep.
    Sleep,
    /// Only where the role names it among its functions, as `pg_catalog.nextval`.
    Named,
    /// `current_setting`: the name must be a constant that [`super::setting_is_readable`] accepts, or a parameter, which
    /// is held to the same when the statement runs.
    CurrentSetting,
    /// `set_config`: name and value must be constants, judged as SET is.
    SetConfig,
    /// Nobody may call it.
    Refused,
}

struct Listed {
    arguments: Option<usize>,
    rule: FunctionRule,
}

static FUNCTIONS: LazyLock<HashMap<(&'static str, &'static str), Listed>> = LazyLock::new(|| {
    file::words(include_str!("functions.txt"))
        .map(|entry| {
            let (name, arguments) = match entry.text.split_once('/') {
                Some((name, count)) => (name, Some(count.parse().unwrap_or(usize::MAX))),
                None => (entry.text, None),
            };
            let (schema, rule) = match entry.section {
                "allowed" | "volatile" | "physical" => ("pg_catalog", FunctionRule::Allowed),
                "information_schema" => ("information_schema", FunctionRule::Allowed),
                "sleep" => ("pg_catalog", FunctionRule::Sleep),
                "named" => ("pg_catalog", FunctionRule::Named),
                "current_setting" => ("pg_catalog", FunctionRule::CurrentSetting),
                "set_config" => ("pg_catalog", FunctionRule::SetConfig),
                _ => ("pg_catalog", FunctionRule::Refused),
            };
            ((schema, name), Listed { arguments, rule })
        })
        .collect()
});

/// The rule for calling a function, aggregate or window function of `pg_catalog` or `information_schema` with so
/// many arguments. Functions of other schemas are the policy's matter and refused here.
pub fn function(schema: &str, name: &str, arguments: usize) -> FunctionRule {
    match FUNCTIONS.get(&(schema, name)) {
        Some(listed) if listed.arguments.is_none_or(|count| count == arguments) => listed.rule,
        Some(_) | None => FunctionRule::Refused,
    }
}

/// What a built-in function leaves in the session beyond its transaction, which no other connection can be given.
pub fn binds(name: &str) -> Option<Bound> {
    match name {
        "pg_advisory_lock" | "pg_advisory_lock_shared" | "pg_try_advisory_lock" | "pg_try_advisory_lock_shared" => {
            Some(Bound::AdvisoryLock)
        }
        "currval" | "lastval" => Some(Bound::Sequences),
        "setseed" => Some(Bound::RandomSeed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_and_other_schemas_are_refused() {
        assert_eq!(function("pg_catalog", "lower", 1), FunctionRule::Allowed);
        assert_eq!(function("public", "lower", 1), FunctionRule::Refused);
        assert_eq!(function("pg_catalog", "query_to_xml", 4), FunctionRule::Refused);
        assert_eq!(
            function("information_schema", "_pg_expandarray", 1),
            FunctionRule::Allowed
        );
        assert_eq!(function("pg_catalog", "_pg_expandarray", 1), FunctionRule::Refused);
    }

    #[test]
    fn an_overload_that_runs_a_query_stays_out() {
        assert_eq!(function("pg_catalog", "ts_rewrite", 3), FunctionRule::Allowed);
        assert_eq!(function("pg_catalog", "ts_rewrite", 2), FunctionRule::Refused);
    }

    #[test]
    fn some_calls_have_terms() {
        assert_eq!(function("pg_catalog", "pg_sleep", 1), FunctionRule::Sleep);
        assert_eq!(function("pg_catalog", "nextval", 1), FunctionRule::Named);
        assert_eq!(function("pg_catalog", "set_config", 3), FunctionRule::SetConfig);
    }

    #[test]
    fn every_section_is_known_and_no_name_stands_twice() {
        let sections = [
            "allowed",
            "volatile",
            "physical",
            "sleep",
            "named",
            "current_setting",
            "set_config",
            "information_schema",
        ];
        let mut seen = std::collections::HashSet::new();
        for entry in file::words(include_str!("functions.txt")) {
            assert!(sections.contains(&entry.section), "{entry:?}");
            assert!(seen.insert(entry.text), "{} stands twice", entry.text);
        }
    }
}
