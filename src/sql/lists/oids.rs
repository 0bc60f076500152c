//! Built-in types by their OID: these numbers are the same in every PostgreSQL.

use crate::catalog::Oid;

macro_rules! types {
    ($($constant:ident $name:literal = $oid:literal),* $(,)?) => {
        $(pub(super) const $constant: Oid = $oid;)*
        /// The OID of a built-in type by its name in `pg_type`.
        pub(super) fn named(name: &str) -> Option<Oid> {
            match name {
                $($name => Some($oid),)*
                "anyenum" => Some(ANY_ENUM),
                _ => None,
            }
        }
    };
}

/// The type of a string constant that nothing has given a type yet.
pub const UNKNOWN: Oid = 705;
/// Stands for any enum type, whose own OIDs differ from database to database.
pub const ANY_ENUM: Oid = 3500;

types! {
    BOOL "bool" = 16, BYTEA "bytea" = 17, CHAR "char" = 18, NAME "name" = 19, INT8 "int8" = 20, INT2 "int2" = 21,
    INT4 "int4" = 23, REGPROC "regproc" = 24, TEXT "text" = 25, OID "oid" = 26, TID "tid" = 27, XID "xid" = 28,
    CID "cid" = 29, OIDVECTOR "oidvector" = 30, JSON "json" = 114, XML "xml" = 142, CIDR "cidr" = 650,
    FLOAT4 "float4" = 700, FLOAT8 "float8" = 701, MACADDR8 "macaddr8" = 774, MONEY "money" = 790,
    MACADDR "macaddr" = 829, INET "inet" = 869, BPCHAR "bpchar" = 1042, VARCHAR "varchar" = 1043,
    DATE "date" = 1082, TIME "time" = 1083, TIMESTAMP "timestamp" = 1114, TIMESTAMPTZ "timestamptz" = 1184,
    INTERVAL "interval" = 1186, TIMETZ "timetz" = 1266, BIT "bit" = 1560, VARBIT "varbit" = 1562,
    NUMERIC "numeric" = 1700, UUID "uuid" = 2950, PG_LSN "pg_lsn" = 3220, TSVECTOR "tsvector" = 3614,
    TSQUERY "tsquery" = 3615, JSONB "jsonb" = 3802, INT4RANGE "int4range" = 3904, NUMRANGE "numrange" = 3906,
    TSRANGE "tsrange" = 3908, TSTZRANGE "tstzrange" = 3910, DATERANGE "daterange" = 3912,
    INT8RANGE "int8range" = 3926, XID8 "xid8" = 5069, REGPROCEDURE "regprocedure" = 2202, REGOPER "regoper" = 2203,
    REGOPERATOR "regoperator" = 2204, REGCLASS "regclass" = 2205, REGTYPE "regtype" = 2206,
    REGCONFIG "regconfig" = 3734, REGDICTIONARY "regdictionary" = 3769, REGNAMESPACE "regnamespace" = 4089,
    REGROLE "regrole" = 4096, REGCOLLATION "regcollation" = 4191, TEXT_ARRAY "_text" = 1009,
}

/// Array types of [`scalar_compares`] types, with their element.
const ARRAYS: &[(Oid, Oid)] = &[
    (1000, BOOL),
    (1001, BYTEA),
    (1002, CHAR),
    (1003, NAME),
    (1005, INT2),
    (1007, INT4),
    (1009, TEXT),
    (1014, BPCHAR),
    (1015, VARCHAR),
    (1016, INT8),
    (1021, FLOAT4),
    (1022, FLOAT8),
    (1028, OID),
    (1040, MACADDR),
    (775, MACADDR8),
    (1041, INET),
    (651, CIDR),
    (791, MONEY),
    (1115, TIMESTAMP),
    (1182, DATE),
    (1183, TIME),
    (1185, TIMESTAMPTZ),
    (1187, INTERVAL),
    (1231, NUMERIC),
    (1270, TIMETZ),
    (1561, BIT),
    (1563, VARBIT),
    (2951, UUID),
    (3221, PG_LSN),
    (3807, JSONB),
];

/// The element type of a built-in array type whose elements compare without fail.
pub(super) fn comparable_element(array: Oid) -> Option<Oid> {
    ARRAYS.iter().find(|(of, _)| *of == array).map(|(_, element)| *element)
}

/// The element type of a built-in range type.
pub(super) fn range_element(range: Oid) -> Option<Oid> {
    match range {
        INT4RANGE => Some(INT4),
        INT8RANGE => Some(INT8),
        NUMRANGE => Some(NUMERIC),
        TSRANGE => Some(TIMESTAMP),
        TSTZRANGE => Some(TIMESTAMPTZ),
        DATERANGE => Some(DATE),
        _ => None,
    }
}

/// Strings: `text`, and `varchar`, which is text under another name.
pub(super) fn is_text(oid: Oid) -> bool {
    matches!(oid, TEXT | VARCHAR)
}

/// Types that name an object of the catalogue: object identifiers underneath.
pub(super) fn is_reg(oid: Oid) -> bool {
    matches!(
        oid,
        REGPROC
            | REGPROCEDURE
            | REGOPER
            | REGOPERATOR
            | REGCLASS
            | REGTYPE
            | REGCONFIG
            | REGDICTIONARY
            | REGNAMESPACE
            | REGROLE
            | REGCOLLATION
    )
}

/// The type's whole order (`=`, `<` …) never fails.
pub(super) fn scalar_compares(oid: Oid) -> bool {
    matches!(
        oid,
        BOOL | BYTEA
            | CHAR
            | NAME
            | INT8
            | INT2
            | INT4
            | TEXT
            | OID
            | TID
            | OIDVECTOR
            | CIDR
            | FLOAT4
            | FLOAT8
            | MACADDR8
            | MONEY
            | MACADDR
            | INET
            | BPCHAR
            | VARCHAR
            | DATE
            | TIME
            | TIMESTAMP
            | TIMESTAMPTZ
            | INTERVAL
            | TIMETZ
            | BIT
            | VARBIT
            | NUMERIC
            | UUID
            | PG_LSN
            | TSVECTOR
            | JSONB
            | INT4RANGE
            | NUMRANGE
            | TSRANGE
            | TSTZRANGE
            | DATERANGE
            | INT8RANGE
            | XID8
            | ANY_ENUM
    )
}
