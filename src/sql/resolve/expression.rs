//! Expressions: each kind that the grammar has is read, or refused by name.

use super::columns::Meaning;
use super::facts::Facts;
use super::scope::{Item, Scope, Source};
use super::{Analysis, lost, name_parts, oid, string_of, unsupported};
use crate::name::QualifiedName;
use crate::refusal::Refusal;
use crate::sql::census::census_of_node;
use crate::sql::lists;
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::NodeEnum;
use pg_query::protobuf::{
    AConst, AIndirection, CaseExpr, ColumnRef, Node, RowExpr, SqlValueFunctionOp, SubLink, SubLinkType, Token,
    a_const::Val,
};
use std::collections::BTreeSet;

impl Analysis<'_> {
    /// Reads an expression: resolves its names, checks its functions, operators and types, and tells its facts.
    pub fn expression(&mut self, node: &Node, scope: &Scope<'_>) -> Result<Facts, Refusal> {
        crate::sql::patience::check()?;
        let mut facts = stacker::maybe_grow(128 * 1024, 4 * 1024 * 1024, || self.expression_here(node, scope))?;
        if let Some(collation) = self.type_of(facts.ty).and_then(|t| t.collation.clone()) {
            facts.collations.insert(collation);
        }
        Ok(facts)
    }

    fn expression_here(&mut self, node: &Node, scope: &Scope<'_>) -> Result<Facts, Refusal> {
        match node.node.as_ref().ok_or_else(lost)? {
            NodeEnum::AConst(constant) => Ok(constant_facts(constant)),
            NodeEnum::ColumnRef(reference) => self.column_ref(reference, scope),
            NodeEnum::ParamRef(parameter) => {
                let index = usize::try_from(parameter.number - 1).unwrap_or(usize::MAX);
                let ty = self.parameters.get(index).copied().filter(|&t| t != 0);
                Ok(Facts {
                    untyped: ty.is_none(),
                    bulky: true,
                    distant: true,
                    ..Facts::of(ty)
                })
            }
            NodeEnum::AExpr(operation) => self.operation(operation, scope),
            NodeEnum::BoolExpr(parts) => {
                let mut facts = self.all(&parts.args, scope)?;
                facts.ty = Some(oid::BOOL);
                Ok(facts)
            }
            NodeEnum::NullTest(test) => self.part(test.arg.as_deref(), scope, Some(oid::BOOL)),
            NodeEnum::BooleanTest(test) => self.part(test.arg.as_deref(), scope, Some(oid::BOOL)),
            NodeEnum::TypeCast(cast) => self.cast(cast, scope),
            NodeEnum::CollateClause(collate) => {
                let names = name_parts(&collate.collname).ok_or_else(lost)?;
                let mut facts = self.expression(collate.arg.as_deref().ok_or_else(lost)?, scope)?;
                facts.origin = None;
                if facts.untyped {
                    facts.untyped = false;
                    facts.ty = Some(oid::TEXT);
                }
                // the schemas of the path may hold one of any name: it counts as plain only where it is written so
                let (schema, name) = match names.as_slice() {
                    [name] => ("", *name),
                    [.., schema, name] => (*schema, *name),
                    [] => return Err(lost()),
                };
                let schema = if schema.is_empty() && matches!(name, "C" | "POSIX" | "default" | "ucs_basic") {
                    "pg_catalog"
                } else {
                    schema
                };
                facts.collations = [QualifiedName::new(schema, name)].into();
                Ok(facts)
            }
            NodeEnum::FuncCall(call) => self.call(call, scope),
            NodeEnum::CaseExpr(case) => self.case(case, scope),
            NodeEnum::CoalesceExpr(coalesce) => self.alike(&coalesce.args, scope, "COALESCE of different types"),
            NodeEnum::MinMaxExpr(extreme) => {
                let mut facts = self.alike(&extreme.args, scope, "GREATEST or LEAST of different types")?;
                self.require_comparable(&mut facts, "GREATEST or LEAST");
                Ok(facts)
            }
            NodeEnum::RowExpr(row) => self.row(row, scope),
            NodeEnum::AArrayExpr(array) => {
                let mut facts = self.alike(&array.elements, scope, "an array of different types")?;
                facts.ty = self.array_over(facts.ty, &mut facts);
                facts.typmod = -1;
                Ok(facts)
            }
            NodeEnum::AIndirection(indirection) => self.indirection(indirection, scope),
            NodeEnum::SubLink(link) => self.sub_link(link, scope),
            NodeEnum::SqlvalueFunction(value) => Ok(Facts {
                now: true,
                ..Facts::of(match value.op() {
                    SqlValueFunctionOp::SvfopCurrentDate => Some(oid::DATE),
                    SqlValueFunctionOp::SvfopCurrentTimestamp | SqlValueFunctionOp::SvfopCurrentTimestampN => {
                        Some(oid::TIMESTAMPTZ)
                    }
                    SqlValueFunctionOp::SvfopLocaltimestamp | SqlValueFunctionOp::SvfopLocaltimestampN => {
                        Some(oid::TIMESTAMP)
                    }
                    SqlValueFunctionOp::SqlvalueFunctionOpUndefined
                    | SqlValueFunctionOp::SvfopCurrentTime
                    | SqlValueFunctionOp::SvfopCurrentTimeN
                    | SqlValueFunctionOp::SvfopLocaltime
                    | SqlValueFunctionOp::SvfopLocaltimeN
                    | SqlValueFunctionOp::SvfopCurrentRole
                    | SqlValueFunctionOp::SvfopCurrentUser
                    | SqlValueFunctionOp::SvfopUser
                    | SqlValueFunctionOp::SvfopSessionUser
                    | SqlValueFunctionOp::SvfopCurrentCatalog
                    | SqlValueFunctionOp::SvfopCurrentSchema => None,
                })
            }),
            // before that it is a call of anybody's function
            NodeEnum::MergeSupportFunc(_) if self.world.catalog.server_version < 170_000 => {
                Err(unsupported("merge_action() before PostgreSQL 17"))
            }
            NodeEnum::MergeSupportFunc(_) => Ok(Facts::of(Some(oid::TEXT))),
            NodeEnum::GroupingFunc(grouping) => {
                let mut facts = self.all(&grouping.args, scope)?;
                facts.ty = Some(oid::INT4);
                Ok(facts)
            }
            NodeEnum::NamedArgExpr(named) => self.part(named.arg.as_deref(), scope, None),
            NodeEnum::List(list) => self.all(&list.items, scope),
            NodeEnum::SortBy(sort) => self.sort_by(sort, scope),
            NodeEnum::XmlExpr(xml) => {
                let mut facts = self.all(&xml.args, scope)?;
                facts.absorb(&self.targets_of(&xml.named_args, scope)?);
                facts.not_total(|| "an XML expression".to_owned());
                Ok(facts)
            }
            NodeEnum::XmlSerialize(xml) => {
                let mut facts = self.part(xml.expr.as_deref(), scope, None)?;
                if let Some(name) = &xml.type_name {
                    facts.ty = self.type_name(name)?;
                }
                facts.not_total(|| "XMLSERIALIZE".to_owned());
                Ok(facts)
            }
            NodeEnum::JsonFuncExpr(_)
            | NodeEnum::JsonObjectConstructor(_)
            | NodeEnum::JsonArrayConstructor(_)
            | NodeEnum::JsonArrayQueryConstructor(_)
            | NodeEnum::JsonObjectAgg(_)
            | NodeEnum::JsonArrayAgg(_)
            | NodeEnum::JsonIsPredicate(_)
            | NodeEnum::JsonParseExpr(_)
            | NodeEnum::JsonScalarExpr(_)
            | NodeEnum::JsonSerializeExpr(_) => self.json(node, scope),
            NodeEnum::CurrentOfExpr(_) => Err(unsupported("WHERE CURRENT OF")),
            NodeEnum::SetToDefault(_) => Ok(Facts::default()),
            _ => Err(unsupported("this kind of expression")),
        }
    }

    /// The facts of an optional part, as a whole of this type.
    pub fn part(&mut self, node: Option<&Node>, scope: &Scope<'_>, ty: Option<u32>) -> Result<Facts, Refusal> {
        let mut facts = Facts::of(ty);
        if let Some(node) = node {
            facts.absorb(&self.expression(node, scope)?);
        }
        Ok(facts)
    }

    /// The facts of several parts together.
    pub fn all(&mut self, nodes: &[Node], scope: &Scope<'_>) -> Result<Facts, Refusal> {
        let mut facts = Facts::default();
        for node in nodes {
            facts.absorb(&self.expression(node, scope)?);
        }
        Ok(facts)
    }

    /// The facts of parts that become one type: total only if they are of one type already.
    fn alike(&mut self, nodes: &[Node], scope: &Scope<'_>, what: &str) -> Result<Facts, Refusal> {
        let mut whole = Facts {
            untyped: true,
            ..Facts::default()
        };
        let mut mixed = false;
        let mut typmods = BTreeSet::new();
        for node in nodes {
            let facts = self.expression(node, scope)?;
            whole.absorb(&facts);
            typmods.insert(if facts.untyped { -1 } else { facts.typmod });
            if facts.untyped {
                continue;
            }
            mixed |= facts.ty.is_none() || (!whole.untyped && whole.ty != facts.ty);
            if whole.untyped {
                whole.untyped = false;
                whole.ty = facts.ty;
            }
        }
        if mixed {
            whole.ty = None;
            whole.not_total(|| what.to_owned());
        } else if let (1, Some(typmod)) = (typmods.len(), typmods.first()) {
            whole.typmod = *typmod;
        }
        if whole.untyped {
            // literals and parameters among themselves become text
            whole.ty = Some(oid::TEXT);
            whole.untyped = false;
        }
        if !whole.collates() {
            whole.not_total(|| "strings of different collations".to_owned());
        }
        Ok(whole)
    }

    fn case(&mut self, case: &CaseExpr, scope: &Scope<'_>) -> Result<Facts, Refusal> {
        let subject = case.arg.as_deref().map(|a| self.expression(a, scope)).transpose()?;
        let mut whole = Facts::default();
        if let Some(subject) = &subject {
            whole.absorb(subject);
        }
        let mut results = Vec::new();
        for arm in &case.args {
            let Some(NodeEnum::CaseWhen(when)) = arm.node.as_ref() else {
                return Err(lost());
            };
            let condition = self.expression(when.expr.as_deref().ok_or_else(lost)?, scope)?;
            if let Some(subject) = &subject {
                let compared = self.operator_facts(&["="], Some(subject), &condition, when.location)?;
                whole.absorb(&compared);
            } else {
                whole.absorb(&condition);
            }
            results.extend(when.result.as_deref());
        }
        results.extend(case.defresult.as_deref());
        let results: Vec<Node> = results.into_iter().cloned().collect();
        let result = self.alike(&results, scope, "CASE with results of different types")?;
        whole.absorb(&result);
        whole.ty = result.ty;
        whole.typmod = if case.defresult.is_some() { result.typmod } else { -1 };
        Ok(whole)
    }

    fn row(&mut self, row: &RowExpr, scope: &Scope<'_>) -> Result<Facts, Refusal> {
        let mut facts = Facts::default();
        for argument in &row.args {
            facts.absorb(&self.row_field(argument, scope)?);
        }
        Ok(facts)
    }

    /// A field of ROW(…), where `c.*` stands for all columns.
    fn row_field(&mut self, node: &Node, scope: &Scope<'_>) -> Result<Facts, Refusal> {
        if let Some(NodeEnum::ColumnRef(reference)) = node.node.as_ref()
            && matches!(
                reference.fields.last().and_then(|n| n.node.as_ref()),
                Some(NodeEnum::AStar(_))
            )
            && let Meaning::Row(item) = self.meaning(reference, scope)?
        {
            let facts = self.row_facts(&item)?;
            let bytes = self.reference_bytes(reference)?;
            self.star_site(bytes, &[item], false)?;
            return Ok(facts);
        }
        self.expression(node, scope)
    }

    fn indirection(&mut self, indirection: &AIndirection, scope: &Scope<'_>) -> Result<Facts, Refusal> {
        let argument = indirection.arg.as_deref().ok_or_else(lost)?;
        // (c).phone reads a field of the row that the derived table has
        let row = match argument.node.as_ref() {
            Some(NodeEnum::ColumnRef(reference)) => match self.meaning(reference, scope)? {
                Meaning::Row(item) if matches!(item.source, Source::Target(_)) => {
                    return self.field_in_place(indirection, reference, &item, scope);
                }
                Meaning::Row(item) => Some(item),
                Meaning::Value(facts) => return self.subscripts(indirection, facts, scope),
                Meaning::Call(..) => return Err(unsupported("a field of a function's result")),
            },
            Some(_) => None,
            None => return Err(lost()),
        };
        if let Some(item) = row {
            let (first, rest) = indirection.indirection.split_first().ok_or_else(lost)?;
            if matches!(first.node.as_ref(), Some(NodeEnum::AStar(_))) {
                return Err(unsupported("(alias).* in this place").hint("Write alias.* without brackets."));
            }
            let name = string_of(first).ok_or_else(lost)?;
            let column = item.columns.iter().find(|c| c.name == name).cloned();
            let mut facts = match column {
                Some(column) => self.column_facts(&column),
                None if item.opaque => Facts::default(),
                None if !self.world.catalog.functions.contains_key(name) => {
                    return Err(self.no_column(name, -1));
                }
                None => {
                    self.function_allowed(&[name], &[None], 0)?;
                    let mut facts = self.row_facts(&item)?;
                    facts.not_total(|| format!("function {name}"));
                    self.keep_row_private(&item)?;
                    facts
                }
            };
            if !rest.is_empty() {
                facts.ty = None;
                facts.origin = None;
                self.indices(rest, &mut facts, scope)?;
            }
            return Ok(facts);
        }
        let facts = self.expression(argument, scope)?;
        self.subscripts(indirection, facts, scope)
    }

    /// `(t).phone` of a table that is written becomes what shows of the column.
    fn field_in_place(
        &mut self,
        indirection: &AIndirection,
        reference: &ColumnRef,
        item: &Item,
        scope: &Scope<'_>,
    ) -> Result<Facts, Refusal> {
        let (first, rest) = indirection.indirection.split_first().ok_or_else(lost)?;
        let Some(name) = string_of(first) else {
            return Err(unsupported("(alias).* in this place").hint("Write alias.* without brackets."));
        };
        let Some(column) = item.columns.iter().find(|c| c.name == name).cloned() else {
            return Err(match self.world.catalog.functions.contains_key(name) {
                true => unsupported("a function of the whole row of the table that is written"),
                false => self.no_column(name, -1),
            });
        };
        let tokens = self.tokens()?;
        let mut start = tokens.at_location(reference.location).ok_or_else(lost)?;
        let mut end = start + 1;
        while tokens.kind(end) == Some(Token::Ascii41) && start > 0 {
            (start, end) = (start - 1, end + 1);
        }
        let bytes = tokens.bytes(start..end + 2).ok_or_else(lost)?;
        if tokens.kind(start) != Some(Token::Ascii40) || tokens.kind(end) != Some(Token::Ascii46) {
            return Err(lost());
        }
        self.unit_mut()?
            .splices
            .replace(bytes, column.text.clone(), SpliceKind::Column);
        self.renames += 1;
        let mut facts = self.column_facts(&column);
        if !rest.is_empty() {
            facts.ty = None;
            facts.origin = None;
            self.indices(rest, &mut facts, scope)?;
        }
        Ok(facts)
    }

    fn subscripts(
        &mut self,
        indirection: &AIndirection,
        mut facts: Facts,
        scope: &Scope<'_>,
    ) -> Result<Facts, Refusal> {
        let element = facts.ty.and_then(|t| self.element_of(t));
        facts.origin = None;
        facts.literal = None;
        let plain = indirection.indirection.len() == 1;
        let sliced = indirection
            .indirection
            .iter()
            .any(|i| matches!(i.node.as_ref(), Some(NodeEnum::AIndices(x)) if x.is_slice));
        self.indices(&indirection.indirection, &mut facts, scope)?;
        facts.ty = if sliced {
            facts.ty
        } else if plain {
            element
        } else {
            None
        };
        if element.is_none() {
            facts.not_total(|| "a subscript or field of an unknown type".to_owned());
        }
        Ok(facts)
    }

    fn indices(&mut self, list: &[Node], facts: &mut Facts, scope: &Scope<'_>) -> Result<(), Refusal> {
        for node in list {
            match node.node.as_ref().ok_or_else(lost)? {
                NodeEnum::AIndices(indices) => {
                    for bound in [indices.lidx.as_deref(), indices.uidx.as_deref()].into_iter().flatten() {
                        let bound = self.expression(bound, scope)?;
                        if bound.integer.is_none() && !matches!(bound.ty, Some(oid::INT4 | oid::INT2)) {
                            facts.not_total(|| "a subscript that is not an integer".to_owned());
                        }
                        facts.absorb(&bound);
                    }
                }
                NodeEnum::String(_) if self.record_rows => {
                    return Err(unsupported("a field of a row of which columns are hidden"));
                }
                NodeEnum::String(name) => {
                    // a field, or a function called in attribute notation
                    if self.world.catalog.functions.contains_key(&name.sval) {
                        self.function_allowed(&[name.sval.as_str()], &[None], 0)?;
                    }
                    facts.not_total(|| format!("field {}", name.sval));
                }
                NodeEnum::AStar(_) => return Err(unsupported("(row).* in this place")),
                _ => return Err(lost()),
            }
        }
        Ok(())
    }

    pub(super) fn sub_link(&mut self, link: &SubLink, scope: &Scope<'_>) -> Result<Facts, Refusal> {
        let Some(NodeEnum::SelectStmt(select)) = link.subselect.as_ref().and_then(|s| s.node.as_ref()) else {
            return Err(lost());
        };
        let first_guard = self.guards.len();
        let before = std::mem::take(&mut self.seen);
        let raises_before = std::mem::replace(&mut self.raises, false);
        let asked_before = scope.asked.replace(false);
        let columns = self.query_inside(select, Some(scope))?;
        let correlated = scope.asked.get();
        scope.asked.set(asked_before || correlated);
        let raises = self.raises;
        self.raises |= raises_before;
        let one_row = self.one_row;
        let mut facts = Facts {
            columns: correlated,
            ..Facts::default()
        };
        if let Some(column) = columns
            .first()
            .filter(|_| link.sub_link_type() != SubLinkType::ExistsSublink)
        {
            let value = self.facts_of_column(column);
            facts.collations = value.collations;
            // its relations are out of reach from here, and a value of theirs may be what somebody wrote there
            facts.distant = value.distant || value.stored;
            facts.edge = value.edge;
            facts.bulky = (value.bulky || value.stored) && !value.ty.is_some_and(lists::is_small);
        }
        // what the subquery sees of relations outside it; its own are filtered before it yields a value
        for (id, direct) in self.seen.iter().filter(|(id, _)| *id < first_guard) {
            let set = if *direct {
                &mut facts.reach.direct
            } else {
                &mut facts.reach.indirect
            };
            set.insert(*id);
        }
        self.seen.extend(before);
        let mut joins = false;
        match link.sub_link_type() {
            SubLinkType::ExistsSublink => facts.ty = Some(oid::BOOL),
            SubLinkType::AnySublink | SubLinkType::AllSublink => {
                let written = link.testexpr.as_deref().ok_or_else(lost)?;
                let test = self.expression(written, scope)?;
                // `convert_ANY_sublink_to_join` in subselect.c
                joins = link.sub_link_type() == SubLinkType::AnySublink
                    && !correlated
                    && !test.volatile
                    && scope.names_own_column(&census_of_node(written));
                let names = if link.oper_name.is_empty() {
                    vec!["="]
                } else {
                    name_parts(&link.oper_name).ok_or_else(lost)?
                };
                let ty = if columns.len() == 1 {
                    columns.first().and_then(|c| c.ty)
                } else {
                    None
                };
                // IN (SELECT …) becomes a join, and the comparison may run inside it
                let mut right = Facts::of(ty);
                for column in &columns {
                    right.reach.merge(&column.reach.from_outside());
                    right.collations.extend(self.facts_of_column(column).collations);
                }
                let compared = self.operator_facts(&names, Some(&test), &right, link.location)?;
                facts.absorb(&compared);
                facts.ty = Some(oid::BOOL);
            }
            SubLinkType::ExprSublink => {
                facts.ty = columns.first().and_then(|c| c.ty);
                if !one_row {
                    facts.not_total(|| "a subquery that may yield several rows".to_owned());
                }
            }
            SubLinkType::ArraySublink => {
                facts.ty = self.array_over(columns.first().and_then(|c| c.ty), &mut facts);
            }
            SubLinkType::Undefined
            | SubLinkType::RowcompareSublink
            | SubLinkType::MultiexprSublink
            | SubLinkType::CteSublink => return Err(unsupported("this kind of subquery")),
        }
        if raises {
            facts.joins_unsafe = joins;
            if !joins {
                facts.not_total(|| "a subquery that may raise".to_owned());
            }
        }
        Ok(facts)
    }

    /// The type of an array over elements of a type. Of elements that are arrays themselves one fits beside another only by
    /// its dimensions.
    fn array_over(&self, element: Option<u32>, facts: &mut Facts) -> Option<u32> {
        let plain = element.is_some_and(|ty| self.element_of(self.list_type(ty)).is_none());
        if !plain {
            facts.not_total(|| "an array of arrays or of an unknown type".to_owned());
        }
        element.and_then(|ty| self.array_of(ty))
    }

    /// The facts of named values (`xmlforest`, `xmlattributes`).
    pub(super) fn targets_of(&mut self, nodes: &[Node], scope: &Scope<'_>) -> Result<Facts, Refusal> {
        let mut facts = Facts::default();
        for node in nodes {
            let Some(NodeEnum::ResTarget(target)) = node.node.as_ref() else {
                return Err(lost());
            };
            facts.absorb(&self.part(target.val.as_deref(), scope, None)?);
        }
        Ok(facts)
    }
}

fn constant_facts(constant: &AConst) -> Facts {
    let mut facts = Facts::default();
    match &constant.val {
        None => facts.untyped = true,
        Some(Val::Ival(i)) => {
            facts.ty = Some(oid::INT4);
            facts.integer = Some(i64::from(i.ival));
        }
        Some(Val::Fval(f)) => {
            facts.integer = f.fval.parse().ok();
            facts.ty = Some(if facts.integer.is_some() {
                oid::INT8
            } else {
                oid::NUMERIC
            });
            facts.bulky = !lists::growing_constant_is_short("*", &f.fval);
        }
        Some(Val::Boolval(_)) => facts.ty = Some(oid::BOOL),
        Some(Val::Sval(s)) => {
            facts.untyped = true;
            facts.shallow = s.sval.len() <= lists::MOST_SHALLOW;
            facts.bulky = !facts.shallow || lists::has_exponent(&s.sval);
            facts.distant = !lists::moment_is_near(&s.sval);
            facts.literal = Some(s.sval.clone());
        }
        Some(Val::Bsval(_)) => facts.ty = Some(1560),
    }
    facts
}
