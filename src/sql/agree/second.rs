//! What sqlparser's tree refers to.

use super::{Disagreement, Kind, MAX_DEPTH, Reference, SEPARATOR, Seen};
use crate::name::truncate_identifier;
use sqlparser::ast::{
    AccessExpr, CreateTableLikeKind, Expr, Ident, ObjectName, ObjectNamePart, Query, Select, SetExpr, Statement,
    TableFactor, Visit, Visitor,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Span, TokenWithSpan};
use std::ops::ControlFlow;

/// sqlparser's reading of a text.
pub(super) struct Second {
    statements: Vec<Statement>,
}

/// Parses tokens whose spans hold byte offsets (see [`super::repair::Repaired`]).
pub(super) fn parse(tokens: Vec<TokenWithSpan>) -> Result<Second, Disagreement> {
    let statements = Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(MAX_DEPTH)
        .with_tokens_with_locations(tokens)
        .parse_statements()
        .map_err(|error| Disagreement::SecondParserCannot {
            message: error.to_string(),
        })?;
    Ok(Second { statements })
}

impl Second {
    /// Gathers statements, relations, columns and function calls, each list sorted by place.
    pub(super) fn seen(&self) -> (Vec<Kind>, Seen) {
        let mut walk = Walk::default();
        let mut kinds = Vec::with_capacity(self.statements.len());
        for statement in &self.statements {
            kinds.push(kind(statement));
            let _: ControlFlow<()> = statement.visit(&mut walk);
        }
        let mut seen = walk.seen;
        seen.sort();
        (kinds, seen)
    }
}

fn kind(statement: &Statement) -> Kind {
    match statement {
        Statement::Query(query) => match query.body.as_ref() {
            SetExpr::Insert(_) => Kind::Insert,
            SetExpr::Update(_) => Kind::Update,
            SetExpr::Delete(_) => Kind::Delete,
            SetExpr::Merge(_) => Kind::Merge,
            _ => Kind::Query,
        },
        Statement::Insert(_) => Kind::Insert,
        Statement::Update(_) => Kind::Update,
        Statement::Delete(_) => Kind::Delete,
        Statement::Merge(_) => Kind::Merge,
        Statement::CreateTable(_) => Kind::CreateTable,
        _ => Kind::Other,
    }
}

#[derive(Default)]
struct Walk {
    seen: Seen,
    /// Where a name stands that the visitor will call a relation though it is a function.
    function_at: Option<usize>,
    /// Where names begin that are told already and that the visitor will show once more, as columns.
    told: Vec<usize>,
}

/// The byte offset that a span was given; `None` for words that a repair put in.
fn offset(span: Span) -> Option<usize> {
    let column = usize::try_from(span.start.column).ok()?;
    (span.start.line > 0).then(|| column.checked_sub(1))?
}

/// An identifier as PostgreSQL keeps it: ASCII letters folded unless quoted, cut at 63 bytes.
fn push(name: &mut String, ident: &Ident) {
    if !name.is_empty() {
        name.push(SEPARATOR);
    }
    let from = name.len();
    name.push_str(truncate_identifier(&ident.value));
    if ident.quote_style.is_none()
        && let Some(part) = name.get_mut(from..)
    {
        part.make_ascii_lowercase();
    }
}

fn reference<'a>(idents: impl Iterator<Item = &'a Ident>) -> Option<Reference> {
    let mut idents = idents.peekable();
    let offset = offset(idents.peek()?.span)?;
    let mut name = String::new();
    for ident in idents {
        push(&mut name, ident);
    }
    Some(Reference { offset, name })
}

fn object(name: &ObjectName) -> Option<Reference> {
    reference(name.0.iter().filter_map(ObjectNamePart::as_ident))
}

impl Walk {
    fn column(&mut self, idents: &[Ident]) {
        let Some(reference) = reference(idents.iter()) else {
            return;
        };
        match self.told.iter().position(|&told| told == reference.offset) {
            Some(told) => {
                self.told.swap_remove(told);
            }
            None => self.seen.columns.push(reference),
        }
    }

    /// `a.b[1].c`: the dotted beginning is a column; what follows a subscript or a bracket is a field of it.
    fn access(&mut self, root: &Expr, chain: &[AccessExpr]) {
        let fields = chain.iter().filter_map(|access| match access {
            AccessExpr::Dot(Expr::Identifier(ident)) => offset(ident.span),
            _ => None,
        });
        self.told.extend(fields);
        let root = match root {
            Expr::Identifier(ident) => std::slice::from_ref(ident),
            Expr::CompoundIdentifier(idents) => idents.as_slice(),
            _ => return,
        };
        let dotted = chain.iter().map_while(|access| match access {
            AccessExpr::Dot(Expr::Identifier(ident)) => Some(ident),
            _ => None,
        });
        if let Some(column) = reference(root.iter().chain(dotted)) {
            self.told.push(column.offset);
            self.seen.columns.push(column);
        }
    }
}

impl Visitor for Walk {
    type Break = ();

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
        if let Some(reference) = object(name) {
            if self.function_at == Some(reference.offset) {
                self.function_at = None;
                self.seen.functions.push(reference);
            } else {
                self.seen.relations.push(reference);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table {
                name, args: Some(_), ..
            } => self.function_at = object(name).map(|reference| reference.offset),
            TableFactor::Function { name, .. } => self.seen.functions.extend(object(name)),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        if let Statement::CreateTable(create) = statement
            && let Some(CreateTableLikeKind::Parenthesized(like) | CreateTableLikeKind::Plain(like)) = &create.like
        {
            self.seen.relations.extend(object(&like.name));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for lock in &query.locks {
            self.seen.relations.extend(lock.of.as_ref().and_then(object));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        if let Some(into) = &select.into {
            for target in &into.targets {
                let target = match target {
                    Expr::Identifier(ident) => reference(std::iter::once(ident)),
                    Expr::CompoundIdentifier(idents) => reference(idents.iter()),
                    _ => None,
                };
                self.told.extend(target.iter().map(|target| target.offset));
                self.seen.relations.extend(target);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => self.column(std::slice::from_ref(ident)),
            Expr::CompoundIdentifier(idents) => self.column(idents),
            Expr::CompoundFieldAccess { root, access_chain } => self.access(root, access_chain),
            Expr::Function(function) => self.seen.functions.extend(object(&function.name)),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
