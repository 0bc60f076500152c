//! Names in a DBA's expression, looked up in the catalogue and spelled with their schema.

use crate::catalog::{Catalog, FunctionKind, Volatility};
use crate::name::{QualifiedName, quote_ident};
use pg_query::NodeEnum;
use pg_query::protobuf::{Node, TypeName, a_const};

/// The strings of a name list.
pub(super) fn parts(names: &[Node]) -> Option<Vec<&str>> {
    names
        .iter()
        .map(|n| match &n.node {
            Some(NodeEnum::String(s)) => Some(s.sval.as_str()),
            _ => None,
        })
        .collect()
}

/// Where an unqualified name is found: `pg_catalog` first, else the only schema that has it.
fn schema_of<'c>(found: impl Iterator<Item = &'c str>) -> Result<Option<&'c str>, ()> {
    let mut only: Option<&str> = None;
    let mut several = false;
    for schema in found {
        if schema == "pg_catalog" {
            return Ok(Some("pg_catalog"));
        }
        several |= only.is_some_and(|o| o != schema);
        only = Some(schema);
    }
    if several { Err(()) } else { Ok(only) }
}

/// `OPERATOR(schema.symbol)`
pub(super) fn operator(catalog: &Catalog, name: &[Node]) -> Result<(String, String), String> {
    let parts = parts(name).ok_or("an operator's name cannot be read")?;
    let (schema, symbol) = match parts.as_slice() {
        [symbol] => {
            // a parser's spelling of <>
            let symbol = if *symbol == "!=" { "<>" } else { symbol };
            let found = catalog.operators.get(symbol).into_iter().flatten();
            let schema = schema_of(found.map(|o| o.name.schema.as_str()))
                .map_err(|()| format!("operator {symbol} exists in several schemas: write OPERATOR(schema.{symbol})"))?
                .ok_or_else(|| format!("there is no operator {symbol}"))?;
            (schema, symbol)
        }
        [schema, symbol] => (*schema, *symbol),
        _ => return Err("an operator's name has too many parts".to_owned()),
    };
    let printed = if schema == "pg_catalog" {
        format!("OPERATOR(pg_catalog.{symbol})")
    } else {
        format!("OPERATOR({}.{symbol})", quote_ident(schema))
    };
    Ok((printed, symbol.to_owned()))
}

/// Functions whose result depends on the session, which a client can change.
const SESSION_DEPENDENT: [&str; 9] = [
    "current_setting",
    "current_schema",
    "current_schemas",
    "current_database",
    "pg_backend_pid",
    "inet_client_addr",
    "inet_server_addr",
    "pg_my_temp_schema",
    "to_date",
];

/// The function's qualified name as SQL.
pub(super) fn function(catalog: &Catalog, name: &[Node], arguments: usize) -> Result<String, String> {
    let parts = parts(name).ok_or("a function's name cannot be read")?;
    let (schema, plain) = match parts.as_slice() {
        [plain] => {
            let found = catalog.functions.get(*plain).into_iter().flatten();
            let schema = schema_of(found.map(|f| f.name.schema.as_str()))
                .map_err(|()| format!("function {plain} exists in several schemas: write schema.{plain}"))?
                .ok_or_else(|| format!("there is no function {plain}"))?;
            (schema, *plain)
        }
        [schema, plain] => (*schema, *plain),
        _ => return Err("a function's name has too many parts".to_owned()),
    };
    let candidates: Vec<_> = catalog
        .functions
        .get(plain)
        .into_iter()
        .flatten()
        .filter(|f| f.name.schema == schema)
        .filter(|f| {
            f.variadic || (f.arguments.len() >= arguments && f.arguments.len() - usize::from(f.defaults) <= arguments)
        })
        .collect();
    if candidates.is_empty() {
        return Err(format!(
            "there is no function {schema}.{plain} of {arguments} arguments"
        ));
    }
    for candidate in candidates {
        if candidate.kind != FunctionKind::Function || candidate.returns_set {
            return Err(format!("{plain} is not a plain function"));
        }
        if candidate.volatility == Volatility::Volatile {
            return Err(format!("{plain} is volatile: its result may change within a statement"));
        }
    }
    if schema == "pg_catalog" && SESSION_DEPENDENT.contains(&plain) {
        return Err(format!("the result of {plain} depends on the session's settings"));
    }
    Ok(if schema == "pg_catalog" {
        format!("pg_catalog.{}", quote_ident(plain))
    } else {
        QualifiedName::new(schema, plain).to_sql()
    })
}

/// The type's qualified name with its modifier, as SQL.
pub(super) fn type_name(catalog: &Catalog, name: &TypeName) -> Result<String, String> {
    if name.setof || name.pct_type {
        return Err("SETOF and %TYPE are not for expressions".to_owned());
    }
    let parts = parts(&name.names).ok_or("a type's name cannot be read")?;
    let (schema, plain) = match parts.as_slice() {
        [plain] => {
            let found = catalog.type_names.keys().filter(|n| n.name == *plain);
            let schema = schema_of(found.map(|n| n.schema.as_str()))
                .map_err(|()| format!("type {plain} exists in several schemas: write schema.{plain}"))?
                .ok_or_else(|| format!("there is no type {plain}"))?;
            (schema, *plain)
        }
        [schema, plain] => (*schema, *plain),
        _ => return Err("a type's name has too many parts".to_owned()),
    };
    if catalog.type_named(schema, plain).is_none() {
        return Err(format!("there is no type {schema}.{plain}"));
    }
    let mut modifiers = Vec::new();
    for modifier in &name.typmods {
        match &modifier.node {
            Some(NodeEnum::AConst(constant)) => match &constant.val {
                Some(a_const::Val::Ival(n)) => modifiers.push(n.ival.to_string()),
                None if !constant.isnull => modifiers.push("0".to_owned()),
                _ => return Err("a type's modifier is not a number".to_owned()),
            },
            _ => return Err("a type's modifier is not a number".to_owned()),
        }
    }
    let mut out = QualifiedName::new(schema, plain).to_sql();
    if !modifiers.is_empty() {
        out.push_str(&format!("({})", modifiers.join(", ")));
    }
    out.push_str(&"[]".repeat(name.array_bounds.len().min(1)));
    Ok(out)
}
