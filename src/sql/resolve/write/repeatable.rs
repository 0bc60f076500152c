//! Values that may be written twice, because they are the same each time they are evaluated in one statement.

use crate::catalog::{Catalog, FunctionKind, TypeKind, Volatility};
use crate::sql::resolve::{Analysis, name_parts};
use pg_query::NodeEnum;
use pg_query::protobuf::{FuncCall, Node, TypeName};

impl Analysis<'_> {
    /// Has a value the same value each time, and no name that could mean something else inside a query of its own?
    /// Constants, parameters, columns, and what PostgreSQL's own stable functions and operators make of them.
    pub(super) fn is_repeatable(&self, value: &Node) -> bool {
        let catalog = &self.world.catalog;
        let one = |node: Option<&Node>| node.is_none_or(|n| self.is_repeatable(n));
        let all = |nodes: &[Node]| nodes.iter().all(|n| self.is_repeatable(n));
        let Some(node) = value.node.as_ref() else {
            return false;
        };
        match node {
            NodeEnum::AConst(_) | NodeEnum::ParamRef(_) | NodeEnum::SetToDefault(_) | NodeEnum::SqlvalueFunction(_) => {
                true
            }
            NodeEnum::ColumnRef(column) => column.fields.len() <= 2 && name_parts(&column.fields).is_some(),
            NodeEnum::TypeCast(cast) => {
                one(cast.arg.as_deref()) && cast.type_name.as_ref().is_some_and(|ty| is_builtin_type(catalog, ty))
            }
            NodeEnum::FuncCall(call) => is_stable(catalog, call) && all(&call.args),
            NodeEnum::AExpr(operation) => {
                let names = name_parts(&operation.name);
                let symbol = names.as_deref().and_then(|n| n.last()).copied();
                symbol.is_some_and(|s| is_builtin_operator(catalog, s))
                    && one(operation.lexpr.as_deref())
                    && one(operation.rexpr.as_deref())
            }
            NodeEnum::List(list) => all(&list.items),
            NodeEnum::AArrayExpr(array) => all(&array.elements),
            NodeEnum::BoolExpr(operation) => all(&operation.args),
            NodeEnum::CoalesceExpr(coalesce) => all(&coalesce.args),
            NodeEnum::MinMaxExpr(extreme) => all(&extreme.args),
            NodeEnum::NullTest(test) => one(test.arg.as_deref()),
            NodeEnum::BooleanTest(test) => one(test.arg.as_deref()),
            NodeEnum::CaseExpr(case) => one(case.arg.as_deref()) && all(&case.args) && one(case.defresult.as_deref()),
            NodeEnum::CaseWhen(when) => one(when.expr.as_deref()) && one(when.result.as_deref()),
            _ => false,
        }
    }
}

/// Is a call that of a function of PostgreSQL's own, whichever of that name it is, which gives the same result all
/// through a statement?
fn is_stable(catalog: &Catalog, call: &FuncCall) -> bool {
    let plain = !call.agg_star
        && !call.agg_distinct
        && !call.agg_within_group
        && call.agg_order.is_empty()
        && call.agg_filter.is_none()
        && call.over.is_none();
    let Some(names) = name_parts(&call.funcname) else {
        return false;
    };
    let (schema, name) = match names.as_slice() {
        [name] => (None, *name),
        [schema, name] => (Some(*schema), *name),
        _ => return false,
    };
    let mut candidates = catalog
        .functions
        .get(name)
        .into_iter()
        .flatten()
        .filter(|f| schema.is_none_or(|s| s == f.name.schema))
        .peekable();
    plain
        && candidates.peek().is_some()
        && candidates.all(|f| {
            f.name.schema == "pg_catalog"
                && f.kind == FunctionKind::Function
                && !f.returns_set
                && f.volatility != Volatility::Volatile
        })
}

fn is_builtin_operator(catalog: &Catalog, symbol: &str) -> bool {
    let known = catalog.operators.get(symbol);
    known.is_some_and(|operators| operators.iter().all(|o| o.name.schema == "pg_catalog"))
}

fn is_builtin_type(catalog: &Catalog, name: &TypeName) -> bool {
    let Some(names) = name_parts(&name.names) else {
        return false;
    };
    let types = match names.as_slice() {
        [name] => catalog
            .types
            .values()
            .filter(|t| t.name.name == *name)
            .collect::<Vec<_>>(),
        [schema, name] => catalog.type_named(schema, name).into_iter().collect(),
        _ => return false,
    };
    let fine = |kind: TypeKind, schema: &str| schema == "pg_catalog" || kind == TypeKind::Enum;
    !types.is_empty() && types.iter().all(|t| fine(t.kind, &t.name.schema))
}
