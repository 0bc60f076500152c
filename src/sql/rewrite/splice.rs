//! Splices: the only way in which a text is changed. Client bytes are replaced or joined by text that rowgate printed.

use std::fmt::Write as _;
use std::ops::Range;

/// The closed list of reasons for which a text is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpliceKind {
    /// A protected relation became its guard.
    Guard,
    /// An open relation or a function got its schema.
    Qualifier,
    /// `*` was spelled out.
    Star,
    /// A column reference was renamed (schema taken off, system column under its private name).
    Column,
    /// A result column keeps its name.
    Label,
    /// A whole-row reference was cast to its table's type.
    WholeRow,
    /// GROUP BY got the columns that depend on its primary key.
    GroupBy,
    /// `COPY t` became `COPY (SELECT …)`.
    Copy,
    /// An evaluation guard opens.
    GuardOpens,
    /// An evaluation guard closes.
    GuardCloses,
    /// The table that is written got its full name and the row's alias.
    Target,
    /// The condition of a write: rows in scope, and what the client asked.
    Filter,
    /// Assignments of a write, held to what may be stored.
    Assignment,
    /// Columns and values of an INSERT: spelled out, or filled in.
    Insert,
    /// The check of a written row.
    Check,
    /// `TABLE t` became `SELECT … FROM t`.
    TableStatement,
    /// The setting that a parameter names is looked at before it is read.
    Setting,
}

/// One change: the client's bytes `at` are replaced by `text`.
#[derive(Debug, Clone)]
pub struct Splice {
    /// The client's bytes; empty for an insertion.
    pub at: Range<usize>,
    /// What stands there instead.
    pub text: String,
    /// Why.
    pub kind: SpliceKind,
}

/// A splice as it stands in the text that is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Where rowgate's text stands in the text to send.
    pub sent: Range<usize>,
    /// The client's bytes that it replaces.
    pub client: Range<usize>,
    /// Why.
    pub kind: SpliceKind,
}

/// The changes to one text, in any order until they are applied.
#[derive(Debug, Clone, Default)]
pub struct Splices {
    list: Vec<(usize, Splice)>,
}

/// Two changes want the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap {
    /// Where.
    pub at: usize,
}

impl Splices {
    /// Adds a replacement.
    pub fn replace(&mut self, at: Range<usize>, text: impl Into<String>, kind: SpliceKind) {
        let order = self.list.len();
        self.list.push((
            order,
            Splice {
                at,
                text: text.into(),
                kind,
            },
        ));
    }

    /// Adds an insertion.
    pub fn insert(&mut self, at: usize, text: impl Into<String>, kind: SpliceKind) {
        self.replace(at..at, text, kind);
    }

    /// Takes back what was to stand in place of a reference.
    pub fn withdraw(&mut self, at: &Range<usize>) -> Option<String> {
        let found = |(_, s): &(usize, Splice)| s.kind == SpliceKind::Column && s.at == *at;
        let place = self.list.iter().position(found)?;
        Some(self.list.remove(place).1.text)
    }

    /// Adds everything of another set.
    pub fn extend(&mut self, other: Splices) {
        for (_, splice) in other.list {
            let order = self.list.len();
            self.list.push((order, splice));
        }
    }

    /// Part of a text with its references to columns replaced; `None` where more than that changes in it, or not all
    /// of it lies inside.
    pub fn of_columns(&self, text: &str, part: Range<usize>) -> Option<String> {
        let mut inside: Vec<&Splice> = self
            .list
            .iter()
            .map(|(_, s)| s)
            .filter(|s| s.at.start < part.end && part.start < s.at.end.max(s.at.start + 1))
            .collect();
        inside.sort_by_key(|s| s.at.start);
        let (mut out, mut done) = (String::new(), part.start);
        for splice in inside {
            if splice.kind != SpliceKind::Column || splice.at.end > part.end {
                return None;
            }
            out.push_str(text.get(done..splice.at.start)?);
            out.push_str(&splice.text);
            done = splice.at.end;
        }
        out.push_str(text.get(done..part.end)?);
        Some(out)
    }

    /// Is there nothing to change?
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// A qualifier or column inside a reference that is replaced as a whole is replaced with it.
    fn drop_contained(&mut self) {
        let wholes: Vec<Range<usize>> = self
            .list
            .iter()
            .filter(|(_, s)| matches!(s.kind, SpliceKind::WholeRow | SpliceKind::Star))
            .map(|(_, s)| s.at.clone())
            .collect();
        self.list.retain(|(_, s)| {
            s.kind != SpliceKind::Column || !wholes.iter().any(|w| w.start <= s.at.start && s.at.end < w.end)
        });
    }

    /// Applies all changes. What rowgate writes begins on a new line, so that no comment of the client's
    /// swallows it, and is followed by a blank, so that it melts with nothing.
    pub fn apply(mut self, text: &str) -> Result<(String, Vec<Placed>), Overlap> {
        self.drop_contained();
        // at one place: what closes comes before what opens; otherwise the order of asking
        self.list.sort_by(|(a_order, a), (b_order, b)| {
            let rank = |s: &Splice| match s.kind {
                SpliceKind::GuardCloses => 0,
                SpliceKind::Label | SpliceKind::GroupBy | SpliceKind::Assignment => 1,
                SpliceKind::Insert => 2,
                SpliceKind::Filter => 3,
                SpliceKind::Check => 4,
                SpliceKind::GuardOpens => 5,
                SpliceKind::Guard
                | SpliceKind::Qualifier
                | SpliceKind::Star
                | SpliceKind::Column
                | SpliceKind::WholeRow
                | SpliceKind::Copy
                | SpliceKind::Target
                | SpliceKind::TableStatement
                | SpliceKind::Setting => 6,
            };
            (a.at.start, rank(a), *a_order).cmp(&(b.at.start, rank(b), *b_order))
        });
        let mut out = String::with_capacity(text.len() + 256);
        let mut placed = Vec::with_capacity(self.list.len());
        let mut done = 0usize;
        for (_, splice) in &self.list {
            let before = text.get(done..splice.at.start).ok_or(Overlap { at: splice.at.start })?;
            out.push_str(before);
            let from = out.len();
            if splice.text.is_empty() {
                out.push(' ');
            } else {
                let _ = write!(out, "\n{} ", splice.text);
            }
            placed.push(Placed {
                sent: from..out.len(),
                client: splice.at.clone(),
                kind: splice.kind,
            });
            done = splice.at.end;
        }
        out.push_str(text.get(done..).ok_or(Overlap { at: done })?);
        Ok((out, placed))
    }
}
