//! Guards that were verified by themselves: the text to send is read with a short stand-in for each of them.
//!
//! The body of a guard, `(SELECT … )`, comes with the same words in statement after statement, and is most of the
//! text. It begins and ends with brackets that belong together, so the scanner enters and leaves it at rest, and
//! what it means depends on nothing around it. PostgreSQL's grammar makes the same `select_with_parens` of it and of
//! `(SELECT "rowgate:body:0")`, so the tree of the whole text is the tree of the text with stand-ins, with the body's
//! own tree in their places.

use super::{Check, broken, covers};
use crate::catalog::Relation;
use crate::gate::SessionView;
use crate::name::QualifiedName;
use crate::policy::decision::ROW_ALIAS;
use crate::policy::{Access, TableView};
use crate::refusal::Refusal;
use crate::sql::census::{Census, census};
use crate::sql::rewrite::splice::{Placed, SpliceKind};
use crate::world::World;
use crate::world::standing::Asker;
use pg_query::protobuf::{ScanToken, Token};
use pg_query::{NodeEnum, ParserOptions};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// How many bytes of bodies are kept; beyond it all are forgotten and verified anew.
const MOST_BYTES: usize = 16 << 20;
/// How many readings of one text are kept: people may share a text and differ in what else they see.
const MOST_READINGS: usize = 8;
/// What a body costs beside its text, about.
const ENTRY_BYTES: usize = 200;
/// The name in a stand-in, before its number.
const STAND_IN: &str = "rowgate:body:";
/// How a body and its stand-in begin.
const BEGINS: &str = "(SELECT ";

/// The bodies that one world knows.
#[derive(Debug, Default)]
pub struct Bodies(RwLock<Held>);

#[derive(Debug, Default)]
struct Held {
    known: HashMap<Box<str>, Vec<Arc<Body>>>,
    bytes: usize,
}

/// A body that was verified: for everybody with this view of this relation, in every session.
#[derive(Debug)]
struct Body {
    name: QualifiedName,
    relation: Arc<Relation>,
    view: Arc<TableView>,
}

impl Body {
    fn holds(&self, who: &Asker<'_>, world: &World) -> bool {
        let same_relation = world
            .catalog
            .relation(&self.name)
            .is_some_and(|r| Arc::ptr_eq(r, &self.relation));
        let Access::Guarded(view) = who.access(&self.relation) else {
            return false;
        };
        same_relation && view.wordings().any(|v| Arc::ptr_eq(v, &self.view) || *v == self.view)
    }
}

impl Bodies {
    /// The body of this text if it is one for this person, known or verified now.
    fn get(&self, text: &str, who: &Asker<'_>, session: &SessionView, world: &World) -> Option<Arc<Body>> {
        let known = {
            let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
            let mut readings = held.known.get(text).into_iter().flatten();
            readings.find(|b| b.holds(who, world)).map(Arc::clone)
        };
        known.or_else(|| {
            let body = Arc::new(verified(text, who, session, world)?);
            self.keep(text, Arc::clone(&body));
            Some(body)
        })
    }

    fn keep(&self, text: &str, body: Arc<Body>) {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if held.bytes > MOST_BYTES {
            *held = Held::default();
        }
        held.bytes += text.len() + ENTRY_BYTES;
        let readings = held.known.entry(Box::from(text)).or_default();
        if readings.len() >= MOST_READINGS {
            readings.remove(0);
        }
        readings.push(body);
    }
}

/// Verifies a body alone: one guard, its predicate, the policy's own relations, and nothing that would be looked up in
/// a session.
fn verified(text: &str, who: &Asker<'_>, session: &SessionView, world: &World) -> Option<Body> {
    // as a query that stands for a whole statement: which relation it replaces is asked where it is used
    let whole = [Placed {
        sent: 0..text.len(),
        client: 0..0,
        kind: SpliceKind::Copy,
    }];
    let check = Check {
        original: "",
        tokens: &[],
        text,
        splices: &whole,
        who,
        session,
        world,
    };
    let tokens = check.tokens().ok()?;
    if !is_one_bracket(&tokens, text.len()) {
        return None;
    }
    let tree = pg_query::parse(text, ParserOptions::DEFAULT).ok()?.protobuf;
    let [statement] = tree.stmts.as_slice() else {
        return None;
    };
    let Some(NodeEnum::SelectStmt(_)) = statement.stmt.as_ref()?.node.as_ref() else {
        return None;
    };
    let census = census(&tree);
    let guards = check.guards(&census).ok()?;
    let [(reference, relation, view)] = guards.as_slice() else {
        return None;
    };
    let explained = check.explained(&guards);
    let explained = |at: i32| usize::try_from(at).is_ok_and(|at| covers(&explained, at));
    let foreign = |r: &&crate::sql::census::RelationRef| r.alias != ROW_ALIAS && !explained(r.location);
    if census.relations.iter().any(|r| foreign(&r)) || !census.ctes.is_empty() {
        return None;
    }
    check.relations(&tree, &census, &tokens).ok()?;
    Some(Body {
        name: QualifiedName::new(&reference.schema, &reference.name),
        relation: Arc::clone(relation),
        view: Arc::clone(view),
    })
}

