//! The last look at the text that will be sent, by PostgreSQL's grammar again and by code that shares nothing
//! with the analysis or the rewriter. Only this room makes a [`Verified`].

pub mod bodies;
mod copying;
mod definitions;
mod filled;
mod inserts;
mod inside;
mod merges;
mod references;
mod search;
mod template;
mod truncates;
mod values;
mod views;
mod walk;
mod writes;

pub use copying::staging;
pub use template::Template;

use crate::catalog::{Relation, RelationKind};
use crate::gate::SessionView;
use crate::name::QualifiedName;
use crate::policy::decision::ROW_ALIAS;
use crate::policy::{Access, ColumnView, Rows, TableView};
use crate::refusal::{Refusal, SqlState};
use crate::sql::census::{Census, RelationRef, census};
use crate::sql::lists;
use crate::sql::parse::Scanned;
use crate::sql::rewrite::splice::Placed;
use crate::world::World;
use crate::world::standing::Asker;
use bodies::Short;
use pg_query::ParserOptions;
use pg_query::protobuf::{ParseResult, ScanToken};
use std::ops::Range;
use std::sync::Arc;
use writes::Writing;

/// Text that has passed verification: the only thing that a backend sends for a client. It can only be made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    text: String,
    splices: Vec<Placed>,
}

impl Verified {
    /// Text that nobody has looked at, for [`crate::gate::bypass`] alone.
    pub(crate) fn bypassing(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            splices: Vec::new(),
        }
    }

    /// A text of rowgate's own that changes nothing, in place of a client's, for [`crate::gate::acting`] alone.
    pub(crate) fn standing_in(text: &'static str) -> Self {
        Self {
            text: text.to_owned(),
            splices: Vec::new(),
        }
    }

    /// Bytes that it has on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.text.len() + size_of_val(self.splices.as_slice())
    }

    /// The text to send.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Maps a character position (from 1, as in an ErrorResponse's `P` field) of the sent text to the
    /// client's `original` text; `None` where it points into something that rowgate wrote.
    pub fn client_position(&self, original: &str, position: usize) -> Option<usize> {
        let offset = self
            .text
            .char_indices()
            .nth(position.checked_sub(1)?)
            .map(|(at, _)| at)?;
        let mut shift: isize = 0;
        for placed in &self.splices {
            if offset < placed.sent.start {
                break;
            }
            if placed.sent.contains(&offset) {
                return None;
            }
            shift = placed.client.end as isize - placed.sent.end as isize;
        }
        let client = usize::try_from(offset as isize + shift).ok()?;
        Some(original.get(..client)?.chars().count() + 1)
    }
}

/// Verifies a rewritten text: outside the splices it is the client's own bytes and tokens; every protected relation
/// in it stands inside a guard with exactly the predicate and the masks of the policy; no relation is left to be
/// looked up by the server but the names of common table expressions.
pub fn verify(
    client: &Scanned,
    text: String,
    splices: Vec<Placed>,
    who: &Asker<'_>,
    session: &SessionView,
    world: &World,
) -> Result<Verified, Refusal> {
    let check = Check {
        original: client.text(),
        tokens: client.tokens(),
        text: &text,
        splices: &splices,
        who,
        session,
        world,
    };
    check.bytes()?;
    match Short::of(&check) {
        None => check.read(None)?,
        Some(short) => {
            let check = Check {
                text: &short.text,
                splices: &short.splices,
                ..check
            };
            check.read(Some(&short))?;
        }
    }
    Ok(Verified { text, splices })
}

fn broken(why: &str) -> Refusal {
    Refusal::new(
        "not-verified",
        SqlState::InternalError,
        "rewritten statement could not be verified",
    )
    .hint("Please report it with the statement; nothing was sent to the database.")
    .log(why)
}

/// A guard in the text to send: its relation as written, as catalogued, and the person's part of it.
type GuardRef<'a> = (&'a RelationRef, Arc<Relation>, Arc<TableView>);

