//! Masks: each word's exact meaning as SQL of the column's own type, never raising, never volatile, independent
//! of every setting.

use super::print::{self, Family, call, op};
use super::written::MaskRule;
use crate::catalog::{Catalog, Column, TypeKind};

/// Where the key of `hash` masks stands: one row, one column `key bytea`, closed to everybody but the role that
/// rowgate connects as. It is read by a sub-select, so that the key never stands in a statement's text.
pub const HASH_KEY_RELATION: (&str, &str) = (OWN_SCHEMA, "hash_key");

/// The schema of rowgate's own relations, closed to everybody.
pub(super) const OWN_SCHEMA: &str = "rowgate";

/// What makes that relation.
pub const HASH_KEY_DDL: &str = "CREATE SCHEMA IF NOT EXISTS rowgate; \
CREATE TABLE rowgate.hash_key (single boolean PRIMARY KEY DEFAULT true CHECK (single), \
key bytea NOT NULL CHECK (length(key) >= 32)); \
INSERT INTO rowgate.hash_key (key) VALUES (decode('… 64 random hex digits …', 'hex'))";

const HASH_CHARACTERS: i32 = 32;

/// `NULL` of the column's type.
pub(super) fn null(column: &Column) -> String {
    collated("NULL".to_owned(), column)
}

/// What a mask takes from elsewhere than its rule.
#[derive(Debug, Default)]
pub(super) struct Given<'a> {
    /// The rendered text of a `sql` mask; `None` where the person lacks an attribute: the mask is NULL.
    pub expression: Option<String>,
    /// The constant of a `fixed` mask in the form that every session reads alike.
    pub constant: Option<&'a str>,
}

/// The mask as SQL over the row of this alias. The error says why the column cannot have this mask.
pub(super) fn sql(
    rule: &MaskRule,
    column: &Column,
    alias: &str,
    catalog: &Catalog,
    given: Given<'_>,
) -> Result<String, String> {
    let value = print::column(alias, &column.name);
    let base = print::base_type(catalog, column.type_oid);
    let type_name = catalog
        .types
        .get(&base)
        .filter(|t| t.name.schema == "pg_catalog")
        .map_or("", |t| t.name.name.as_str());
    let depends_on_value = !matches!(rule, MaskRule::Null | MaskRule::Fixed { .. });
    let is_domain = catalog
        .types
        .get(&column.type_oid)
        .is_some_and(|t| t.kind == TypeKind::Domain);
    if depends_on_value && is_domain && catalog.constrained_domains.contains(&column.type_oid) {
        return Err(format!(
            "its type {} is a domain with constraints, which a masked value might not meet",
            column.type_sql
        ));
    }
    let masked = match rule {
        MaskRule::Null => return Ok(null(column)),
        MaskRule::Fixed { value } => {
            if type_name == "money" {
                return Err("how money is read depends on the session".to_owned());
            }
            let text = given.constant.unwrap_or(&value.text);
            return Ok(collated(crate::name::quote_literal(text), column));
        }
        MaskRule::Sql { .. } => match given.expression {
            Some(expression) => format!("({expression})"),
            None => return Ok(null(column)),
        },
        MaskRule::Partial { first, last } => partial(&as_text(&value, catalog, column)?, *first, *last),
        MaskRule::Email => email(&as_text(&value, catalog, column)?),
        MaskRule::Hash => hash(&value, type_name, column, catalog)?,
        MaskRule::Bucket { size } => bucket(&value, type_name, column, &size.text)?,
        MaskRule::Round { digits } => round(&value, type_name, column, *digits)?,
        MaskRule::Year => truncated(&value, type_name, "year")?,
        MaskRule::Month => truncated(&value, type_name, "month")?,
    };
    Ok(collated(masked, column))
}

/// Casts to the column's exact type, modifier and collation.
pub(super) fn collated(expression: String, column: &Column) -> String {
    let cast = format!("{expression}::{}", column.type_sql);
    match &column.collation {
        Some(name) => format!("(({cast}) COLLATE {})", name.to_sql()),
        None => format!("({cast})"),
    }
}

/// An expression of a numeric column's own kind, NULL where it does not fit the column's precision.
pub(super) fn fitted(catalog: &Catalog, expression: String, column: &Column) -> String {
    let numeric = catalog.type_named("pg_catalog", "numeric").map(|t| t.oid);
    if Some(column.type_oid) == numeric {
        decimal(&expression, column)
    } else {
        expression
    }
}

