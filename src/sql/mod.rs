//! How a statement is secured: parse → agree → classify → resolve → rewrite → verify.

pub mod agree;
pub mod census;
pub mod explain_output;
pub mod lists;
pub mod parse;
pub mod patience;
pub mod raise;
pub mod resolve;
pub mod rewrite;
pub mod shape;
pub mod statement;
pub mod tokens;
pub mod verify;

use crate::catalog::Oid;
use crate::gate::{Judgement, SessionView};
use crate::refusal::{Refusal, SqlState};
use crate::world::World;
use crate::world::standing::Asker;
use pg_query::NodeEnum;
use pg_query::protobuf::TransactionStmtKind;
use resolve::Analysis;
use rewrite::print_unit;
use std::sync::Arc;

/// Stack that the parsers may need for each byte of a text: every token can deepen the tree by one.
const STACK_PER_BYTE: usize = if cfg!(debug_assertions) { 8192 } else { 2048 };
/// Stack that any text may need.
const STACK_BASE: usize = 8 << 20;

/// Takes a text through every stage, on a stack that is deep enough for the deepest tree it can have.
pub fn secure(
    text: &str,
    who: &Asker<'_>,
    session: &SessionView,
    parameter_types: &[Oid],
    world: &World,
) -> Result<Judgement, Refusal> {
    let need = STACK_BASE + text.len().min(parse::MAX_TOKENS) * STACK_PER_BYTE;
    stacker::maybe_grow(need, need, || stages(text, who, session, parameter_types, world))
}

/// May a text run in a transaction that is aborted: does its first statement, if there is one, end the transaction
/// or go back to a savepoint? The refusal is the syntax error that comes first.
pub fn ends_aborted(text: &str) -> Result<bool, Refusal> {
    let need = STACK_BASE + text.len().min(parse::MAX_TOKENS) * STACK_PER_BYTE;
    let parsed = stacker::maybe_grow(need, need, || parse::parse(text))?;
    let first = parsed.tree.stmts.first().and_then(|s| s.stmt.as_ref());
    Ok(match first.and_then(|s| s.node.as_ref()) {
        None => true,
        Some(NodeEnum::TransactionStmt(statement)) => matches!(
            statement.kind(),
            TransactionStmtKind::TransStmtCommit
                | TransactionStmtKind::TransStmtRollback
                | TransactionStmtKind::TransStmtRollbackTo
                | TransactionStmtKind::TransStmtPrepare
        ),
        Some(_) => false,
    })
}

fn stages(
    text: &str,
    who: &Asker<'_>,
    session: &SessionView,
    parameter_types: &[Oid],
    world: &World,
) -> Result<Judgement, Refusal> {
    let parsed = parse::parse(text)?;
    let statement::Outcome {
        statements,
        text,
        placed,
    } = {
        let mut analysis = Analysis::new(
            world,
            who,
            session,
            parameter_types,
            Arc::clone(&parsed.text),
            parsed.tokens,
        );
        let statements = statement::judge_all(&mut analysis, &parsed.tree)?;
        let (text, placed) = print_unit(&mut analysis, 0)?;
        statement::Outcome {
            statements,
            text,
            placed,
        }
    };
    if let Err(disagreement) = agree::agree(&parsed.text, &parsed.tree, parsed.scanned.tokens()) {
        // PostgreSQL's own tree shows that nothing but open catalogue relations is read
        if statements.iter().any(|s| !s.reads.is_empty() || s.touches_protected) {
            return Err(Refusal::unsupported("parsers-disagree", "statement cannot be secured")
                .detail(format!("Two parsers read it differently: {disagreement}."))
                .hint("Write the statement another way."));
        }
    }
    let text = verify::verify(&parsed.scanned, text, placed, who, session, world)?;
    if statements.len() != parsed.tree.stmts.len() {
        return Err(Refusal::new(
            "lost",
            SqlState::InternalError,
            "statement could not be followed to its end",
        ));
    }
    Ok(Judgement {
        text,
        statements: statements.into(),
    })
}
