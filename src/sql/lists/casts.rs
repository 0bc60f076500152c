//! Which casts are total.

use super::oids::*;
use crate::catalog::Oid;

/// Can an explicit cast from one built-in type to another neither fail nor warn, whatever the value? `has_typmod`:
/// the target has a length or a precision, as in `varchar(10)`.
pub fn cast_is_total(source: Oid, target: Oid, has_typmod: bool) -> bool {
    if source == target {
        return !has_typmod || cuts_quietly(target);
    }
    if is_text(target) || target == BPCHAR {
        return prints(source) && (!has_typmod || cuts_quietly(target));
    }
    if has_typmod {
        return false;
    }
    match (source, target) {
        (INT2, INT4 | INT8 | FLOAT4 | FLOAT8 | NUMERIC | OID) => true,
        (INT4, INT8 | FLOAT4 | FLOAT8 | NUMERIC | OID | BOOL) => true,
        (INT8, FLOAT4 | FLOAT8 | NUMERIC) => true,
        (FLOAT4, FLOAT8 | NUMERIC) | (FLOAT8, NUMERIC) => true,
        (BOOL, INT4) | (OID, INT8 | INT4) | (MONEY, NUMERIC) => true,
        (reg, OID | INT8 | INT4) | (OID | INT4 | INT2, reg) if is_reg(reg) => true,
        (TEXT | VARCHAR | BPCHAR, NAME | CHAR) => true,
        (TIMESTAMP, DATE | TIME) | (TIMESTAMPTZ, DATE | TIME | TIMESTAMP | TIMETZ) => true,
        (DATE, TIMESTAMP | TIMESTAMPTZ) | (TIMESTAMP, TIMESTAMPTZ) => true,
        (TIME, INTERVAL) | (TIMETZ, TIME) => true,
        (CIDR, INET) | (INET, CIDR) | (MACADDR, MACADDR8) | (BIT, VARBIT) | (VARBIT, BIT) => true,
        (JSONB, JSON) => true,
        _ => false,
    }
}

/// Types whose explicit length coercion cuts or rounds and never fails.
fn cuts_quietly(target: Oid) -> bool {
    matches!(target, VARCHAR | BPCHAR | BIT | VARBIT | TIME | TIMETZ)
}

/// Types whose output function never fails.
fn prints(source: Oid) -> bool {
    (scalar_compares(source) || is_reg(source) || matches!(source, JSON | XML | XID | CID))
        && !matches!(source, TSRANGE | TSTZRANGE)
}
