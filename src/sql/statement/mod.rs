//! Statements: each kind that may pass is named here with its terms; every other is refused.

mod copy;
mod copy_from;
mod prepared;
mod settings;
mod temporary;
mod write;

use crate::gate::{Bound, Effect, Judged, Restriction, Returned};
use crate::refusal::Refusal;
use crate::sql::explain_output::Explained;
use crate::sql::resolve::scope::Col;
use crate::sql::resolve::{Analysis, lost, unsupported};
use crate::sql::rewrite::splice::Placed;
use pg_query::NodeEnum;
use pg_query::protobuf::{
    DefElem, DiscardMode, ExplainStmt, ParseResult, SelectStmt, TransactionStmt, TransactionStmtKind,
};

/// What a text came to before it is verified.
pub struct Outcome {
    /// One per statement.
    pub statements: Vec<Judged>,
    /// The text with its splices.
    pub text: String,
    /// Where they stand.
    pub placed: Vec<Placed>,
}

/// Judges every statement of a text.
pub fn judge_all(analysis: &mut Analysis<'_>, tree: &ParseResult) -> Result<Vec<Judged>, Refusal> {
    let mut judged = Vec::with_capacity(tree.stmts.len());
    let mut changed_names = false;
    for raw in &tree.stmts {
        let node = raw.stmt.as_ref().and_then(|s| s.node.as_ref()).ok_or_else(lost)?;
        if changed_names {
            return Err(
                unsupported("a statement in the same message after one that changes how names resolve")
                    .hint("Send SET search_path, and what writes to temporary tables, in a message of its own."),
            );
        }
        let statement = judge_one(analysis, node)?;
        if statement.staged.is_some() && tree.stmts.len() > 1 {
            return Err(unsupported("this COPY FROM together with other statements")
                .hint("Send the COPY in a message of its own."));
        }
        changed_names = matches!(
            statement.effect,
            Effect::SearchPath(_) | Effect::TempRelations | Effect::Reset { .. }
        );
        // what is stored now restricts what may be read of temp tables next
        changed_names |= statement.stores.is_some();
        judged.push(statement);
    }
    Ok(judged)
}

/// Statements that change no row and end no transaction; a query may still have a write in its WITH.
const READING: [&str; 14] = [
    "CREATE TABLE",
    "DROP TABLE",
    "SELECT",
    "FETCH",
    "MOVE",
    "DECLARE CURSOR",
    "CLOSE CURSOR",
    "EXPLAIN",
    "SHOW",
    "SET",
    "COPY",
    "PREPARE",
    "EXECUTE",
    "BEGIN",
];

/// A judged statement of a kind, with what the analysis gathered since the last one.
pub fn judged(analysis: &mut Analysis<'_>, kind: &'static str, effect: Effect) -> Judged {
    let reads = std::mem::take(&mut analysis.reads);
    let touches_protected = !reads.is_empty();
    Judged {
        kind,
        effect,
        origins: Vec::new(),
        row_limit: analysis.row_limit.take(),
        returned: Returned::AsIs,
        writes: !READING.contains(&kind),
        stores: None,
        staged: None,
        leaves: std::mem::take(&mut analysis.leaves),
        explain_output: None,
        touches_protected,
        reads,
        notes: std::mem::take(&mut analysis.notes),
    }
}

/// A judged statement that stores what it reads in a temp table, with what holds for that from now on.
pub fn storing(analysis: &mut Analysis<'_>, kind: &'static str, effect: Effect) -> Judged {
    let row_limit = analysis.row_limit.take();
    let stores = analysis
        .not_exportable
        .take()
        .map(|relation| Restriction { relation, row_limit });
    Judged {
        stores,
        ..judged(analysis, kind, effect)
    }
}

