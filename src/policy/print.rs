//! SQL as rowgate prints it: the same meaning whatever the session's search_path and settings are.

use super::decision::ROW_ALIAS;
use crate::catalog::{Catalog, Column, Oid, TypeKind};
use crate::identity::Attribute;
use crate::name::{QualifiedName, quote_ident, quote_literal};

/// The alias of the row at this many parents up; 0 is the protected row itself.
pub(super) fn alias(level: usize) -> String {
    if level == 0 {
        quote_ident(ROW_ALIAS)
    } else {
        quote_ident(&format!("rowgate:p{level}"))
    }
}

/// A column of the row under this alias (already quoted).
pub(super) fn column(alias: &str, name: &str) -> String {
    format!("{alias}.{}", quote_ident(name))
}

/// `(left OPERATOR(pg_catalog.op) right)`
pub(super) fn op(left: &str, symbol: &str, right: &str) -> String {
    format!("({left} OPERATOR(pg_catalog.{symbol}) {right})")
}

/// `pg_catalog.name(arguments)`
pub(super) fn call(name: &str, arguments: &[&str]) -> String {
    format!("pg_catalog.{name}({})", arguments.join(", "))
}

/// A constant of a type given as SQL.
pub(super) fn constant(text: &str, type_sql: &str) -> String {
    format!("{}::{type_sql}", quote_literal(text))
}

/// A text constant.
pub(super) fn text(value: &str) -> String {
    constant(value, "pg_catalog.text")
}

/// How the values of a column are compared with those of another place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Family {
    /// int2, int4, int8 with the least and greatest value.
    Integer(i128, i128, &'static str),
    /// numeric
    Numeric,
    /// text, varchar, char, name
    Text,
    /// uuid
    Uuid,
    /// Another type whose equality stands in pg_catalog; compared only with itself.
    Same(Oid, QualifiedName),
}

impl Family {
    /// May values of the two be compared?
    pub(super) fn fits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Integer(..) | Self::Numeric, Self::Integer(..) | Self::Numeric)
            | (Self::Text, Self::Text)
            | (Self::Uuid, Self::Uuid) => true,
            (Self::Same(a, _), Self::Same(b, _)) => a == b,
            _ => false,
        }
    }
}

/// The family of a type; `None` where it has no equality in pg_catalog.
pub(super) fn family(catalog: &Catalog, oid: Oid) -> Option<Family> {
    let base = base_type(catalog, oid);
    let read = catalog.types.get(&base)?;
    if read.name.schema == "pg_catalog" {
        match read.name.name.as_str() {
            "int2" => return Some(Family::Integer(i16::MIN.into(), i16::MAX.into(), "pg_catalog.int2")),
            "int4" => return Some(Family::Integer(i32::MIN.into(), i32::MAX.into(), "pg_catalog.int4")),
            "int8" => return Some(Family::Integer(i64::MIN.into(), i64::MAX.into(), "pg_catalog.int8")),
            "numeric" => return Some(Family::Numeric),
            "text" | "varchar" | "bpchar" | "name" => return Some(Family::Text),
            "uuid" => return Some(Family::Uuid),
            _ => {}
        }
        let equality = catalog
            .operators
            .get("=")?
            .iter()
            .any(|o| o.name.schema == "pg_catalog" && o.left == base && o.right == base);
        return equality.then(|| Family::Same(base, read.name.clone()));
    }
    (read.kind == TypeKind::Enum).then(|| Family::Same(base, read.name.clone()))
}

/// The type below all domains.
pub(super) fn base_type(catalog: &Catalog, oid: Oid) -> Oid {
    let mut at = oid;
    while let Some(read) = catalog.types.get(&at) {
        if read.kind != TypeKind::Domain {
            break;
        }
        at = read.base;
    }
    at
}

/// A column's value in the form in which its family is compared.
pub(super) fn comparable(catalog: &Catalog, sql: &str, of: &Column) -> Option<(String, Family)> {
    let base = base_type(catalog, of.type_oid);
    let read = catalog.types.get(&base)?;
    let family = family(catalog, of.type_oid)?;
    let plain = base == of.type_oid && (family != Family::Text || read.name.name == "text");
    let sql = if plain {
        sql.to_owned()
    } else if family == Family::Text {
        format!("({sql})::pg_catalog.text")
    } else {
        format!("({sql})::{}", read.name.to_sql())
    };
    Some((sql, family))
}

/// `value = constants`, or `None` where no value of the family can equal any of them.
pub(super) fn equals_any(value: &str, family: &Family, attribute: &Attribute) -> Option<String> {
    let mut texts: Vec<&str> = Vec::new();
    for text in &attribute.values {
        let fits = match family {
            Family::Integer(least, greatest, _) => text.parse::<i128>().is_ok_and(|n| *least <= n && n <= *greatest),
            Family::Numeric => text.parse::<f64>().is_ok_and(f64::is_finite),
            Family::Uuid => text.len() == 36 && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-'),
            Family::Text => true,
            Family::Same(_, name) => *attribute.type_sql == *name.to_sql(),
        };
        if fits {
            texts.push(text);
        }
    }
    let type_sql = match family {
        Family::Integer(_, _, name) => (*name).to_owned(),
        Family::Numeric => "pg_catalog.numeric".to_owned(),
        Family::Text => "pg_catalog.text".to_owned(),
        Family::Uuid => "pg_catalog.uuid".to_owned(),
        Family::Same(_, name) => name.to_sql(),
    };
    match texts.as_slice() {
        [] => None,
        [one] => Some(op(value, "=", &constant(one, &type_sql))),
        many => {
            let list = constant(&array_text(many), &format!("{type_sql}[]"));
            Some(format!("({value} OPERATOR(pg_catalog.=) ANY ({list}))"))
        }
    }
}

/// An attribute as a constant of its own type, for conditions of the DBA's.
pub(super) fn attribute(value: &Attribute) -> Option<String> {
    if value.is_list {
        let texts: Vec<&str> = value.values.iter().map(String::as_str).collect();
        return Some(constant(&array_text(&texts), &format!("{}[]", value.type_sql)));
    }
    value.values.first().map(|one| constant(one, &value.type_sql))
}

/// An array's text form; plain numbers stay unquoted, so that it reads well.
fn array_text(values: &[&str]) -> String {
    let mut out = String::from("{");
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        if !value.is_empty() && value.chars().all(|c| c.is_ascii_digit()) {
            out.push_str(value);
            continue;
        }
        out.push('"');
        for c in value.chars() {
            if c == '"' || c == '\\' {
                out.push('\\');
            }
            out.push(c);
        }
        out.push('"');
    }
    out.push('}');
    out
}
