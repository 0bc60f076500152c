//! Which casts are total.

use super::oids::*;
use super::operators::is_moment;
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

/// May a cast that is total fail on values at the very end of the type's range? What makes a timestamp of another moment may;
/// a date and a time of day are read off whatever a timestamp holds, and everything can be printed.
pub fn cast_meets_the_edge(source: Oid, target: Oid) -> bool {
    source != target && is_moment(source) && matches!(target, TIMESTAMP | TIMESTAMPTZ | TIMETZ)
}

/// Is the cast of a constant surely over before the first row is read, so that its failure tells nothing of rows?
///
/// `source` is the type that the constant has so far: [`UNKNOWN`] for a string that nothing has given a type yet, which
/// the parser itself converts; anything else is left to the planner, who does immutable casts in advance and others on
/// the row: `'x'::text::timestamptz` and `99999999999999999999::money` fail there. `target` is no domain: its check runs
/// on the row, too.
pub fn constant_cast_is_early(source: Oid, target: Oid, has_typmod: bool) -> bool {
    let settled = |oid| {
        is_text(oid)
            || matches!(
                oid,
                BOOL | INT2 | INT4 | INT8 | FLOAT4 | FLOAT8 | NUMERIC | OID | UUID | BPCHAR | NAME | BYTEA
            )
    };
    source == UNKNOWN || cast_is_total(source, target, has_typmod) || (settled(source) && settled(target))
}

/// Is the constant's text, or its value as a whole number, still the same after the cast? A cast that cuts makes another
/// pattern of `'a\%'::char(2)`, another unit of `'month'::char(2)`, and zero of `8::bit(3)::int4`.
pub fn constant_survives_cast(source: Oid, target: Oid, has_typmod: bool) -> bool {
    let is_whole = |oid| matches!(oid, INT2 | INT4 | INT8);
    !has_typmod
        && ((source == UNKNOWN && (is_text(target) || is_whole(target)))
            || (is_text(source) && is_text(target))
            || (is_whole(source) && is_whole(target)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_overflow_or_be_misread_is_not_total() {
        assert!(cast_is_total(INT4, INT8, false));
        assert!(!cast_is_total(INT8, INT4, false));
        assert!(!cast_is_total(TEXT, INT4, false));
        assert!(cast_is_total(TIMESTAMPTZ, DATE, false));
        assert!(cast_is_total(NUMERIC, TEXT, false));
        assert!(cast_is_total(TEXT, VARCHAR, true));
        assert!(!cast_is_total(NUMERIC, NUMERIC, true));
        assert!(!cast_is_total(NUMERIC, FLOAT8, false));
    }

    #[test]
    fn constants_keep_their_text_only_where_nothing_is_cut() {
        assert!(constant_cast_is_early(UNKNOWN, TIMESTAMPTZ, false));
        assert!(!constant_cast_is_early(TEXT, TIMESTAMPTZ, false));
        assert!(!constant_cast_is_early(NUMERIC, MONEY, false));
        assert!(constant_cast_is_early(INT4, INT2, false));
        assert!(constant_survives_cast(UNKNOWN, TEXT, false));
        assert!(!constant_survives_cast(UNKNOWN, BPCHAR, true));
        assert!(!constant_survives_cast(UNKNOWN, NAME, false));
        assert!(!constant_survives_cast(INT4, BIT, true));
    }
}