/// Judges one statement.
pub fn judge_one(analysis: &mut Analysis<'_>, node: &NodeEnum) -> Result<Judged, Refusal> {
    analysis.not_exportable = None;
    match node {
        NodeEnum::SelectStmt(select) if into_clause(select) => temporary::select_into(analysis, select),
        NodeEnum::SelectStmt(select) => query(analysis, select),
        NodeEnum::TransactionStmt(transaction) => transaction_control(analysis, transaction),
        NodeEnum::VariableSetStmt(set) => settings::set(analysis, set),
        NodeEnum::VariableShowStmt(show) => settings::show(analysis, show),
        NodeEnum::ExplainStmt(explain) => self::explain(analysis, explain),
        NodeEnum::PrepareStmt(prepare) => prepared::prepare(analysis, prepare),
        NodeEnum::ExecuteStmt(execute) => prepared::execute(analysis, execute),
        NodeEnum::DeallocateStmt(deallocate) => {
            let name = (!deallocate.isall).then(|| deallocate.name.clone());
            Ok(judged(analysis, "DEALLOCATE", Effect::Deallocate(name)))
        }
        NodeEnum::DeclareCursorStmt(cursor) => prepared::declare(analysis, cursor),
        NodeEnum::FetchStmt(fetch) => {
            let kind = if fetch.ismove { "MOVE" } else { "FETCH" };
            Ok(judged(
                analysis,
                kind,
                Effect::Fetch {
                    name: fetch.portalname.clone(),
                },
            ))
        }
        NodeEnum::ClosePortalStmt(close) => {
            let name = (!close.portalname.is_empty()).then(|| close.portalname.clone());
            Ok(judged(analysis, "CLOSE CURSOR", Effect::CloseCursor(name)))
        }
        NodeEnum::CopyStmt(copy) => copy::copy(analysis, copy),
        NodeEnum::CreateTableAsStmt(create) => temporary::create_table_as(analysis, create),
        NodeEnum::CreateStmt(create) => temporary::create_table(analysis, create),
        NodeEnum::DropStmt(drop) => temporary::drop(analysis, drop),
        NodeEnum::IndexStmt(index) => temporary::create_index(analysis, index),
        NodeEnum::TruncateStmt(truncate) => write::truncate(analysis, truncate),
        NodeEnum::InsertStmt(_) | NodeEnum::UpdateStmt(_) | NodeEnum::DeleteStmt(_) | NodeEnum::MergeStmt(_) => {
            write::write(analysis, node)
        }
        NodeEnum::VacuumStmt(vacuum) => temporary::analyze(analysis, vacuum),
        NodeEnum::ListenStmt(listen) => {
            if analysis.rights.listen.iter().any(|c| c == &listen.conditionname) {
                analysis.leaves.bound.insert(Bound::Listen);
                return Ok(judged(analysis, "LISTEN", Effect::None));
            }
            Err(Refusal::forbidden(
                "channel",
                format!("permission denied for channel \"{}\"", listen.conditionname),
            )
            .hint("Ask the administrator of rowgate to name the channel under listen of your role."))
        }
        NodeEnum::UnlistenStmt(unlisten) => {
            let all = unlisten.conditionname.is_empty();
            let effect = if all { Effect::Unlisten } else { Effect::None };
            Ok(judged(analysis, "UNLISTEN", effect))
        }
        NodeEnum::NotifyStmt(notify) => {
            if analysis.rights.notify.iter().any(|c| c == &notify.conditionname) {
                return Ok(judged(analysis, "NOTIFY", Effect::None));
            }
            Err(Refusal::forbidden(
                "channel",
                format!("permission denied for channel \"{}\"", notify.conditionname),
            )
            .hint("Ask the administrator of rowgate to name the channel under notify of your role."))
        }
        NodeEnum::DiscardStmt(discard) => Ok(match discard.target() {
            DiscardMode::DiscardAll => judged(analysis, "DISCARD ALL", Effect::Reset { all: true }),
            DiscardMode::DiscardTemp => judged(analysis, "DISCARD TEMP", Effect::TempRelations),
            DiscardMode::DiscardPlans | DiscardMode::DiscardSequences | DiscardMode::Undefined => {
                judged(analysis, "DISCARD", Effect::None)
            }
        }),
        NodeEnum::ConstraintsSetStmt(_) => Ok(judged(analysis, "SET CONSTRAINTS", Effect::None)),
        other => Err(refuse_kind(other)),
    }
}

fn into_clause(select: &SelectStmt) -> bool {
    let mut leftmost = select;
    while let Some(left) = leftmost.larg.as_deref() {
        leftmost = left;
    }
    leftmost.into_clause.is_some()
}

fn query(analysis: &mut Analysis<'_>, select: &SelectStmt) -> Result<Judged, Refusal> {
    let columns = analysis.query_outermost(select)?;
    let mut statement = judged(analysis, "SELECT", Effect::None);
    statement.origins = origins(analysis, &columns);
    statement.writes = select.with_clause.as_ref().is_some_and(|with| {
        with.ctes.iter().any(|cte| match cte.node.as_ref() {
            Some(NodeEnum::CommonTableExpr(cte)) => {
                let query = cte.ctequery.as_ref().and_then(|q| q.node.as_ref());
                !matches!(query, Some(NodeEnum::SelectStmt(_)))
            }
            Some(_) | None => true,
        })
    });
    Ok(statement)
}

/// The origins that the server will not name itself; empty where there is none. A fence takes them from every
/// column behind it.
fn origins(analysis: &Analysis<'_>, columns: &[Col]) -> Vec<Option<crate::gate::Origin>> {
    let fenced = analysis.guards.iter().any(|g| g.wants.fence);
    let is_lost = |c: &Col| c.origin_lost || fenced;
    if !columns.iter().any(is_lost) {
        return Vec::new();
    }
    columns
        .iter()
        .map(|c| if is_lost(c) { c.origin } else { None })
        .collect()
}

