//! How a statement is secured: parse → agree → classify → resolve → rewrite → verify.

pub mod census;
pub mod explain_output;
pub mod lists;
pub mod parse;
pub mod resolve;
pub mod rewrite;
pub mod statement;
pub mod tokens;
pub mod verify;

use crate::catalog::Oid;
use crate::gate::{Judgement, SessionView};
use crate::identity::Principal;
use crate::refusal::{Refusal, SqlState};
use crate::world::World;
use resolve::Analysis;
use rewrite::print_unit;
use std::sync::Arc;

/// Takes a text through every stage.
pub fn secure(
    text: &str,
    who: &Principal,
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
    let text = verify::verify(&parsed.text, text, placed, who, session, world)?;
    if statements.len() != parsed.tree.stmts.len() {
        return Err(Refusal::new(
            "lost",
            SqlState::InternalError,
            "statement could not be followed to its end",
        ));
    }
    Ok(Judgement { text, statements })
}
