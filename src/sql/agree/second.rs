//! What sqlparser's tree refers to.

use super::{Disagreement, MAX_DEPTH, Reference, SEPARATOR, STAR, Seen};
use sqlparser::ast::{
    AccessExpr, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, ObjectNamePart, Query,
    Select, SelectItem, SelectItemQualifiedWildcardKind, Statement, TableFactor, Visit, Visitor,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Span, TokenWithSpan};
use std::ops::ControlFlow;

/// The longest name that PostgreSQL keeps, in bytes.
const NAME_LENGTH: usize = 63;

/// sqlparser's reading of a text.
pub(super) struct Second {
    statements: Vec<Statement>,
}

/// Parses tokens whose spans hold byte offsets (see [`super::repair::place`]).
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
    pub(super) fn seen(&self) -> Seen {
        let mut walk = Walk::default();
        for statement in &self.statements {
            walk.seen.kinds.push(kind(statement));
            let _: ControlFlow<()> = statement.visit(&mut walk);
        }
        let mut seen = walk.seen;
        seen.relations.sort_unstable();
        seen.columns.sort_unstable();
        seen.functions.sort_unstable();
        seen
    }
}

fn kind(statement: &Statement) -> &'static str {
    match statement {
        Statement::Query(_) => "query",
        Statement::Insert(_) => "insert",
        Statement::Update(_) => "update",
        Statement::Delete(_) => "delete",
        Statement::Merge(_) => "merge",
        _ => "other",
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

/// The byte offset that a span was given.
fn offset(span: Span) -> usize {
    usize::try_from(span.start.column).map_or(0, |column| column.saturating_sub(1))
}

/// An identifier as PostgreSQL keeps it: ASCII letters folded unless quoted, cut at 63 bytes.
fn push(name: &mut String, ident: &Ident) {
    if !name.is_empty() {
        name.push(SEPARATOR);
    }
    let mut end = ident.value.len().min(NAME_LENGTH);
    while !ident.value.is_char_boundary(end) {
        end -= 1;
    }
    let from = name.len();
    name.push_str(ident.value.get(..end).unwrap_or_default());
    if ident.quote_style.is_none()
        && let Some(part) = name.get_mut(from..)
    {
        part.make_ascii_lowercase();
    }
}

fn reference<'a>(idents: impl Iterator<Item = &'a Ident>) -> Option<Reference> {
    let mut idents = idents.peekable();
    let offset = offset(idents.peek()?.span);
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

    fn star(&mut self, name: &ObjectName) {
        if let Some(mut reference) = object(name) {
            reference.name.push(SEPARATOR);
            reference.name.push_str(STAR);
            self.seen.columns.push(reference);
        }
    }

    fn argument(&mut self, argument: &FunctionArg) {
        let (FunctionArg::Named { arg, .. } | FunctionArg::ExprNamed { arg, .. } | FunctionArg::Unnamed(arg)) =
            argument;
        if let FunctionArgExpr::QualifiedWildcard(name) = arg {
            self.star(name);
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
                name, args: Some(args), ..
            } => {
                self.function_at = object(name).map(|reference| reference.offset);
                args.args.iter().for_each(|argument| self.argument(argument));
            }
            TableFactor::Function { name, args, .. } => {
                self.seen.functions.extend(object(name));
                args.iter().for_each(|argument| self.argument(argument));
            }
            _ => {}
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
        for item in &select.projection {
            match item {
                SelectItem::Wildcard(options) => self.seen.columns.push(Reference {
                    offset: offset(options.wildcard_token.0.span),
                    name: STAR.to_owned(),
                }),
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => self.star(name),
                _ => {}
            }
        }
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
            Expr::CompoundFieldAccess { root, access_chain } => {
                let root = match root.as_ref() {
                    Expr::Identifier(ident) => std::slice::from_ref(ident),
                    Expr::CompoundIdentifier(idents) => idents.as_slice(),
                    _ => &[],
                };
                let fields = access_chain.iter().map_while(|access| match access {
                    AccessExpr::Dot(Expr::Identifier(ident)) => Some(ident),
                    _ => None,
                });
                if let Some(reference) = root.first().and_then(|_| reference(root.iter().chain(fields))) {
                    self.told.push(reference.offset);
                    self.seen.columns.push(reference);
                }
            }
            Expr::QualifiedWildcard(name, _) => self.star(name),
            Expr::Function(function) => {
                self.seen.functions.extend(object(&function.name));
                if let FunctionArguments::List(list) = &function.args {
                    list.args.iter().for_each(|argument| self.argument(argument));
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
