//! Which literals of a text are free: no judgement looks at their value where they stand.
//!
//! PostgreSQL's tree is asked, and what is not named here is not free: a column compared with a constant in a
//! condition, a value of VALUES, a value that is assigned or added to a column. Patterns, counts, places in ORDER BY, arguments, casts and
//! all else keep their value in the shape.

use super::Shape;
use pg_query::protobuf::{AExpr, AExprKind, JoinExpr, Node, ParseResult, SelectStmt, WithClause};
use pg_query::{NodeEnum, ParserOptions};
use std::collections::BTreeSet;

/// How deeply conditions and queries are followed.
const DEEPEST: usize = 32;

/// For each literal of the shape, whether it is free; `None` where the text cannot be read.
pub fn literals(text: &str, shape: &Shape) -> Option<Vec<bool>> {
    let tree = pg_query::parse(text, ParserOptions::DEFAULT).ok()?.protobuf;
    let places = places(&tree);
    let is_free = |at: usize| i32::try_from(at).is_ok_and(|at| places.contains(&at));
    // a negative number is one constant, which begins with its sign
    let has_sign = |at: usize| text.get(..at).is_some_and(|before| before.ends_with('-'));
    let starts = shape.literals.iter().map(|l| l.at.start);
    Some(
        starts
            .map(|at| is_free(at) || has_sign(at) && is_free(at - 1))
            .collect(),
    )
}

/// Where free constants stand.
fn places(tree: &ParseResult) -> BTreeSet<i32> {
    let mut free = Free::default();
    if let [statement] = tree.stmts.as_slice()
        && let Some(node) = statement.stmt.as_ref().and_then(|s| s.node.as_ref())
    {
        free.statement(node, 0);
    }
    free.places
}

#[derive(Default)]
struct Free {
    places: BTreeSet<i32>,
}

impl Free {
    fn statement(&mut self, node: &NodeEnum, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        match node {
            NodeEnum::SelectStmt(select) => self.select(select, depth),
            NodeEnum::InsertStmt(insert) => {
                self.with(insert.with_clause.as_ref(), depth);
                let source = insert.select_stmt.as_ref().and_then(|s| s.node.as_ref());
                if let Some(NodeEnum::SelectStmt(select)) = source {
                    let rows = select.values_lists.iter().filter_map(items);
                    rows.flatten().for_each(|value| self.constant(value));
                    self.select(select, depth);
                }
            }
            NodeEnum::UpdateStmt(update) => {
                self.with(update.with_clause.as_ref(), depth);
                for target in &update.target_list {
                    if let Some(NodeEnum::ResTarget(target)) = target.node.as_ref()
                        && let Some(value) = target.val.as_deref()
                    {
                        self.assigned(value);
                    }
                }
                update.from_clause.iter().for_each(|item| self.from(item, depth));
                self.condition(update.where_clause.as_deref(), depth);
            }
            NodeEnum::DeleteStmt(delete) => {
                self.with(delete.with_clause.as_ref(), depth);
                delete.using_clause.iter().for_each(|item| self.from(item, depth));
                self.condition(delete.where_clause.as_deref(), depth);
            }
            _ => {}
        }
    }

    fn with(&mut self, with: Option<&WithClause>, depth: usize) {
        for query in with.iter().flat_map(|w| &w.ctes) {
            if let Some(NodeEnum::CommonTableExpr(cte)) = query.node.as_ref()
                && let Some(inner) = cte.ctequery.as_deref().and_then(|q| q.node.as_ref())
            {
                self.statement(inner, depth + 1);
            }
        }
    }

    fn select(&mut self, select: &SelectStmt, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        self.with(select.with_clause.as_ref(), depth);
        select.from_clause.iter().for_each(|item| self.from(item, depth));
        self.condition(select.where_clause.as_deref(), depth);
        for arm in [&select.larg, &select.rarg].into_iter().flatten() {
            self.select(arm, depth + 1);
        }
    }

    fn from(&mut self, item: &Node, depth: usize) {
        match item.node.as_ref() {
            Some(NodeEnum::JoinExpr(join)) if depth <= DEEPEST => {
                let JoinExpr { larg, rarg, quals, .. } = join.as_ref();
                for side in [larg, rarg].into_iter().flatten() {
                    self.from(side, depth + 1);
                }
                self.condition(quals.as_deref(), depth);
            }
            Some(NodeEnum::RangeSubselect(query)) => self.query(query.subquery.as_deref(), depth),
            _ => {}
        }
    }

    fn query(&mut self, query: Option<&Node>, depth: usize) {
        if let Some(NodeEnum::SelectStmt(select)) = query.and_then(|q| q.node.as_ref()) {
            self.select(select, depth + 1);
        }
    }

    fn condition(&mut self, condition: Option<&Node>, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        match condition.and_then(|c| c.node.as_ref()) {
            Some(NodeEnum::BoolExpr(all)) => {
                all.args.iter().for_each(|part| self.condition(Some(part), depth + 1));
            }
            Some(NodeEnum::AExpr(test)) => self.comparison(test),
            Some(NodeEnum::SubLink(link)) => self.query(link.subselect.as_deref(), depth),
            _ => {}
        }
    }

