//! What PostgreSQL calls a result column that the client did not name (`FigureColname` in parse_target.c).

use super::{Analysis, name_parts, string_of};
use pg_query::NodeEnum;
use pg_query::protobuf::{AExprKind, JsonExprOp, MinMaxOp, Node, SqlValueFunctionOp, SubLinkType, XmlExprOp};

impl Analysis<'_> {
    /// The name of an unnamed result column, `?column?` where nothing better is known.
    pub fn figure_label(&self, node: &Node) -> Option<String> {
        figure(node)
            .map(|(name, _)| name)
            .or_else(|| Some("?column?".to_owned()))
    }
}

/// A name and how good it is: 2 certain, 1 a type's.
fn figure(node: &Node) -> Option<(String, u8)> {
    let sure = |name: &str| Some((name.to_owned(), 2));
    match node.node.as_ref()? {
        NodeEnum::ColumnRef(reference) => reference.fields.iter().rev().find_map(string_of).and_then(sure),
        NodeEnum::AIndirection(indirection) => match indirection.indirection.iter().rev().find_map(string_of) {
            Some(field) => sure(field),
            None => figure(indirection.arg.as_deref()?),
        },
        NodeEnum::FuncCall(call) => name_parts(&call.funcname)?.last().copied().and_then(sure),
        NodeEnum::AExpr(operation) if operation.kind() == AExprKind::AexprNullif => sure("nullif"),
        NodeEnum::TypeCast(cast) => match figure(cast.arg.as_deref()?) {
            Some((name, 2)) => Some((name, 2)),
            _ => {
                let names = name_parts(&cast.type_name.as_ref()?.names)?;
                Some(((*names.last()?).to_owned(), 1))
            }
        },
        NodeEnum::CollateClause(collate) => figure(collate.arg.as_deref()?),
        NodeEnum::GroupingFunc(_) => sure("grouping"),
        NodeEnum::SubLink(link) => match link.sub_link_type() {
            SubLinkType::ExistsSublink => sure("exists"),
            SubLinkType::ArraySublink => sure("array"),
            SubLinkType::ExprSublink => {
                let Some(NodeEnum::SelectStmt(select)) = link.subselect.as_deref()?.node.as_ref() else {
                    return None;
                };
                let mut leftmost = select.as_ref();
                while let Some(left) = leftmost.larg.as_deref() {
                    leftmost = left;
                }
                let Some(NodeEnum::ResTarget(target)) = leftmost.target_list.first()?.node.as_ref() else {
                    return None;
                };
                if target.name.is_empty() {
                    figure(target.val.as_deref()?).or(sure("?column?"))
                } else {
                    sure(&target.name)
                }
            }
            SubLinkType::Undefined
            | SubLinkType::AllSublink
            | SubLinkType::AnySublink
            | SubLinkType::RowcompareSublink
            | SubLinkType::MultiexprSublink
            | SubLinkType::CteSublink => None,
        },
        NodeEnum::CaseExpr(case) => match case.defresult.as_deref().and_then(figure) {
            Some((name, 2)) => Some((name, 2)),
            Some(_) | None => Some(("case".to_owned(), 1)),
        },
        NodeEnum::AArrayExpr(_) => sure("array"),
        NodeEnum::RowExpr(_) => sure("row"),
        NodeEnum::CoalesceExpr(_) => sure("coalesce"),
        NodeEnum::MinMaxExpr(extreme) => sure(if extreme.op() == MinMaxOp::IsLeast {
            "least"
        } else {
            "greatest"
        }),
        NodeEnum::SqlvalueFunction(value) => sure(match value.op() {
            SqlValueFunctionOp::SqlvalueFunctionOpUndefined => return None,
            SqlValueFunctionOp::SvfopCurrentDate => "current_date",
            SqlValueFunctionOp::SvfopCurrentTime | SqlValueFunctionOp::SvfopCurrentTimeN => "current_time",
            SqlValueFunctionOp::SvfopCurrentTimestamp | SqlValueFunctionOp::SvfopCurrentTimestampN => {
                "current_timestamp"
            }
            SqlValueFunctionOp::SvfopLocaltime | SqlValueFunctionOp::SvfopLocaltimeN => "localtime",
            SqlValueFunctionOp::SvfopLocaltimestamp | SqlValueFunctionOp::SvfopLocaltimestampN => "localtimestamp",
            SqlValueFunctionOp::SvfopCurrentRole => "current_role",
            SqlValueFunctionOp::SvfopCurrentUser => "current_user",
            SqlValueFunctionOp::SvfopUser => "user",
            SqlValueFunctionOp::SvfopSessionUser => "session_user",
            SqlValueFunctionOp::SvfopCurrentCatalog => "current_catalog",
            SqlValueFunctionOp::SvfopCurrentSchema => "current_schema",
        }),
        NodeEnum::XmlExpr(xml) => match xml.op() {
            XmlExprOp::IsXmlconcat => sure("xmlconcat"),
            XmlExprOp::IsXmlelement => sure("xmlelement"),
            XmlExprOp::IsXmlforest => sure("xmlforest"),
            XmlExprOp::IsXmlparse => sure("xmlparse"),
            XmlExprOp::IsXmlpi => sure("xmlpi"),
            XmlExprOp::IsXmlroot => sure("xmlroot"),
            XmlExprOp::IsXmlserialize => sure("xmlserialize"),
            XmlExprOp::IsDocument | XmlExprOp::Undefined => None,
        },
        NodeEnum::JsonFuncExpr(function) => match function.op() {
            JsonExprOp::JsonExistsOp => sure("json_exists"),
            JsonExprOp::JsonQueryOp => sure("json_query"),
            JsonExprOp::JsonValueOp => sure("json_value"),
            JsonExprOp::JsonTableOp | JsonExprOp::Undefined => None,
        },
        NodeEnum::MergeSupportFunc(_) => sure("merge_action"),
        NodeEnum::XmlSerialize(_) => sure("xmlserialize"),
        NodeEnum::JsonParseExpr(_) => sure("json"),
        NodeEnum::JsonScalarExpr(_) => sure("json_scalar"),
        NodeEnum::JsonSerializeExpr(_) => sure("json_serialize"),
        NodeEnum::JsonObjectConstructor(_) => sure("json_object"),
        NodeEnum::JsonArrayConstructor(_) | NodeEnum::JsonArrayQueryConstructor(_) => sure("json_array"),
        NodeEnum::JsonObjectAgg(_) => sure("json_objectagg"),
        NodeEnum::JsonArrayAgg(_) => sure("json_arrayagg"),
        _ => None,
    }
}