fn transaction_control(analysis: &mut Analysis<'_>, transaction: &TransactionStmt) -> Result<Judged, Refusal> {
    use TransactionStmtKind as Kind;
    let kind = match transaction.kind() {
        Kind::TransStmtBegin => "BEGIN",
        Kind::TransStmtStart => "START TRANSACTION",
        Kind::TransStmtCommit => "COMMIT",
        Kind::TransStmtRollback | Kind::TransStmtRollbackTo => "ROLLBACK",
        Kind::TransStmtSavepoint => "SAVEPOINT",
        Kind::TransStmtRelease => "RELEASE",
        Kind::TransStmtPrepare => return Err(unsupported("PREPARE TRANSACTION")),
        Kind::TransStmtCommitPrepared | Kind::TransStmtRollbackPrepared => {
            return Err(unsupported("COMMIT or ROLLBACK PREPARED"));
        }
        Kind::Undefined => return Err(lost()),
    };
    Ok(judged(analysis, kind, Effect::Transaction))
}

/// EXPLAIN shows the rewritten plan; its conditions are taken out of the answer, so only formats pass in which they can
/// be told from the rest.
fn explain(analysis: &mut Analysis<'_>, explain: &ExplainStmt) -> Result<Judged, Refusal> {
    if !analysis.rights.explain {
        return Err(Refusal::forbidden("explain", "permission denied for EXPLAIN")
            .hint("Ask the administrator of rowgate for explain among your role's rights."));
    }
    let mut format = Explained::Text;
    for option in &explain.options {
        let Some(NodeEnum::DefElem(option)) = option.node.as_ref() else {
            return Err(lost());
        };
        match option.defname.as_str() {
            "costs" | "summary" | "timing" | "analyze" => {}
            _ if is_off(option) => {}
            "format" if value_of(option) == Some("text") => format = Explained::Text,
            "format" if value_of(option) == Some("json") => format = Explained::Json,
            "format" if value_of(option) == Some("yaml") => format = Explained::Yaml,
            "format" if value_of(option) == Some("xml") => format = Explained::Xml,
            other => return Err(unsupported(&format!("EXPLAIN option {}", other.to_uppercase()))),
        }
    }
    let inner = explain.query.as_ref().and_then(|q| q.node.as_ref()).ok_or_else(lost)?;
    if !matches!(inner, NodeEnum::SelectStmt(s) if !into_clause(s)) {
        return Err(unsupported("EXPLAIN of anything but a query"));
    }
    let inner = judge_one(analysis, inner)?;
    let executes = explain
        .options
        .iter()
        .any(|o| matches!(o.node.as_ref(), Some(NodeEnum::DefElem(d)) if d.defname == "analyze" && !is_off(d)));
    if executes && !analysis.guards.is_empty() {
        // row counts below a guard are those of hidden rows, too
        return Err(unsupported("EXPLAIN ANALYZE of relations with hidden rows or columns"));
    }
    Ok(Judged {
        kind: "EXPLAIN",
        explain_output: Some(format),
        origins: Vec::new(),
        row_limit: None,
        ..inner
    })
}

/// Is an option switched off?
fn is_off(option: &DefElem) -> bool {
    match option.arg.as_ref().and_then(|a| a.node.as_ref()) {
        Some(NodeEnum::Integer(number)) => number.ival == 0,
        Some(NodeEnum::Boolean(value)) => !value.boolval,
        Some(NodeEnum::String(word)) => ["off", "false"].iter().any(|w| word.sval.eq_ignore_ascii_case(w)),
        Some(_) | None => false,
    }
}

/// The word that an option is set to.
pub fn value_of(option: &DefElem) -> Option<&str> {
    match option.arg.as_ref()?.node.as_ref()? {
        NodeEnum::String(s) => Some(s.sval.as_str()),
        NodeEnum::TypeName(name) => name.names.last().and_then(crate::sql::resolve::string_of),
        _ => None,
    }
}

/// PostgreSQL takes no cursor for a query that writes, and rowgate no table of its result.
fn writes_nothing(select: &SelectStmt, what: &str) -> Result<(), Refusal> {
    let mut queries = select.with_clause.iter().flat_map(|with| &with.ctes);
    let writes = queries.any(|cte| match cte.node.as_ref() {
        Some(NodeEnum::CommonTableExpr(cte)) => {
            let query = cte.ctequery.as_ref().and_then(|q| q.node.as_ref());
            !matches!(query, Some(NodeEnum::SelectStmt(_)))
        }
        Some(_) | None => true,
    });
    if writes { Err(unsupported(what)) } else { Ok(()) }
}

fn refuse_kind(node: &NodeEnum) -> Refusal {
    let debug = format!("{node:?}");
    let name: String = debug.chars().take_while(|c| c.is_alphanumeric()).collect();
    let words = name.trim_end_matches("Stmt").chars().fold(String::new(), |mut out, c| {
        if c.is_uppercase() && !out.is_empty() {
            out.push(' ');
        }
        out.push(c.to_ascii_uppercase());
        out
    });
    Refusal::forbidden(
        "statement-not-allowed",
        format!("permission denied for statement {words}"),
    )
    .detail("Only queries, transactions, cursors, prepared statements, settings and own temporary tables pass.")
    .hint("Ask the administrator of rowgate if you need it.")
}
