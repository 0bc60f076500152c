//! Type names and casts.

use super::facts::Facts;
use super::scope::Scope;
use super::{Analysis, lost, name_parts, unsupported};
use crate::catalog::{Oid, Type, TypeKind};
use crate::name::QualifiedName;
use crate::refusal::{Refusal, SqlState};
use crate::sql::lists;
use pg_query::NodeEnum;
use pg_query::protobuf::{Node, TypeCast, TypeName};
use std::sync::Arc;

/// Object identifiers of built-in types that the analysis names.
pub mod oid {
    #![allow(missing_docs)]
    pub const BOOL: u32 = 16;
    pub const NAME: u32 = 19;
    pub const INT8: u32 = 20;
    pub const INT2: u32 = 21;
    pub const INT4: u32 = 23;
    pub const TEXT: u32 = 25;
    pub const OID: u32 = 26;
    pub const RECORD: u32 = 2249;
    pub const BPCHAR: u32 = 1042;
    pub const VARCHAR: u32 = 1043;
    pub const DATE: u32 = 1082;
    pub const TIMESTAMP: u32 = 1114;
    pub const TIMESTAMPTZ: u32 = 1184;
    pub const INTERVAL: u32 = 1186;
    pub const NUMERIC: u32 = 1700;
    pub const JSON: u32 = 114;
    pub const JSONB: u32 = 3802;
    /// Those that their category prefers (`typispreferred`): bool, text, oid, float8, inet, timestamptz, interval, varbit.
    pub const PREFERRED: [u32; 8] = [BOOL, TEXT, OID, 701, 869, TIMESTAMPTZ, INTERVAL, 1562];
}