struct Check<'a> {
    original: &'a str,
    /// The client's own tokens.
    tokens: &'a [ScanToken],
    text: &'a str,
    splices: &'a [Placed],
    who: &'a Asker<'a>,
    session: &'a SessionView,
    world: &'a World,
}

impl Check<'_> {
    /// Reads the text, in which stand-ins may stand for guards, by PostgreSQL's scanner and grammar.
    fn read(&self, short: Option<&Short>) -> Result<(), Refusal> {
        let tokens = self.tokens()?;
        let tree = pg_query::parse(self.text, ParserOptions::DEFAULT)
            .map_err(|e| broken(&format!("the grammar refuses it: {e}")))?;
        let mut census = census(&tree.protobuf);
        if let Some(short) = short {
            short.check(self, &mut census, &tokens)?;
        }
        self.searches(&tree.protobuf, &census)?;
        self.relations(&tree.protobuf, &census, &tokens)
    }

    /// The pieces between splices are the client's own.
    fn bytes(&self) -> Result<(), Refusal> {
        let (mut sent, mut client) = (0, 0);
        for placed in self.splices {
            let ours = self.text.get(sent..placed.sent.start);
            if ours.is_none() || ours != self.original.get(client..placed.client.start) {
                return Err(broken("text outside the splices differs"));
            }
            (sent, client) = (placed.sent.end, placed.client.end);
        }
        if self.text.get(sent..) != self.original.get(client..) {
            return Err(broken("text behind the splices differs"));
        }
        Ok(())
    }

    /// And they fall into the same tokens as in the client's text, so that no quote or comment of theirs swallows
    /// what rowgate wrote, or the other way round. The tokens of the text to send, where there are splices in it.
    fn tokens(&self) -> Result<Vec<ScanToken>, Refusal> {
        if self.splices.is_empty() {
            return Ok(Vec::new());
        }
        let theirs = self.tokens;
        let ours = pg_query::scan(self.text)
            .map_err(|e| broken(&format!("the scanner refuses it: {e}")))?
            .tokens;
        let span = |t: &ScanToken| t.start.max(0) as usize..t.end.max(0) as usize;
        let mut expected = Vec::with_capacity(theirs.len());
        let (mut next, mut shift) = (0usize, 0isize);
        for token in theirs {
            let at = span(token);
            // splices stand in order: those that end before this token have shifted it
            while let Some(placed) = self.splices.get(next).filter(|p| p.client.end <= at.start) {
                shift = placed.sent.end as isize - placed.client.end as isize;
                next += 1;
            }
            match self.splices.get(next).filter(|p| p.client.start < at.end) {
                None => expected.push((at.start as isize + shift, at.end as isize + shift, token.token)),
                Some(placed) if placed.client.start <= at.start && at.end <= placed.client.end => {}
                Some(_) => return Err(broken("a splice cuts a token")),
            }
        }
        let mut found = ours.iter().filter(|t| {
            let at = span(t);
            self.writes(at.start).is_none_or(|p| at.end > p.sent.end)
        });
        for (start, end, kind) in expected {
            let same = found
                .next()
                .is_some_and(|t| t.start as isize == start && t.end as isize == end && t.token == kind);
            if !same {
                return Err(broken("tokens outside the splices differ"));
            }
        }
        if found.next().is_some() {
            return Err(broken("tokens outside the splices were added"));
        }
        Ok(ours)
    }

    fn relations(&self, tree: &ParseResult, census: &Census, tokens: &[ScanToken]) -> Result<(), Refusal> {
        let statements = tree.stmts.iter().filter_map(|s| s.stmt.as_ref()?.node.as_ref());
        let (writings, in_writes) = self.judge_writes(statements, census, tokens)?;
        let mut named = self.copies(tree.stmts.iter())?;
        named.extend(Self::truncated_at(
            tree.stmts.iter().filter_map(|s| s.stmt.as_ref()?.node.as_ref()),
        ));
        let is_target =
            |r: &RelationRef| writings.iter().any(|w| w.location() == r.location) || named.contains(&r.location);
        let mut guards = self.guards(census)?;
        guards.retain(|(r, _, _)| !is_target(r));
        let mut explained = self.explained(&guards);
        explained.extend(in_writes);
        let explained = merged(explained);
        for relation in &census.relations {
            let at = usize::try_from(relation.location).unwrap_or(0);
            let written_by_us = self.writes(at).is_some();
            if relation.alias.starts_with("rowgate:") && !written_by_us {
                return Err(broken("a private alias outside the splices"));
            }
            if relation.alias == ROW_ALIAS || is_target(relation) {
                continue;
            }
            let within_policy = covers(&explained, at);
            if relation.alias.starts_with("rowgate:") && relation.alias != "rowgate:view" || within_policy {
                if !within_policy || relation.schema.is_empty() {
                    return Err(broken("a helper relation outside predicates and masks"));
                }
                continue;
            }
            self.open(relation, census)?;
        }
        for (reference, _, view) in &guards {
            self.filter(reference, view)?;
        }
        let opened = self.opened(&guards, tokens)?;
        let inside = |at: usize| {
            let next = guards.partition_point(|(r, _, _)| usize::try_from(r.location).is_ok_and(|l| l < at));
            opened.get(next).is_some_and(|open| *open < at)
        };
        self.columns(census, &guards, &writings, &explained, inside)?;
        self.unveiled(&writings, census, &explained, inside)?;
        self.insides(census, &guards, &explained, &opened)
    }

    /// The guards of a text, in order.
    fn guards<'c>(&self, census: &'c Census) -> Result<Vec<GuardRef<'c>>, Refusal> {
        let mut guards: Vec<GuardRef<'_>> = census
            .relations
            .iter()
            .filter(|r| r.alias == ROW_ALIAS)
            .map(|r| {
                self.guarded(r)
                    .map(|(relation, view)| (r, relation, self.wording(r, view)))
            })
            .collect::<Result<_, _>>()?;
        guards.sort_by_key(|(r, _, _)| r.location);
        Ok(guards)
    }

    /// The words for what a person sees of a relation that its guard is in, by its predicate.
    fn wording(&self, reference: &RelationRef, view: Arc<TableView>) -> Arc<TableView> {
        let said = view
            .wordings()
            .find(|v| self.filter(reference, v).is_ok())
            .map(Arc::clone);
        said.unwrap_or(view)
    }

    /// The protected relation that a guard reads.
    fn guarded(&self, reference: &RelationRef) -> Result<(Arc<Relation>, Arc<TableView>), Refusal> {
        let name = QualifiedName::new(&reference.schema, &reference.name);
        let relation = self
            .world
            .catalog
            .relation(&name)
            .ok_or_else(|| broken("a guard over nothing"))?;
        match self.who.access(relation) {
            Access::Guarded(view) => Ok((Arc::clone(relation), view)),
            Access::Open | Access::Denied => Err(broken("a guard over what is not protected")),
        }
    }

    /// Where predicates and masks of a guarded relation stand, word for word, between the guard before it (or the
    /// splice's beginning) and the end of its own predicate. In order, and without overlaps.
    fn explained(&self, guards: &[GuardRef<'_>]) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let mut done = 0usize;
        for (reference, _, view) in guards {
            let at = usize::try_from(reference.location).unwrap_or(0);
            let Some(splice) = self.writes(at) else { continue };
            let predicates = || {
                [&view.rows, &view.lockable].into_iter().filter_map(|r| match r {
                    Rows::Where(predicate) => Some(predicate.as_str()),
                    Rows::All | Rows::None => None,
                })
            };
            let longest = predicates().map(str::len).max().unwrap_or(0);
            let start = done.max(splice.sent.start);
            // behind FROM stand the name, an alias, a sample and the predicate
            let head = at + reference.schema.len() + reference.name.len() + 64;
            let mut end = (head + self.sample_length(at) + longest).min(splice.sent.end);
            while !self.text.is_char_boundary(end) {
                end -= 1;
            }
            let Some(piece) = self.text.get(start..end) else {
                continue;
            };
            let masks = view.columns.iter().filter_map(|c| match c {
                ColumnView::Masked { sql, .. } => Some(sql.as_str()),
                ColumnView::Clear | ColumnView::Hidden => None,
            });
            let mut find = |wanted: &str| {
                let starts = piece.match_indices(wanted).map(|(found, _)| start + found);
                ranges.extend(starts.map(|found| found..found + wanted.len()));
            };
            predicates().chain(masks).for_each(&mut find);
            // the value itself stands under its private name alone
            let searches = view.columns.iter().filter_map(|c| match c {
                ColumnView::Masked { search, .. } => search.as_deref(),
                ColumnView::Clear | ColumnView::Hidden => None,
            });
            for value in searches {
                let name = search::SEARCH;
                find(&format!("{value} AS \"{name}"));
                find(&format!(
                    "CASE WHEN {value} IS NULL THEN {value} ELSE {value} END AS \"{name}"
                ));
            }
            done = at;
        }
        merged(ranges)
    }

    /// How long a TABLESAMPLE clause in a guard may be: as long as the client's text.
    fn sample_length(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        let head = rest.split_once(ROW_ALIAS).map_or("", |(_, rest)| rest);
        let rest = head.strip_prefix('"').unwrap_or(head);
        rest.len() - after_sample(rest).len()
    }

    /// The splice that wrote what stands at this byte of the text to send.
    fn writes(&self, at: usize) -> Option<&Placed> {
        let index = self.splices.partition_point(|p| p.sent.end <= at);
        self.splices.get(index).filter(|p| p.sent.contains(&at))
    }

    /// A guard's FROM is followed by its predicate and nothing else.
    fn filter(&self, reference: &RelationRef, view: &TableView) -> Result<(), Refusal> {
        let at = usize::try_from(reference.location).map_err(|_| broken("a guard without a place"))?;
        let head = format!(
            "{} AS \"{ROW_ALIAS}\"",
            QualifiedName::new(&reference.schema, &reference.name).to_sql()
        );
        let rest = self
            .text
            .get(at..)
            .and_then(|t| t.strip_prefix(head.as_str()))
            .ok_or_else(|| broken("a guard's FROM"))?;
        let rest = after_sample(rest);
        let follows = |rows: &Rows| match rows {
            Rows::All => Some(rest),
            Rows::None => rest.strip_prefix(" WHERE (FALSE)"),
            Rows::Where(predicate) => rest
                .strip_prefix(" WHERE (")?
                .strip_prefix(predicate.as_str())?
                .strip_prefix(')'),
        };
        let closed = |tail: &str| tail.starts_with(')') || tail.starts_with(" OFFSET 0)");
        if [&view.lockable, &view.rows].into_iter().filter_map(follows).any(closed) {
            Ok(())
        } else {
            Err(broken("a guard without its predicate"))
        }
    }

    /// Columns that a guard projects outside masks and predicates are clear ones or system columns.
    fn columns(
        &self,
        census: &Census,
        guards: &[GuardRef<'_>],
        writings: &[Writing<'_>],
        explained: &[Range<usize>],
        inside_guard: impl Fn(usize) -> bool,
    ) -> Result<(), Refusal> {
        for column in census
            .columns
            .iter()
            .filter(|c| c.parts.first().is_some_and(|p| p == ROW_ALIAS))
        {
            let at = usize::try_from(column.location).map_err(|_| broken("a column without a place"))?;
            if covers(explained, at) {
                continue;
            }
            let (relation, view) = if inside_guard(at) {
                let index = guards.partition_point(|(r, _, _)| r.location < column.location);
                guards.get(index).map(|(_, relation, view)| (relation, view))
            } else {
                // the innermost statement that writes
                let around = writings.iter().filter(|w| w.held.is_some() && w.range.contains(&at));
                let held = around.min_by_key(|w| w.range.len()).and_then(|w| w.held.as_ref());
                held.map(|(relation, view, _)| (relation, view))
            }
            .ok_or_else(|| broken("a guarded column without a guard"))?;
            let [_, name] = column.parts.as_slice() else {
                return Err(broken("a whole guarded row"));
            };
            let shown = relation
                .columns
                .iter()
                .zip(&view.columns)
                .find(|(c, _)| &c.name == name);
            let fine = match shown {
                Some((_, ColumnView::Clear)) => true,
                Some((_, ColumnView::Masked { .. } | ColumnView::Hidden)) => false,
                None => crate::sql::resolve::scope::SYSTEM_COLUMNS.contains(&name.as_str()),
            };
            if !fine {
                return Err(broken("a masked or hidden column in clear"));
            }
        }
        Ok(())
    }

    /// A relation outside the guards is a common table expression, a temp relation, or open to this person.
    fn open(&self, reference: &RelationRef, census: &Census) -> Result<(), Refusal> {
        match reference.schema.as_str() {
            "" if census.ctes.contains(&reference.name) => Ok(()),
            "" => Err(broken("an unqualified relation")),
            "pg_temp" => Ok(()),
            schema => {
                let name = QualifiedName::new(schema, &reference.name);
                let relation = self
                    .world
                    .catalog
                    .relation(&name)
                    .ok_or_else(|| broken("an unknown relation"))?;
                if self.is_open(relation, 0) {
                    Ok(())
                } else {
                    Err(broken("a protected relation outside a guard"))
                }
            }
        }
    }

    fn is_open(&self, relation: &Relation, depth: usize) -> bool {
        if matches!(relation.name.schema.as_str(), "pg_catalog" | "information_schema") {
            return depth > 0 || lists::catalog_relation_is_open(&relation.name.schema, &relation.name.name);
        }
        if depth > 32 {
            return false;
        }
        let whole = match self.who.access(relation) {
            Access::Guarded(view) => {
                return matches!(view.rows, Rows::All)
                    && matches!(view.lockable, Rows::All)
                    && view.columns.iter().all(|c| matches!(c, ColumnView::Clear));
            }
            Access::Open => true,
            Access::Denied => false,
        };
        let listed = matches!(
            relation.kind,
            RelationKind::MaterializedView | RelationKind::ForeignTable
        ) && self.who.rights().derived_relations.contains(&relation.name);
        let inner = relation.depends_on.iter().filter(|oid| **oid != relation.oid);
        let inner_open = inner.map(|oid| self.world.catalog.relations.get(oid)).all(|r| {
            r.is_some_and(|r| {
                let guarded = matches!(self.who.access(r), Access::Guarded(_));
                !guarded && self.is_open(r, depth + 1)
            })
        });
        listed || (whole && inner_open && !self.session.search_path.iter().any(|s| s == "pg_temp"))
    }
}

/// The same bytes as ranges in order without overlaps.
fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|r| r.start);
    let mut out: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match out.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            Some(_) | None => out.push(range),
        }
    }
    out
}

fn covers(ranges: &[Range<usize>], at: usize) -> bool {
    let index = ranges.partition_point(|r| r.end <= at);
    ranges.get(index).is_some_and(|r| r.contains(&at))
}

/// What follows a TABLESAMPLE clause, if one stands there.
fn after_sample(text: &str) -> &str {
    let is_sample = text
        .get(..12)
        .is_some_and(|head| head.eq_ignore_ascii_case(" TABLESAMPLE"));
    let Some(mut rest) = is_sample.then(|| past_brackets(text)).flatten() else {
        return text;
    };
    if rest
        .trim_start()
        .get(..10)
        .is_some_and(|w| w.eq_ignore_ascii_case("REPEATABLE"))
    {
        rest = past_brackets(rest).unwrap_or(rest);
    }
    rest
}

fn past_brackets(text: &str) -> Option<&str> {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return text.get(at + 1..);
                }
            }
            _ => {}
        }
    }
    None
}
