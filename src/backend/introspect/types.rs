//! Types: reading them, which of them can be compared, and how each is written as SQL.

use super::IntrospectError;
use crate::catalog::{Catalog, Oid, Type, TypeKind};
use crate::name::QualifiedName;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio_postgres::Row;

/// Fills the snapshot's types; equality only as far as a type has its own (see [`spread_equality`]).
pub(super) fn read_into(catalog: &mut Catalog, rows: &[Row]) -> Result<(), IntrospectError> {
    let mut direct = HashSet::new();
    let mut coercible: Vec<(Oid, Vec<Oid>)> = Vec::new();
    let mut bases = HashMap::new();
    let mut constrained = HashSet::new();
    for row in rows {
        let oid: Oid = row.try_get(0)?;
        let name = QualifiedName::new(row.try_get::<_, String>(1)?, row.try_get::<_, String>(2)?);
        if row.try_get(9)? {
            direct.insert(oid);
        }
        let base: Oid = row.try_get(7)?;
        if base != 0 {
            bases.insert(oid, base);
        }
        if row.try_get(10)? {
            constrained.insert(oid);
        }
        coercible.push((oid, row.try_get(11)?));
        let kind = match row.try_get::<_, String>(3)?.as_str() {
            "c" => TypeKind::Composite,
            "d" => TypeKind::Domain,
            "e" => TypeKind::Enum,
            "p" => TypeKind::Pseudo,
            "r" => TypeKind::Range,
            "m" => TypeKind::Multirange,
            _ => TypeKind::Base,
        };
        let read = Type {
            oid,
            name: name.clone(),
            kind,
            category: row.try_get::<_, String>(4)?.chars().next().unwrap_or('X'),
            element: row.try_get(5)?,
            array: row.try_get(6)?,
            base,
            relation: row.try_get(8)?,
            has_equality: direct.contains(&oid),
            collatable: row.try_get(12)?,
            collation: match (
                row.try_get::<_, Option<String>>(13)?,
                row.try_get::<_, Option<String>>(14)?,
            ) {
                (Some(schema), Some(name)) => Some(QualifiedName::new(schema, name)),
                _ => None,
            },
        };
        catalog.type_names.insert(name, oid);
        catalog.types.insert(oid, Arc::new(read));
    }
    for (oid, targets) in coercible {
        if !direct.contains(&oid) && targets.iter().any(|t| direct.contains(t)) {
            set_equality(catalog, oid);
        }
    }
    for &oid in bases.keys() {
        let mut at = Some(&oid);
        while let Some(here) = at {
            if constrained.contains(here) {
                catalog.constrained_domains.insert(oid);
                break;
            }
            at = bases.get(here);
        }
    }
    Ok(())
}

/// Gives arrays, domains, enums, ranges and composites the equality that follows from their parts.
pub(super) fn spread_equality(catalog: &mut Catalog) {
    let mut found = Vec::new();
    for (&oid, read) in &catalog.types {
        if !read.has_equality && follows(catalog, oid, 0) {
            found.push(oid);
        }
    }
    for oid in found {
        set_equality(catalog, oid);
    }
}

fn set_equality(catalog: &mut Catalog, oid: Oid) {
    if let Some(read) = catalog.types.get_mut(&oid) {
        Arc::make_mut(read).has_equality = true;
    }
}

fn follows(catalog: &Catalog, oid: Oid, depth: u8) -> bool {
    const DEEPEST: u8 = 16;
    let Some(read) = catalog.types.get(&oid) else {
        return false;
    };
    if read.has_equality {
        return true;
    }
    if depth > DEEPEST {
        return false;
    }
    match read.kind {
        TypeKind::Enum | TypeKind::Range | TypeKind::Multirange => true,
        TypeKind::Domain => follows(catalog, read.base, depth + 1),
        TypeKind::Base => read.element != 0 && follows(catalog, read.element, depth + 1),
        TypeKind::Composite => catalog
            .relations
            .get(&read.relation)
            .is_some_and(|r| r.columns.iter().all(|c| follows(catalog, c.type_oid, depth + 1))),
        TypeKind::Pseudo => false,
    }
}

/// The type as SQL text, fully qualified, with its modifier. `printed` is `format_type`'s spelling, from which
/// the modifier of a type that this program does not know is taken.
pub(super) fn to_sql(types: &HashMap<Oid, Arc<Type>>, oid: Oid, typmod: i32, printed: &str) -> String {
    let Some(read) = types.get(&oid) else {
        return printed.to_owned();
    };
    if let Some(element) = types.get(&read.element).filter(|_| read.element != 0) {
        return format!(
            "{}{}[]",
            element.name.to_sql(),
            modifier(&element.name, typmod, printed)
        );
    }
    format!("{}{}", read.name.to_sql(), modifier(&read.name, typmod, printed))
}

fn modifier(name: &QualifiedName, typmod: i32, printed: &str) -> String {
    const HEADER: i32 = 4;
    if typmod < 0 {
        return String::new();
    }
    if name.schema == "pg_catalog" {
        match name.name.as_str() {
            "varchar" | "bpchar" => return format!("({})", typmod - HEADER),
            "bit" | "varbit" | "time" | "timetz" | "timestamp" | "timestamptz" => return format!("({typmod})"),
            "numeric" => {
                let bits = typmod - HEADER;
                let scale = ((bits & 0x7ff) ^ 1024) - 1024;
                return format!("({},{scale})", (bits >> 16) & 0xffff);
            }
            "interval" => {
                let fields = (typmod >> 16) & 0x7fff;
                let precision = typmod & 0xffff;
                return if precision == 0xffff {
                    format!("({fields})")
                } else {
                    format!("({fields},{precision})")
                };
            }
            _ => {}
        }
    }
    match (printed.find('('), printed.rfind(')')) {
        (Some(from), Some(to)) => printed.get(from..=to).unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}