impl Analysis<'_> {
    /// The type that a type name means, arrays included; refused where a client may not use it.
    pub fn type_name(&mut self, name: &TypeName) -> Result<Option<Oid>, Refusal> {
        if name.pct_type || name.setof {
            return Err(unsupported("%TYPE and SETOF"));
        }
        let parts = name_parts(&name.names).ok_or_else(lost)?;
        let found = match parts.as_slice() {
            // PostgreSQL looks for types in pg_temp first, and every table is one
            [one] if self.is_temp_row_type(one) => {
                return Err(unsupported("the row type of a temporary table"));
            }
            [one] => self.find_type(one),
            [schema, one] => self.world.catalog.type_named(schema, one).cloned(),
            [database, schema, one] if *database == self.world.catalog.database => {
                self.world.catalog.type_named(schema, one).cloned()
            }
            _ => None,
        };
        let Some(found) = found else {
            let shown = parts.join(".");
            return Err(self.place(
                Refusal::new(
                    "no-type",
                    SqlState::UndefinedObject,
                    format!("type \"{shown}\" does not exist"),
                ),
                name.location,
            ));
        };
        for bound in &name.typmods {
            match bound.node.as_ref() {
                Some(NodeEnum::AConst(_)) => {}
                Some(NodeEnum::ColumnRef(_)) | Some(_) | None => return Err(unsupported("this type modifier")),
            }
        }
        self.type_allowed(&found, name.location)?;
        if name.array_bounds.is_empty() {
            Ok(Some(found.oid))
        } else {
            Ok(self.array_of(found.oid))
        }
    }

    fn is_temp_row_type(&self, name: &str) -> bool {
        let element = name.strip_prefix('_').unwrap_or(name);
        self.session
            .temp_relations
            .iter()
            .any(|r| r.name.name == name || r.name.name == element)
    }

    fn find_type(&self, name: &str) -> Option<Arc<Type>> {
        let path = &self.unit().ok()?.search_path;
        std::iter::once("pg_catalog")
            .chain(path.iter().map(String::as_str))
            .find_map(|schema| self.world.catalog.type_named(schema, name).cloned())
    }

    fn type_allowed(&self, ty: &Type, location: i32) -> Result<(), Refusal> {
        let named = |q: &QualifiedName| self.rights.functions.contains(q);
        let element = if ty.element != 0 && ty.name.name.starts_with('_') {
            self.world.catalog.types.get(&ty.element).map(Arc::as_ref)
        } else {
            None
        };
        let scalar = element.unwrap_or(ty);
        let allowed = if matches!(scalar.name.schema.as_str(), "pg_catalog" | "information_schema") {
            lists::type_input_is_allowed(&scalar.name.schema, &scalar.name.name)
                || (self.unit != 0 && scalar.kind != TypeKind::Pseudo)
        } else {
            match scalar.kind {
                TypeKind::Enum => true,
                TypeKind::Composite => !self.row_type_hides(scalar.relation),
                TypeKind::Range | TypeKind::Multirange => named(&scalar.name),
                TypeKind::Base | TypeKind::Domain | TypeKind::Pseudo => named(&scalar.name),
            }
        };
        if allowed {
            return Ok(());
        }
        Err(self.place(
            Refusal::forbidden(
                "type-not-allowed",
                format!("permission denied for type {}", scalar.name.name),
            )
            .hint(format!(
                "Ask the administrator of rowgate to name {} among your role's functions.",
                scalar.name
            )),
            location,
        ))
    }

    /// Reads `expression::type`.
    pub fn cast(&mut self, cast: &TypeCast, scope: &Scope<'_>) -> Result<Facts, Refusal> {
        let name = cast.type_name.as_ref().ok_or_else(lost)?;
        let target = self.type_name(name)?;
        let argument = self.expression(cast.arg.as_deref().ok_or_else(lost)?, scope)?;
        let mut facts = Facts {
            ty: target,
            shallow: argument.shallow,
            ..Facts::default()
        };
        facts.absorb(&argument);
        let has_typmod = !name.typmods.is_empty();
        let is_domain = target
            .and_then(|t| self.world.catalog.types.get(&t))
            .is_none_or(|t| t.kind == TypeKind::Domain);
        let from = if argument.untyped {
            Some(lists::UNKNOWN)
        } else {
            argument.ty.map(|t| self.list_type(t))
        };
        let to = target.map(|t| self.list_type(t));
        let constant = argument.literal.is_some() || argument.integer.is_some();
        let constrained = target.is_none_or(|t| self.world.catalog.constrained_domains.contains(&t));
        // at the end of its range a date is no timestamp, and a timestamp none of another time zone
        let too_far = argument.distant && from != to && from.is_some_and(lists::is_moment);
        let total = match (from, to) {
            (Some(from), Some(to)) => {
                if to == oid::INTERVAL && argument.untyped {
                    facts.literal.clone_from(&argument.literal);
                }
                if constant && lists::constant_survives_cast(from, to, has_typmod) {
                    facts.literal = argument.literal;
                    facts.integer = argument.integer;
                }
                (argument.ty == target && !has_typmod)
                    || !constrained
                        && !too_far
                        && lists::cast_is_total(from, to, has_typmod)
                        && (!lists::cast_meets_the_edge(from, to) || facts.may_meet_the_edge())
                    || (!is_domain
                        && !too_far
                        && (constant || (argument.untyped && self.takes_type(cast.arg.as_deref())))
                        && lists::constant_cast_is_early(from, to, has_typmod))
            }
            _ => false,
        };
        facts.now = argument.now && matches!(to, Some(oid::DATE | oid::TIMESTAMP | oid::TIMESTAMPTZ));
        if !total {
            facts.not_total(|| format!("a cast to {}", name_parts(&name.names).unwrap_or_default().join(".")));
        }
        Ok(facts)
    }

    /// Does an untyped argument become the target's type when the statement is read? A literal does, and a parameter
    /// that is written once; of several uses the first decides, and the others convert at run time.
    fn takes_type(&self, argument: Option<&Node>) -> bool {
        match argument.and_then(|a| a.node.as_ref()) {
            Some(NodeEnum::ParamRef(parameter)) => self.parameter_uses.get(&parameter.number) == Some(&1),
            Some(NodeEnum::AConst(_)) => true,
            Some(_) | None => false,
        }
    }

    /// The type that two become where one has to be found (`select_common_type` in parse_coerce.c).
    pub fn common_type(&self, left: Option<Oid>, right: Option<Oid>) -> Option<Oid> {
        let (left, right) = (left?, right?);
        if left == right {
            return Some(left);
        }
        let (left, right) = (self.base_of(left), self.base_of(right));
        let category = |ty: Oid| self.world.catalog.types.get(&ty).map(|t| t.category);
        if category(left)? != category(right)? {
            return None;
        }
        let implicit = |from: Oid, to: Oid| {
            self.world
                .catalog
                .casts
                .get(&(from, to))
                .is_some_and(|c| c.context == 'i')
        };
        let gives_way = !oid::PREFERRED.contains(&left) && implicit(left, right) && !implicit(right, left);
        Some(if gives_way { right } else { left })
    }

    /// What the catalogue has on a type.
    pub(super) fn type_of(&self, ty: Option<Oid>) -> Option<&Type> {
        self.world.catalog.types.get(&ty?).map(Arc::as_ref)
    }

    /// A domain's base type, any other as it is.
    fn base_of(&self, ty: Oid) -> Oid {
        let mut oid = ty;
        for _ in 0..8 {
            match self.world.catalog.types.get(&oid) {
                Some(t) if t.kind == TypeKind::Domain && t.base != 0 => oid = t.base,
                Some(_) | None => return oid,
            }
        }
        oid
    }

    /// The array type over a type.
    pub fn array_of(&self, ty: Oid) -> Option<Oid> {
        self.world.catalog.types.get(&ty).map(|t| t.array).filter(|&a| a != 0)
    }

    /// The element type of an array type.
    pub fn element_of(&self, ty: Oid) -> Option<Oid> {
        self.world
            .catalog
            .types
            .get(&ty)
            .filter(|t| t.category == 'A')
            .map(|t| t.element)
            .filter(|&e| e != 0)
    }

    /// The type as the reviewed lists know it: a domain's base type, any enum as one.
    pub fn list_type(&self, ty: Oid) -> Oid {
        let oid = self.base_of(ty);
        match self.world.catalog.types.get(&oid) {
            Some(t) if t.kind == TypeKind::Enum => lists::ANY_ENUM,
            Some(_) | None => oid,
        }
    }
}

/// A built-in type with its modifier, as SQL; nothing where it has none or the type's modifiers are not plain numbers.
pub fn with_modifier(ty: Oid, typmod: i32) -> Option<String> {
    if typmod < 0 {
        return None;
    }
    Some(match ty {
        oid::VARCHAR => format!("pg_catalog.varchar({})", typmod - 4),
        oid::BPCHAR => format!("pg_catalog.bpchar({})", typmod - 4),
        oid::NUMERIC => {
            let packed = typmod - 4;
            // eleven bits, signed
            let scale = ((packed & 0x7ff) ^ 1024) - 1024;
            format!("pg_catalog.numeric({}, {scale})", (packed >> 16) & 0xffff)
        }
        oid::TIMESTAMP => format!("pg_catalog.timestamp({typmod})"),
        oid::TIMESTAMPTZ => format!("pg_catalog.timestamptz({typmod})"),
        _ => return None,
    })
}