/// Does a bracket that opens with the first token close with the last one, and does nothing end a statement?
fn is_one_bracket(tokens: &[ScanToken], length: usize) -> bool {
    let mut depth = 0usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.token() {
            Token::Ascii40 => depth += 1,
            Token::Ascii41 => depth = depth.saturating_sub(1),
            Token::Ascii59 | Token::SqlComment | Token::CComment | Token::Param => return false,
            _ => {}
        }
        let last = index + 1 == tokens.len();
        if (depth == 0) != last {
            return false;
        }
    }
    let begins = tokens
        .first()
        .is_some_and(|t| t.start == 0 && t.token() == Token::Ascii40);
    begins && tokens.last().is_some_and(|t| usize::try_from(t.end) == Ok(length))
}

/// The text to send with stand-ins for the bodies that are known.
pub(super) struct Short {
    /// The text.
    pub(super) text: String,
    /// The splices as they stand in it.
    pub(super) splices: Vec<Placed>,
    /// Where each stand-in begins, and what it stands for; in order.
    stand_ins: Vec<(usize, Arc<Body>)>,
}

impl Short {
    /// Puts a stand-in for every guard whose body is verified; the others stay as they are.
    pub(super) fn of(check: &Check<'_>) -> Option<Self> {
        if check.text.contains(STAND_IN) {
            return None;
        }
        let mut short = Self {
            text: String::with_capacity(check.original.len() + 64 * check.splices.len()),
            splices: Vec::with_capacity(check.splices.len()),
            stand_ins: Vec::new(),
        };
        let mut done = 0;
        for placed in check.splices {
            short.text.push_str(check.text.get(done..placed.sent.start)?);
            let splice = check.text.get(placed.sent.clone())?;
            let start = short.text.len();
            let body = (placed.kind == SpliceKind::Guard).then(|| body_of(splice)).flatten();
            let known = body.and_then(|(before, body, behind)| {
                let known = check.world.bodies.get(body, check.who, check.session, check.world)?;
                Some((before, known, behind))
            });
            match known {
                None => short.text.push_str(splice),
                Some((before, body, behind)) => {
                    short.text.push_str(before);
                    let number = short.stand_ins.len();
                    short.stand_ins.push((short.text.len(), body));
                    short.text.push_str(&stand_in(number));
                    short.text.push_str(behind);
                }
            }
            short.splices.push(Placed {
                sent: start..short.text.len(),
                ..placed.clone()
            });
            done = placed.sent.end;
        }
        short.text.push_str(check.text.get(done..)?);
        (!short.stand_ins.is_empty()).then_some(short)
    }

    /// Each stand-in is read as what it is, once, at its place, where the client's text names its relation; takes
    /// them out of the census.
    pub(super) fn check(&self, check: &Check<'_>, census: &mut Census, tokens: &[ScanToken]) -> Result<(), Refusal> {
        let is_ours = |parts: &[String]| parts.iter().any(|p| p.starts_with(STAND_IN));
        let mut found = census.columns.iter().filter(|c| is_ours(&c.parts)).collect::<Vec<_>>();
        found.sort_by_key(|c| c.location);
        if found.len() != self.stand_ins.len() {
            return Err(broken("not as many stand-ins as were put"));
        }
        for (number, ((at, body), column)) in self.stand_ins.iter().zip(found).enumerate() {
            let place = at + BEGINS.len();
            let named = column.parts.as_slice() == [format!("{STAND_IN}{number}")];
            if !named || usize::try_from(column.location) != Ok(place) || !is_bracketed(tokens, *at, number) {
                return Err(broken("a stand-in is not read as what it is"));
            }
            check.named(&body.name.name, *at)?;
        }
        census.columns.retain(|c| !is_ours(&c.parts));
        Ok(())
    }
}

fn stand_in(number: usize) -> String {
    format!("{BEGINS}\"{STAND_IN}{number}\")")
}

/// Do the tokens `(`, SELECT, the name and `)` stand there?
fn is_bracketed(tokens: &[ScanToken], at: usize, number: usize) -> bool {
    let end = at + stand_in(number).len();
    let start = |t: &ScanToken| usize::try_from(t.start).unwrap_or(usize::MAX);
    let first = tokens.partition_point(|t| start(t) < at);
    let wanted = [
        (at, at + 1, Token::Ascii40),
        (at + 1, at + BEGINS.len() - 1, Token::Select),
        (at + BEGINS.len(), end - 1, Token::Ident),
        (end - 1, end, Token::Ascii41),
    ];
    let found = tokens.get(first..first + wanted.len()).unwrap_or_default();
    let span = |t: &ScanToken| (start(t), usize::try_from(t.end).unwrap_or(0), t.token());
    found.iter().map(span).eq(wanted)
}

/// What stands before the body of a guard in its splice, the body, and what stands behind it: an alias.
fn body_of(splice: &str) -> Option<(&str, &str, &str)> {
    let start = splice.find(|c: char| !c.is_whitespace())?;
    let rest = splice.get(start..)?;
    let closed = rest.trim_end();
    let end = if closed.ends_with(')') {
        closed.len()
    } else {
        rest.rfind(") AS \"")? + 1
    };
    let body = rest.get(..end)?;
    // a view's definition holds guards of its own, each on a line of its own
    let is_simple = body.starts_with(BEGINS) && !body.contains("\n(");
    is_simple.then_some((splice.get(..start)?, body, rest.get(end..)?))
}
