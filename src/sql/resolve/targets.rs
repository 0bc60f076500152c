//! Select lists: stars, labels, and evaluation guards around items that a condition outside could reach.

use super::columns::Meaning;
use super::condition::guard_closing;
use super::facts::{Facts, several_collations};
use super::scope::{Col, Item, Scope, Source};
use super::{Analysis, Star, lost, unsupported};
use crate::catalog::{Oid, TypeKind};
use crate::name::quote_ident;
use crate::refusal::Refusal;
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::NodeEnum;
use pg_query::protobuf::{Node, ResTarget, Token};
use std::ops::Range;
use std::rc::Rc;

/// One column of a select list.
#[derive(Debug, Clone)]
pub struct Target {
    /// What it is called.
    pub label: String,
    /// What it is.
    pub facts: Facts,
    /// Where its expression stands and whether it has a name of its own; nothing for a star's columns.
    pub written: Option<(Range<usize>, bool)>,
}

impl Analysis<'_> {
    /// Reads a select list.
    pub fn target_list(&mut self, list: &[Node], scope: &Scope<'_>) -> Result<Vec<Target>, Refusal> {
        let mut targets = Vec::new();
        for node in list {
            let Some(NodeEnum::ResTarget(target)) = node.node.as_ref() else {
                return Err(lost());
            };
            match self.star_items(target, scope)? {
                Some((at, items)) => self.star_targets(at, &items, &mut targets)?,
                None => match composite_star(target) {
                    Some(argument) => self.composite_targets(argument, scope, &mut targets)?,
                    None => targets.push(self.target(target, scope)?),
                },
            }
        }
        Ok(targets)
    }

    /// The items that a star of the select list stands for, and where it is written.
    fn star_items(&mut self, target: &ResTarget, scope: &Scope<'_>) -> Result<Option<StarItems>, Refusal> {
        let value = target.val.as_deref().ok_or_else(lost)?;
        match value.node.as_ref().ok_or_else(lost)? {
            NodeEnum::ColumnRef(reference) => {
                if !matches!(
                    reference.fields.last().and_then(|n| n.node.as_ref()),
                    Some(NodeEnum::AStar(_))
                ) {
                    return Ok(None);
                }
                if reference.fields.len() == 1 {
                    let items = scope.items.iter().filter(|i| i.columns_visible).cloned().collect();
                    let at = if reference.location < 0 {
                        None
                    } else {
                        Some(self.reference_bytes(reference)?)
                    };
                    return Ok(Some((at, items)));
                }
                match self.meaning(reference, scope)? {
                    Meaning::Row(item) => Ok(Some((Some(self.reference_bytes(reference)?), vec![item]))),
                    Meaning::Value(_) | Meaning::Call(..) => Err(lost()),
                }
            }
            NodeEnum::AIndirection(indirection) => {
                if !matches!(
                    indirection.indirection.last().and_then(|n| n.node.as_ref()),
                    Some(NodeEnum::AStar(_))
                ) {
                    return Ok(None);
                }
                let argument = indirection.arg.as_deref().ok_or_else(lost)?;
                if let (Some(NodeEnum::ColumnRef(reference)), 1) =
                    (argument.node.as_ref(), indirection.indirection.len())
                    && let Meaning::Row(item) = self.meaning(reference, scope)?
                {
                    let tokens = self.tokens()?;
                    let start = tokens.at_location(target.location).ok_or_else(lost)?;
                    let at = tokens.bytes(start..tokens.item_end(start)).ok_or_else(lost)?;
                    return Ok(Some((Some(at), vec![item])));
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// `(expression).*`: the fields of a composite value whose type is known.
    fn composite_targets(
        &mut self,
        argument: &Node,
        scope: &Scope<'_>,
        targets: &mut Vec<Target>,
    ) -> Result<(), Refusal> {
        let facts = self.expression(argument, scope)?;
        let of_call = match argument.node.as_ref() {
            Some(NodeEnum::FuncCall(_)) => self.function_columns(argument, "", &facts)?,
            Some(_) | None => None,
        };
        let catalog = &self.world.catalog;
        let ty = facts.ty.and_then(|ty| catalog.types.get(&ty));
        let relation = ty.filter(|t| t.kind == TypeKind::Composite).map(|t| t.relation);
        let fields: Vec<(String, Option<Oid>)> = match (of_call, relation) {
            (Some(columns), _) => columns.into_iter().map(|c| (c.name, c.ty)).collect(),
            (None, Some(relation)) if !self.row_type_hides(relation) => {
                let columns = catalog.relations.get(&relation).map(|r| r.columns.as_slice());
                let columns = columns.unwrap_or_default().iter();
                columns.map(|c| (c.name.clone(), Some(c.type_oid))).collect()
            }
            (None, _) => Vec::new(),
        };
        if fields.is_empty() || fields.iter().any(|(name, _)| name.is_empty()) {
            return Err(unsupported("(expression).* of a type that is not known"));
        }
        targets.extend(fields.into_iter().map(|(label, ty)| Target {
            label,
            facts: Facts {
                ty,
                typmod: -1,
                origin: None,
                home: None,
                literal: None,
                integer: None,
                untyped: false,
                // a field's own collation is not known here
                collations: [several_collations()].into(),
                ..facts.clone()
            },
            written: None,
        }));
        Ok(())
    }

    fn star_targets(
        &mut self,
        at: Option<Range<usize>>,
        items: &[Rc<Item>],
        targets: &mut Vec<Target>,
    ) -> Result<(), Refusal> {
        if at.is_none() && items.iter().any(|i| i.source == Source::Checked) {
            return Err(unsupported("TABLE of a WITH query that writes").hint("Write SELECT and the columns."));
        }
        if let Some(at) = at {
            self.star_site(at, items, true)?;
        }
        for item in items {
            for column in &item.columns {
                let facts = self.column_facts(column);
                targets.push(Target {
                    label: column.name.clone(),
                    facts,
                    written: None,
                });
            }
            if item.opaque && items.len() == 1 && item.columns.is_empty() {
                targets.push(Target {
                    label: String::new(),
                    facts: Facts::default(),
                    written: None,
                });
            }
        }
        Ok(())
    }

    /// Notes a star, to be spelled out if a guard among its items gets private columns.
    /// `labelled`: its columns may have names.
    pub fn star_site(&mut self, at: Range<usize>, items: &[Rc<Item>], labelled: bool) -> Result<(), Refusal> {
        let mut guards = Vec::new();
        let mut columns = Vec::new();
        for item in items {
            guards.extend(&item.shown);
            if let Source::Target(id) = item.source {
                guards.push(id);
            }
            spell(item, labelled, &mut columns);
        }
        let checked = |i: &Rc<Item>| matches!(i.source, Source::Checked | Source::Join);
        let private = self.checks > 0 && items.iter().any(checked);
        self.unit_mut()?.stars.push(Star {
            at,
            columns,
            guards,
            private,
        });
        Ok(())
    }

    fn target(&mut self, target: &ResTarget, scope: &Scope<'_>) -> Result<Target, Refusal> {
        let value = target.val.as_deref().ok_or_else(lost)?;
        let renames = self.renames;
        let facts = self.expression(value, scope)?;
        let named = !target.name.is_empty();
        let label = if named {
            target.name.clone()
        } else {
            self.figure_label(value).unwrap_or_default()
        };
        let at = self.target_bytes(target)?;
        if !named && self.renames != renames {
            let text = format!("AS {}", quote_ident(&label));
            self.unit_mut()?.splices.insert(at.end, text, SpliceKind::Label);
        }
        Ok(Target {
            label,
            facts,
            written: Some((at, named || self.renames != renames)),
        })
    }

    /// The bytes of an item's expression, its name left out.
    pub(super) fn target_bytes(&self, target: &ResTarget) -> Result<Range<usize>, Refusal> {
        let tokens = self.tokens()?;
        let start = tokens.at_location(target.location).ok_or_else(lost)?;
        let mut end = tokens.item_end(start);
        if !target.name.is_empty() {
            end -= 1;
            if tokens.kind(end - 1) == Some(Token::As) {
                end -= 1;
            }
        }
        tokens.bytes(start..end).ok_or_else(lost)
    }

    /// In a query inside another, a condition outside may be evaluated where the select list's expressions
    /// stand: what could tell of hidden rows goes under an evaluation guard, or its relations are fenced.
    pub fn guard_targets(&mut self, targets: &mut [Target], plain: bool, scope: &Scope<'_>) -> Result<(), Refusal> {
        for target in targets {
            self.note(&target.facts);
            let facts = &target.facts;
            // no condition of a level around is pushed below the grouping
            if !facts.leaks() || facts.aggregate || facts.window {
                continue;
            }
            let why = facts.why.clone().unwrap_or_default();
            let reach = facts.reach.clone();
            let written = target.written.clone().filter(|_| plain && !facts.set_returning);
            match written {
                Some((at, named)) if self.can_flag(&reach, scope) => {
                    self.want_flags(&reach.direct, &why)?;
                    let label = format!("AS {}", quote_ident(&target.label));
                    let closing = guard_closing(&target.facts);
                    let opening = self.guard_opening(&reach.direct)?;
                    let splices = &mut self.unit_mut()?.splices;
                    splices.insert(at.start, opening, SpliceKind::GuardOpens);
                    splices.insert(at.end, closing, SpliceKind::GuardCloses);
                    if !named {
                        splices.insert(at.end, label, SpliceKind::Label);
                    }
                }
                Some(_) | None => self.fence(&reach.all(), &why)?,
            }
            // inside the guard or behind the fence it can no longer raise, whoever uses its value
            target.facts.total = true;
        }
        Ok(())
    }
}

/// The expression of `(expression).*`.
fn composite_star(target: &ResTarget) -> Option<&Node> {
    let Some(NodeEnum::AIndirection(indirection)) = target.val.as_ref()?.node.as_ref() else {
        return None;
    };
    match indirection.indirection.as_slice() {
        [one] if matches!(one.node.as_ref(), Some(NodeEnum::AStar(_))) => indirection.arg.as_deref(),
        _ => None,
    }
}

/// The columns of an item as SQL, so that no private one is among them.
fn spell(item: &Item, labelled: bool, columns: &mut Vec<String>) {
    if !item.parts.is_empty() {
        item.parts.iter().for_each(|part| spell(part, labelled, columns));
        return;
    }
    let whole = format!("{}.*", quote_ident(&item.qualifier));
    if item.is_whole() && item.has_twins() {
        columns.push(whole);
        return;
    }
    let is_target = matches!(item.source, Source::Target(_));
    columns.extend(
        item.columns
            .iter()
            .map(|c| match is_target && labelled && c.origin_lost {
                true => format!("{} AS {}", c.text, quote_ident(&c.name)),
                false if labelled => written_column(c),
                false => c.reference(),
            }),
    );
    if item.opaque {
        columns.push(whole);
    }
}

type StarItems = (Option<Range<usize>>, Vec<Rc<Item>>);

fn written_column(column: &Col) -> String {
    if column.computed {
        format!("{} AS {}", column.reference(), quote_ident(&column.name))
    } else {
        column.reference()
    }
}
