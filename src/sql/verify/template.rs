//! Verified text with places for plain literals. What is filled in is one literal of the class that stood there when the
//! text was verified, so that every token around it stays what it was.

use super::Verified;
use crate::sql::rewrite::splice::Placed;
use crate::sql::shape::Class;
use pg_query::protobuf::Token;
use std::ops::Range;

/// A verified text in which literals may be put for others.
#[derive(Debug, Clone)]
pub struct Template {
    verified: Verified,
    classes: Vec<Class>,
    /// Where they stand in the client's text, in order.
    client: Vec<Range<usize>>,
    /// Where they, and what rowgate copied of them, stand in the text to send, in order: which one.
    sent: Vec<(Range<usize>, usize)>,
}

impl Template {
    /// A template from a text and its verified form: the literals stand at `client`, and the text to send holds each
    /// of them as tokens of their own. `None` where that is not so.
    pub fn of(text: &str, verified: &Verified, client: Vec<Range<usize>>, classes: Vec<Class>) -> Option<Self> {
        let literals: Vec<&str> = client.iter().map(|at| text.get(at.clone())).collect::<Option<_>>()?;
        let fits = literals.len() == classes.len() && literals.iter().zip(&classes).all(|(l, c)| c.is_literal(l));
        if !fits {
            return None;
        }
        let mut sent = Vec::new();
        for token in pg_query::scan(&verified.text).ok()?.tokens {
            let at = usize::try_from(token.start).ok()?..usize::try_from(token.end).ok()?;
            let is_literal = matches!(token.token(), Token::Iconst | Token::Fconst | Token::Sconst);
            let written = verified.text.get(at.clone())?;
            let which = literals.iter().position(|l| *l == written);
            if let Some(which) = which.filter(|_| is_literal) {
                sent.push((at, which));
            }
        }
        let found: usize = literals.iter().map(|l| verified.text.matches(l).count()).sum();
        let cuts = |edge: usize, at: &Range<usize>| at.start < edge && edge < at.end;
        let whole = verified.splices.iter().all(|p| {
            let sent_edges = [p.sent.start, p.sent.end];
            let client_edges = [p.client.start, p.client.end];
            !sent.iter().any(|(at, _)| sent_edges.iter().any(|edge| cuts(*edge, at)))
                && !client.iter().any(|at| client_edges.iter().any(|edge| cuts(*edge, at)))
        });
        (found == sent.len() && whole).then(|| Self {
            verified: verified.clone(),
            classes,
            client,
            sent,
        })
    }

    /// The text with these literals in their places. `None` where one of them is not a literal of its class.
    pub fn fill(&self, literals: &[&str]) -> Option<Verified> {
        let fits = literals.len() == self.classes.len()
            && literals
                .iter()
                .zip(&self.classes)
                .all(|(literal, class)| class.is_literal(literal));
        if !fits {
            return None;
        }
        let grown: usize = literals.iter().map(|l| l.len()).sum();
        let mut text = String::with_capacity(self.verified.text.len() + grown);
        let mut done = 0;
        for (at, which) in &self.sent {
            text.push_str(self.verified.text.get(done..at.start)?);
            text.push_str(literals.get(*which)?);
            done = at.end;
        }
        text.push_str(self.verified.text.get(done..)?);
        let holes = || {
            self.sent
                .iter()
                .map(|(at, which)| (at, literals.get(*which).map_or(0, |l| l.len())))
        };
        let mut sent = Shift::over(holes());
        let mut client = Shift::over(self.client.iter().zip(literals.iter().map(|l| l.len())));
        let mut splices = Vec::with_capacity(self.verified.splices.len());
        for placed in &self.verified.splices {
            splices.push(Placed {
                sent: sent.at(placed.sent.start)..sent.at(placed.sent.end),
                client: client.at(placed.client.start)..client.at(placed.client.end),
                kind: placed.kind,
            });
        }
        Some(Verified { text, splices })
    }

    /// Bytes that it has on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.verified.heap_bytes()
            + size_of_val(self.classes.as_slice())
            + size_of_val(self.client.as_slice())
            + size_of_val(self.sent.as_slice())
    }
}

/// Moves places of a text, asked for in order, to where they stand when literals of other lengths are put in.
struct Shift<I: Iterator> {
    holes: std::iter::Peekable<I>,
    taken: usize,
    given: usize,
}

impl<'r, I: Iterator<Item = (&'r Range<usize>, usize)>> Shift<I> {
    fn over(holes: I) -> Self {
        Self {
            holes: holes.peekable(),
            taken: 0,
            given: 0,
        }
    }

    fn at(&mut self, place: usize) -> usize {
        while let Some((at, length)) = self.holes.next_if(|(at, _)| at.end <= place) {
            self.taken += at.len();
            self.given += length;
        }
        place + self.given - self.taken
    }
}