fn as_text(value: &str, catalog: &Catalog, column: &Column) -> Result<String, String> {
    if print::family(catalog, column.type_oid) == Some(Family::Text) {
        let plain = catalog
            .type_named("pg_catalog", "text")
            .is_some_and(|t| t.oid == column.type_oid);
        return Ok(if plain {
            value.to_owned()
        } else {
            format!("({value})::pg_catalog.text")
        });
    }
    let base = print::base_type(catalog, column.type_oid);
    match catalog.types.get(&base) {
        Some(read) if read.category == 'S' => Ok(format!("({value})::pg_catalog.text")),
        _ => Err(format!("it is for text, and the column is {}", column.type_sql)),
    }
}

fn partial(value: &str, first: u32, last: u32) -> String {
    let kept = first + last;
    let length = call("length", &[value]);
    let star = print::text("*");
    let all = call("repeat", &[&star, &length]);
    if kept == 0 {
        return all;
    }
    let between = call("repeat", &[&star, &op(&length, "-", &kept.to_string())]);
    let mut shown = between;
    if first > 0 {
        shown = op(&call("left", &[value, &first.to_string()]), "||", &shown);
    }
    if last > 0 {
        shown = op(&shown, "||", &call("right", &[value, &last.to_string()]));
    }
    let short = op(&length, "<=", &kept.to_string());
    format!("(CASE WHEN {short} THEN {all} ELSE {shown} END)")
}

fn email(value: &str) -> String {
    let at = print::text("@");
    let none = op(&call("strpos", &[value, &at]), "=", "0");
    let first = call("left", &[value, "1"]);
    let domain = call("split_part", &[value, &at, "(-1)"]);
    let shown = op(&op(&first, "||", &print::text("***@")), "||", &domain);
    format!("(CASE WHEN {none} THEN {} ELSE {shown} END)", print::text("***"))
}

fn hash(value: &str, type_name: &str, column: &Column, catalog: &Catalog) -> Result<String, String> {
    let (schema, name) = HASH_KEY_RELATION;
    let relation = crate::name::QualifiedName::new(schema, name);
    if catalog.relation(&relation).is_none() {
        return Err(format!("the relation {relation} that holds the key is missing"));
    }
    let key = format!(
        "(SELECT \"rowgate:k\".\"key\" FROM {} AS \"rowgate:k\" LIMIT 1)",
        relation.to_sql()
    );
    let bytes = call(
        "convert_to",
        &[&format!("({value})::pg_catalog.text"), "'UTF8'::pg_catalog.name"],
    );
    let inner = call("sha256", &[&op(&key, "||", &bytes)]);
    let outer = call("sha256", &[&op(&key, "||", &inner)]);
    let hex = call("encode", &[&outer, &print::text("hex")]);
    let bits = |digits: u32| {
        let digits_text = call("left", &[&hex, &digits.to_string()]);
        format!(
            "({})::\"pg_catalog\".\"bit\"({})",
            op(&print::text("x"), "||", &digits_text),
            digits * 4
        )
    };
    Ok(match type_name {
        "int8" => format!("({})::pg_catalog.int8", bits(16)),
        "int4" => format!("({})::pg_catalog.int4", bits(8)),
        "int2" => op(&format!("({})::pg_catalog.int4", bits(8)), "&", "32767"),
        "uuid" => format!("({})::pg_catalog.uuid", call("left", &[&hex, "32"])),
        "text" | "varchar" | "bpchar" => {
            if column.typmod >= 0 && column.typmod - 4 < HASH_CHARACTERS / 2 {
                return Err(format!(
                    "a hash needs at least {} characters, and the column is {}",
                    HASH_CHARACTERS / 2,
                    column.type_sql
                ));
            }
            call("left", &[&hex, &HASH_CHARACTERS.to_string()])
        }
        _ => {
            return Err(format!(
                "it is for text, integers and uuid, and the column is {}",
                column.type_sql
            ));
        }
    })
}

fn bucket(value: &str, type_name: &str, column: &Column, size: &str) -> Result<String, String> {
    let whole = !size.contains('.');
    match type_name {
        "int2" | "int4" | "int8" => {
            if !whole || size.len() > 18 {
                return Err(format!(
                    "buckets of {size} are not whole numbers that {} can hold",
                    column.type_sql
                ));
            }
            let size = print::constant(size, "pg_catalog.numeric");
            let wide = format!("({value})::pg_catalog.numeric");
            let rest = call("mod", &[&wide, &size]);
            let below = format!(
                "(CASE WHEN {} THEN {size} ELSE 0::pg_catalog.numeric END)",
                op(&rest, "<", "0")
            );
            let floor = op(&op(&wide, "-", &rest), "-", &below);
            Ok(whole_number(&floor, type_name))
        }
        "numeric" => Ok(decimal(&floored(value, size), column)),
        "float4" | "float8" => Ok(float(value, &floored(&format!("({value})::pg_catalog.numeric"), size))),
        _ => Err(format!("it is for numbers, and the column is {}", column.type_sql)),
    }
}

