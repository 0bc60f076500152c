//! Which types a client may cast a constant to, that is, whose input function it may run; which collations are plain.

/// May a client name this type in a cast? Built-in scalars, ranges and their arrays are; pseudo-types, catalogue
/// row types and internal types are not; other schemas' types are the policy's matter and refused here.
pub fn type_input_is_allowed(schema: &str, name: &str) -> bool {
    match schema {
        "pg_catalog" => builtin(name.strip_prefix('_').unwrap_or(name)),
        "information_schema" => matches!(
            name.strip_prefix('_').unwrap_or(name),
            "cardinal_number" | "character_data" | "sql_identifier" | "time_stamp" | "yes_or_no"
        ),
        _ => false,
    }
}

/// Is a collation of this schema surely deterministic, so that LIKE and its kin take it? Those that PostgreSQL brings
/// are; `CREATE COLLATION` can make others.
pub fn collation_is_plain(schema: &str) -> bool {
    schema == "pg_catalog"
}

fn builtin(name: &str) -> bool {
    matches!(
        name,
        "bool"
            | "bytea"
            | "char"
            | "name"
            | "int2"
            | "int4"
            | "int8"
            | "text"
            | "oid"
            | "tid"
            | "xid"
            | "xid8"
            | "cid"
            | "int2vector"
            | "oidvector"
            | "json"
            | "jsonb"
            | "jsonpath"
            | "xml"
            | "float4"
            | "float8"
            | "numeric"
            | "money"
            | "bpchar"
            | "varchar"
            | "date"
            | "time"
            | "timetz"
            | "timestamp"
            | "timestamptz"
            | "interval"
            | "bit"
            | "varbit"
            | "uuid"
            | "inet"
            | "cidr"
            | "macaddr"
            | "macaddr8"
            | "point"
            | "lseg"
            | "path"
            | "box"
            | "polygon"
            | "line"
            | "circle"
            | "tsvector"
            | "tsquery"
            | "pg_lsn"
            | "pg_snapshot"
            | "txid_snapshot"
            | "aclitem"
            | "refcursor"
            | "int4range"
            | "int8range"
            | "numrange"
            | "tsrange"
            | "tstzrange"
            | "daterange"
            | "int4multirange"
            | "int8multirange"
            | "nummultirange"
            | "tsmultirange"
            | "tstzmultirange"
            | "datemultirange"
            | "regclass"
            | "regtype"
            | "regproc"
            | "regprocedure"
            | "regoper"
            | "regoperator"
            | "regrole"
            | "regnamespace"
            | "regconfig"
            | "regdictionary"
            | "regcollation"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_and_arrays_are_open_and_the_rest_is_not() {
        assert!(type_input_is_allowed("pg_catalog", "timestamptz"));
        assert!(type_input_is_allowed("pg_catalog", "_int4"));
        assert!(type_input_is_allowed("pg_catalog", "regclass"));
        assert!(!type_input_is_allowed("pg_catalog", "cstring"));
        assert!(!type_input_is_allowed("pg_catalog", "record"));
        assert!(!type_input_is_allowed("pg_catalog", "pg_mcv_list"));
        assert!(!type_input_is_allowed("public", "int4"));
    }
}
