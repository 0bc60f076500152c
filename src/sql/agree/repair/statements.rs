//! Which part of each statement the second parser is asked about, and what it must find there.

use super::{Disagreement, Draft, Kind, Reference, Seen};
use pg_query::NodeEnum;
use pg_query::protobuf::{Node, ParseResult, RawStmt, Token as Pg};
use std::ops::Range;

/// A kind and the tokens to parse for every statement that has an expression or a relation in it.
pub(super) fn plan(draft: &mut Draft<'_>, tree: &ParseResult) -> Result<Vec<(Kind, Range<usize>)>, Disagreement> {
    let mut plan = Vec::with_capacity(tree.stmts.len());
    let mut reached = 0;
    for statement in &tree.stmts {
        let range = tokens_of(draft, statement).ok_or(Disagreement::StatementCount)?;
        separated(draft, reached..range.start)?;
        reached = range.end;
        let node = inner(statement.stmt.as_deref()).ok_or(Disagreement::StatementKind)?;
        if let Some(kind) = shape(draft, node, range.clone()) {
            plan.push((kind, range));
        }
    }
    separated(draft, reached..draft.pieces.len())?;
    Ok(plan)
}

/// Between statements stands nothing but semicolons.
fn separated(draft: &Draft<'_>, between: Range<usize>) -> Result<(), Disagreement> {
    match between.clone().all(|at| draft.kind(at) == Pg::Ascii59) {
        true => Ok(()),
        false => Err(Disagreement::StatementCount),
    }
}

fn tokens_of(draft: &Draft<'_>, statement: &RawStmt) -> Option<Range<usize>> {
    let start = usize::try_from(statement.stmt_location).ok()?;
    let length = usize::try_from(statement.stmt_len).ok()?;
    let end = match length {
        0 => draft.text.len(),
        length => start + length,
    };
    let mut range = draft.index(start)..draft.index(end);
    while range.start < range.end && draft.kind(range.start) == Pg::Ascii59 {
        range.start += 1;
    }
    while range.start < range.end && draft.kind(range.end - 1) == Pg::Ascii59 {
        range.end -= 1;
    }
    (range.start < range.end).then_some(range)
}

fn inner(node: Option<&Node>) -> Option<&NodeEnum> {
    node.and_then(|node| node.node.as_ref())
}

/// Cuts a statement down to what can be parsed; `None` where nothing in it refers to anything.
fn shape(draft: &mut Draft<'_>, node: &NodeEnum, range: Range<usize>) -> Option<Kind> {
    match node {
        NodeEnum::SelectStmt(_) => Some(Kind::Query),
        NodeEnum::InsertStmt(_) => Some(Kind::Insert),
        NodeEnum::UpdateStmt(_) => Some(Kind::Update),
        NodeEnum::DeleteStmt(_) => Some(Kind::Delete),
        NodeEnum::MergeStmt(_) => Some(Kind::Merge),
        NodeEnum::CreateStmt(_) => Some(Kind::CreateTable),
        NodeEnum::CreateTableAsStmt(create) => create_table_as(draft, inner(create.query.as_deref())?, range),
        NodeEnum::CopyStmt(copy) => match inner(copy.query.as_deref()) {
            Some(query) => {
                let open = draft.find(range.clone(), &[Pg::Ascii40])?;
                let close = draft.closing(open)?;
                draft.drop(range.start..open + 1);
                draft.drop(close..range.end);
                shape(draft, query, open + 1..close)
            }
            None => copy_table(draft, range),
        },
        NodeEnum::DeclareCursorStmt(declare) => {
            let from = draft.find(range.clone(), &[Pg::For])? + 1;
            draft.drop(range.start..from);
            shape(draft, inner(declare.query.as_deref())?, from..range.end)
        }
        NodeEnum::PrepareStmt(prepare) => {
            let from = draft.find(range.clone(), &[Pg::As])? + 1;
            draft.drop(range.start..from);
            shape(draft, inner(prepare.query.as_deref())?, from..range.end)
        }
        NodeEnum::ExecuteStmt(_) => {
            execute(draft, range);
            Some(Kind::Query)
        }
        NodeEnum::ExplainStmt(explain) => {
            let from = explained(draft, range.clone());
            draft.drop(range.start..from);
            shape(draft, inner(explain.query.as_deref())?, from..range.end)
        }
        _ if refers(draft, range) => Some(Kind::Other),
        _ => None,
    }
}

fn refers(draft: &Draft<'_>, range: Range<usize>) -> bool {
    let Seen {
        relations,
        columns,
        functions,
    } = draft.first;
    let (Some(first), Some(last)) = (draft.pieces.get(range.start), draft.pieces.get(range.end - 1)) else {
        return true;
    };
    let within = |list: &[Reference]| {
        let next = list.partition_point(|reference| reference.offset < first.start);
        list.get(next).is_some_and(|reference| reference.offset < last.end)
    };
    within(relations) || within(columns) || within(functions)
}

/// `CREATE TABLE name AS query` remains.
fn create_table_as(draft: &mut Draft<'_>, query: &NodeEnum, range: Range<usize>) -> Option<Kind> {
    let table = draft.find(range.clone(), &[Pg::Table])?;
    let mut name = table + 1;
    while draft.kind(name) != Pg::As && draft.relation_end(name).is_none() {
        name += 1;
    }
    let name_end = draft.relation_end(name)?;
    let from = draft.find(name_end..range.end, &[Pg::As])?;
    draft.drop(range.start + 1..table);
    draft.drop(table + 1..name);
    draft.drop(name_end..from);
    let mut end = range.end;
    if draft.before(end) == Pg::DataP {
        end -= if draft.kind(end.checked_sub(2)?) == Pg::No {
            3
        } else {
            2
        };
        draft.drop(end..range.end);
    }
    shape(draft, query, from + 1..end)?;
    Some(Kind::CreateTable)
}

/// `SELECT FROM name` remains.
fn copy_table(draft: &mut Draft<'_>, range: Range<usize>) -> Option<Kind> {
    let name = range.clone().find(|&at| draft.relation_end(at).is_some())?;
    let end = draft.relation_end(name)?;
    draft.put(range.start, &["SELECT", "FROM"]);
    draft.drop(range.start + 1..name);
    draft.drop(end..range.end);
    Some(Kind::Query)
}

/// `SELECT (arguments)` remains.
fn execute(draft: &mut Draft<'_>, range: Range<usize>) {
    match draft.find(range.clone(), &[Pg::Ascii40]) {
        Some(open) => {
            draft.put(range.start, &["SELECT"]);
            draft.drop(range.start + 1..open);
        }
        None => {
            draft.put(range.start, &["SELECT", "1"]);
            draft.drop(range.start + 1..range.end);
        }
    }
}

/// Where the explained statement begins, after `EXPLAIN` and its options.
fn explained(draft: &Draft<'_>, range: Range<usize>) -> usize {
    let mut from = range.start + 1;
    let options = draft.kind(from) == Pg::Ascii40
        && !matches!(
            draft.kind(from + 1),
            Pg::Select | Pg::Values | Pg::With | Pg::Table | Pg::Ascii40
        );
    if options && let Some(close) = draft.closing(from) {
        return close + 1;
    }
    while matches!(draft.kind(from), Pg::Analyze | Pg::Analyse | Pg::Verbose) {
        from += 1;
    }
    from
}