    /// A column beside constants, by an operator of the six that compare.
    fn comparison(&mut self, test: &AExpr) {
        let [name] = test.name.as_slice() else { return };
        let Some(NodeEnum::String(symbol)) = name.node.as_ref() else {
            return;
        };
        let (Some(left), Some(right)) = (test.lexpr.as_deref(), test.rexpr.as_deref()) else {
            return;
        };
        match test.kind() {
            AExprKind::AexprOp if matches!(symbol.sval.as_str(), "=" | "<>" | "!=" | "<" | "<=" | ">" | ">=") => {
                if is_column(left) {
                    self.constant(right);
                } else if is_column(right) {
                    self.constant(left);
                }
            }
            AExprKind::AexprIn | AExprKind::AexprBetween | AExprKind::AexprNotBetween if is_column(left) => {
                items(right)
                    .into_iter()
                    .flatten()
                    .for_each(|value| self.constant(value));
            }
            _ => {}
        }
    }

    /// A constant, or one that is added to a column or taken from it.
    fn assigned(&mut self, value: &Node) {
        let Some(NodeEnum::AExpr(sum)) = value.node.as_ref() else {
            return self.constant(value);
        };
        let is_sum = match sum.name.as_slice() {
            [name] => matches!(name.node.as_ref(), Some(NodeEnum::String(s)) if matches!(s.sval.as_str(), "+" | "-")),
            _ => false,
        };
        let (Some(left), Some(right)) = (sum.lexpr.as_deref(), sum.rexpr.as_deref()) else {
            return;
        };
        if is_sum && sum.kind() == AExprKind::AexprOp && is_column(left) {
            self.constant(right);
        }
    }

    fn constant(&mut self, value: &Node) {
        if let Some(NodeEnum::AConst(constant)) = value.node.as_ref() {
            self.places.insert(constant.location);
        }
    }
}

fn items(node: &Node) -> Option<&[Node]> {
    match node.node.as_ref()? {
        NodeEnum::List(list) => Some(&list.items),
        _ => None,
    }
}

fn is_column(node: &Node) -> bool {
    let Some(NodeEnum::ColumnRef(reference)) = node.node.as_ref() else {
        return false;
    };
    let is_name = |field: &Node| matches!(field.node.as_ref(), Some(NodeEnum::String(_)));
    reference.fields.iter().all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(text: &str) -> Vec<&str> {
        let shape = Shape::of(text).unwrap();
        let free = literals(text, &shape).unwrap();
        let texts = shape.literals.iter().zip(free).filter(|(_, free)| *free);
        texts.map(|(l, _)| &text[l.at.clone()]).collect()
    }

    #[test]
    fn compared_and_written_values_are_free() {
        let text = "WITH w AS (SELECT 1 FROM t WHERE a = 2) SELECT 3, f(4), 'x'::text FROM w JOIN v ON w.a >= 5 AND v.b IN (6, 7) \
            WHERE (a = 'b' OR NOT 8 <> x.y) AND c BETWEEN 9 AND 10 AND d LIKE 'p%' AND e = -a AND g + 11 = 12 AND h = 13::int4 \
            AND EXISTS (SELECT FROM u WHERE i < 14) GROUP BY 15 HAVING j = 16 ORDER BY 17 LIMIT 18 OFFSET 19";
        assert_eq!(free(text), ["2", "5", "6", "7", "'b'", "8", "9", "10", "14"]);
        let text = "UPDATE t SET a = 1, b = b + 2, (c, d) = (3, 4), e = 7 + e, f = f + -8, g = g * 9, h = -10, i = 1 + 1 \
            FROM u WHERE u.e = 5 AND u.f > -11 AND u.g = g -12 RETURNING 6";
        assert_eq!(free(text), ["1", "2", "8", "10", "5", "11"]);
        let text =
            "INSERT INTO t VALUES (1, 'a', f(2)), (3, 'b', NULL) ON CONFLICT (a) DO UPDATE SET b = 4 WHERE t.a = 5";
        assert_eq!(free(text), ["1", "'a'", "3", "'b'"]);
        assert_eq!(free("DELETE FROM t USING u WHERE a = 1 AND u.b > 2.5"), ["1", "2.5"]);
    }

    #[test]
    fn elsewhere_values_are_kept() {
        for text in [
            "SELECT 1",
            "PREPARE p AS SELECT * FROM t WHERE a = 1",
            "EXECUTE p (1)",
            "EXPLAIN SELECT * FROM t WHERE a = 1",
            "DECLARE c CURSOR FOR SELECT * FROM t WHERE a = 1",
            "COPY (SELECT * FROM t WHERE a = 1) TO STDOUT",
            "SET x = 1",
            "SELECT * FROM t WHERE a ~ 'x' AND b OPERATOR(s.=) 1 AND c = ANY ('{1}') AND d ->> 'k' = 'v'",
            "SELECT * FROM t WHERE a = date '2020-01-01' AND a = interval '1 day' AND (a, b) = (1, 2)",
            "SELECT * FROM f(1) WHERE CASE WHEN a = 1 THEN 2 = b END AND (a = 3) IS TRUE",
            "SELECT * FROM t TABLESAMPLE system (1) WHERE a IS DISTINCT FROM 2 AND t.* = 3",
            "MERGE INTO t USING u ON t.a = 1 WHEN MATCHED AND u.b = 2 THEN UPDATE SET c = 3",
        ] {
            assert_eq!(free(text), [""; 0], "{text}");
        }
    }
}
