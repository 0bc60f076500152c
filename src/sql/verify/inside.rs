//! What stands inside a guard: columns of its own row and nothing else, over the relation that the client named.

use super::{Check, GuardRef, broken, covers};
use crate::name::split_identifiers;
use crate::policy::decision::ROW_ALIAS;
use crate::refusal::Refusal;
use crate::sql::census::Census;
use crate::sql::rewrite::splice::SpliceKind;
use pg_query::protobuf::{ScanToken, Token};
use std::ops::Range;

impl Check<'_> {
    /// No splice ends a statement; in the select list of a guard every column is qualified by the row's alias, words
    /// of the policy aside; and a guard reads the relation whose name it has replaced.
    pub(super) fn insides(
        &self,
        census: &Census,
        guards: &[GuardRef<'_>],
        explained: &[Range<usize>],
        opened: &[usize],
    ) -> Result<(), Refusal> {
        for ((reference, _, _), open) in guards.iter().zip(opened) {
            self.named(&reference.name, *open)?;
        }
        for column in &census.columns {
            let Ok(at) = usize::try_from(column.location) else {
                continue;
            };
            let next = guards.partition_point(|(r, _, _)| r.location < column.location);
            let inside = opened.get(next).is_some_and(|open| *open < at);
            if inside && !covers(explained, at) && column.parts.first().is_none_or(|p| p != ROW_ALIAS) {
                return Err(broken("a guard with a column that is not of its row"));
            }
        }
        Ok(())
    }

    /// The bracket that each guard stands in.
    pub(super) fn opened(&self, guards: &[GuardRef<'_>], tokens: &[ScanToken]) -> Result<Vec<usize>, Refusal> {
        let mut opened = Vec::with_capacity(guards.len());
        let mut open = Vec::new();
        let mut wanted = guards.iter().map(|(r, _, _)| r.location).peekable();
        for token in tokens {
            let at = usize::try_from(token.start).map_err(|_| broken("a token without a place"))?;
            match token.token() {
                Token::Ascii40 => open.push(at),
                Token::Ascii41 => {
                    open.pop();
                }
                Token::Ascii59 if self.writes(at).is_some() => {
                    return Err(broken("a splice ends a statement"));
                }
                _ => {}
            }
            if wanted.next_if_eq(&token.start).is_some() {
                opened.push(*open.last().ok_or_else(|| broken("a guard without brackets"))?);
            }
        }
        if opened.len() == guards.len() {
            Ok(opened)
        } else {
            Err(broken("a guard at no token"))
        }
    }

    /// A guard that stands where a table stood, not inside a view's definition, is over the table of that name.
    pub(super) fn named(&self, name: &str, open: usize) -> Result<(), Refusal> {
        let replaced = self
            .writes(open)
            .filter(|p| p.kind == SpliceKind::Guard && self.text.get(p.sent.start..open).is_some_and(is_blank));
        let Some(replaced) = replaced else { return Ok(()) };
        let place = |at: i32| usize::try_from(at).unwrap_or(usize::MAX);
        let first = self.tokens.partition_point(|t| place(t.start) < replaced.client.start);
        let words = self.tokens.iter().skip(first).map(|t| place(t.start)..place(t.end));
        let found = words.take_while(|word| word.end <= replaced.client.end).any(|word| {
            let word = self.original.get(word).unwrap_or_default();
            split_identifiers(word).first().is_some_and(|first| first == name)
        });
        if found {
            Ok(())
        } else {
            Err(broken("a guard of another relation"))
        }
    }
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}
