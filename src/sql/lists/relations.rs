//! Which relations of the system schemas a client may read.

use super::file;
use std::collections::HashSet;
use std::sync::LazyLock;

static OPEN: LazyLock<HashSet<(&'static str, &'static str)>> = LazyLock::new(|| {
    file::words(include_str!("catalog_relations.txt"))
        .filter_map(|entry| match entry.section {
            "pg_catalog" => Some(("pg_catalog", entry.text)),
            "information_schema" => Some(("information_schema", entry.text)),
            _ => None,
        })
        .collect()
});

/// May a client read this relation of `pg_catalog` or `information_schema`? Relations that hold data of tables, of
/// other sessions or of the server's files are refused, and so is every unknown one; `pg_toast` and all other schemas
/// are refused here.
pub fn catalog_relation_is_open(schema: &str, name: &str) -> bool {
    OPEN.contains(&(schema, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_open_and_data_is_not() {
        assert!(catalog_relation_is_open("pg_catalog", "pg_class"));
        assert!(catalog_relation_is_open("information_schema", "columns"));
        for closed in [
            "pg_statistic",
            "pg_stats",
            "pg_stat_activity",
            "pg_authid",
            "pg_shadow",
            "pg_unheard_of",
        ] {
            assert!(!catalog_relation_is_open("pg_catalog", closed), "{closed}");
        }
        assert!(!catalog_relation_is_open("information_schema", "user_mapping_options"));
        assert!(!catalog_relation_is_open("pg_toast", "pg_toast_2619"));
        assert!(!catalog_relation_is_open("public", "pg_class"));
    }
}