fn floored(value: &str, size: &str) -> String {
    let size = print::constant(size, "pg_catalog.numeric");
    op(&call("floor", &[&op(value, "/", &size)]), "*", &size)
}

fn round(value: &str, type_name: &str, column: &Column, digits: i32) -> Result<String, String> {
    let rounded = |value: &str| call("round", &[value, &format!("({digits})")]);
    match type_name {
        "int2" | "int4" | "int8" => Ok(whole_number(
            &rounded(&format!("({value})::pg_catalog.numeric")),
            type_name,
        )),
        "numeric" => Ok(decimal(&rounded(value), column)),
        "float4" | "float8" => Ok(float(value, &rounded(&format!("({value})::pg_catalog.numeric")))),
        _ => Err(format!("it is for numbers, and the column is {}", column.type_sql)),
    }
}

/// A numeric that becomes an integer; NULL where it does not fit.
fn whole_number(value: &str, type_name: &str) -> String {
    let (least, greatest) = match type_name {
        "int2" => (i64::from(i16::MIN), i64::from(i16::MAX)),
        "int4" => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    let least = op(value, ">=", &print::constant(&least.to_string(), "pg_catalog.numeric"));
    let greatest = op(
        value,
        "<=",
        &print::constant(&greatest.to_string(), "pg_catalog.numeric"),
    );
    format!("(CASE WHEN ({least} AND {greatest}) THEN {value} END)")
}

/// A numeric that must fit the column's precision; NULL where it does not.
fn decimal(value: &str, column: &Column) -> String {
    const HEADER: i32 = 4;
    if column.typmod < HEADER {
        return value.to_owned();
    }
    let bits = column.typmod - HEADER;
    let precision = (bits >> 16) & 0xffff;
    let scale = ((bits & 0x7ff) ^ 1024) - 1024;
    let bound = format!("1e{}", precision - scale);
    let size = call("abs", &[&call("round", &[value, &format!("({scale})")])]);
    let over = op(&size, ">=", &print::constant(&bound, "pg_catalog.numeric"));
    let number = op(value, "<>", &print::constant("NaN", "pg_catalog.numeric"));
    format!("(CASE WHEN ({over} AND {number}) THEN NULL::pg_catalog.numeric ELSE {value} END)")
}

/// A float computed as numeric; NULL beyond 15 digits before the point, where numeric and float part ways.
fn float(value: &str, masked: &str) -> String {
    let size = call("abs", &[&format!("({value})::pg_catalog.float8")]);
    let small = op(&size, "<=", &print::constant("1e15", "pg_catalog.float8"));
    format!("(CASE WHEN {small} THEN {masked} END)")
}

fn truncated(value: &str, type_name: &str, unit: &str) -> Result<String, String> {
    let unit = print::text(unit);
    let finite = call("isfinite", &[value]);
    match type_name {
        "date" => {
            let early = op(value, "<", &print::constant("4713-01-01 BC", "pg_catalog.date"));
            let late = op(value, ">=", &print::constant("294276-01-01", "pg_catalog.date"));
            let cut = call("date_trunc", &[&unit, &format!("({value})::pg_catalog.timestamp")]);
            Ok(format!(
                "(CASE WHEN ({early} OR {late}) THEN (CASE WHEN {finite} THEN NULL::pg_catalog.date ELSE {value} END) \
                 ELSE ({cut})::pg_catalog.date END)"
            ))
        }
        "timestamp" => {
            let early = op(
                value,
                "<",
                &print::constant("4713-01-01 00:00:00 BC", "pg_catalog.timestamp"),
            );
            Ok(format!(
                "(CASE WHEN ({finite} AND {early}) THEN NULL::pg_catalog.timestamp ELSE {} END)",
                call("date_trunc", &[&unit, value])
            ))
        }
        "timestamptz" => {
            let early = op(
                value,
                "<",
                &print::constant("4713-01-01 00:00:00+00 BC", "pg_catalog.timestamptz"),
            );
            Ok(format!(
                "(CASE WHEN ({finite} AND {early}) THEN NULL::pg_catalog.timestamptz ELSE {} END)",
                call("date_trunc", &[&unit, value, &print::text("UTC")])
            ))
        }
        _ => Err("it is for dates and timestamps".to_owned()),
    }
}
