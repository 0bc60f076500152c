//! Reads one TOML table key by key, collects every error with its line and column, and refuses what it does not know.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One thing wrong with a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file's path as it was given.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        if !self.help.is_empty() {
            write!(f, "\n    {}", self.help)?;
        }
        Ok(())
    }
}

/// A file that is being read, and what was found wrong so far.
pub(super) struct Source<'i> {
    file: String,
    text: &'i str,
    errors: Vec<ConfigError>,
}

impl<'i> Source<'i> {
    pub(super) fn new(file: &str, text: &'i str) -> Self {
        Self {
            file: file.to_owned(),
            text,
            errors: Vec::new(),
        }
    }

    /// The whole document; what is not TOML becomes errors.
    pub(super) fn document(&mut self) -> Spanned<DeTable<'i>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            self.error(span, error.message(), "correct the TOML syntax here");
        }
        table
    }

    pub(super) fn error(&mut self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        self.errors.push(ConfigError {
            file: self.file.clone(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or("").chars().count() + 1,
            message: message.into(),
            help: help.into(),
        });
    }

    /// The line of a place in the file, from 1.
    fn line(&self, at: usize) -> usize {
        self.text.get(..at).unwrap_or(self.text).matches('\n').count() + 1
    }

    pub(super) fn finish(mut self) -> Vec<ConfigError> {
        self.errors.sort_by_key(|e| (e.line, e.column));
        self.errors
    }
}

/// One table of the file; each key that is asked for is known, the rest are errors.
pub(super) struct Section<'t, 'i> {
    name: &'static str,
    table: Option<&'t DeTable<'i>>,
    span: Range<usize>,
    known: Vec<&'static str>,
}

impl<'t, 'i> Section<'t, 'i> {
    /// The document itself.
    pub(super) fn root(table: &'t Spanned<DeTable<'i>>) -> Self {
        Self {
            name: "",
            table: Some(table.get_ref()),
            span: 0..0,
            known: Vec::new(),
        }
    }

    /// A sub-table, which may be missing.
    pub(super) fn section(&mut self, source: &mut Source<'_>, name: &'static str) -> Section<'t, 'i> {
        let (table, span) = match self.take(name) {
            None => (None, 0..0),
            Some((span, DeValue::Table(table))) => (Some(table), span),
            Some((span, _)) => {
                source.error(
                    span.clone(),
                    format!("{name} must be a table"),
                    format!("write [{name}]"),
                );
                (None, span)
            }
        };
        Section {
            name,
            table,
            span,
            known: Vec::new(),
        }
    }

    /// A sub-table, if it is there.
    pub(super) fn optional_section(&mut self, source: &mut Source<'_>, name: &'static str) -> Option<Section<'t, 'i>> {
        let there = self.has(name);
        let section = self.section(source, name);
        there.then_some(section)
    }

    /// Every key of the table with its text.
    pub(super) fn all_texts(self, source: &mut Source<'_>) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::new();
        for (key, value) in self.table.into_iter().flatten() {
            match value.get_ref() {
                DeValue::String(text) if !text.is_empty() => {
                    texts.insert(key.get_ref().to_string(), text.to_string());
                }
                _ => source.error(
                    value.span(),
                    format!("{} must be text that is not empty", self.path(key.get_ref())),
                    "write it between double quotes",
                ),
            }
        }
        texts
    }

    /// Tables that stand under one name, `[[name]]`, in order.
    pub(super) fn list(&mut self, source: &mut Source<'_>, name: &'static str) -> Vec<Section<'t, 'i>> {
        let Some((span, value)) = self.take(name) else {
            return Vec::new();
        };
        let mut sections = Vec::new();
        let mut wrong = |span: Range<usize>| {
            source.error(
                span,
                format!("{name} must be a list of tables"),
                format!("write [[{name}]]"),
            );
        };
        let DeValue::Array(entries) = value else {
            wrong(span);
            return sections;
        };
        for entry in entries.iter() {
            match entry.get_ref() {
                DeValue::Table(table) => sections.push(Section {
                    name,
                    table: Some(table),
                    span: entry.span(),
                    known: Vec::new(),
                }),
                _ => wrong(entry.span()),
            }
        }
        sections
    }

    /// Is the key there, whatever it says?
    pub(super) fn has(&self, key: &str) -> bool {
        self.table
            .is_some_and(|t| t.iter().any(|(name, _)| name.get_ref() == key))
    }

    /// Where the table itself stands.
    pub(super) fn own_span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Where a key's value stands; the table where there is none.
    pub(super) fn span_of(&self, key: &str) -> Range<usize> {
        let found = self
            .table
            .and_then(|t| t.iter().find(|(name, _)| name.get_ref() == key));
        found.map_or_else(|| self.own_span(), |(_, value)| value.span())
    }

    /// The line that the table begins on, from 1.
    pub(super) fn line(&self, source: &Source<'_>) -> usize {
        source.line(self.span.start)
    }

    /// One text, or a list of at least one.
    pub(super) fn texts(&mut self, source: &mut Source<'_>, key: &'static str) -> Option<Vec<(String, Range<usize>)>> {
        let path = self.path(key);
        let (span, value) = self.take(key)?;
        let single = [(span.clone(), value)];
        let entries: Vec<(Range<usize>, &DeValue<'_>)> = match value {
            DeValue::Array(entries) => entries.iter().map(|e| (e.span(), e.get_ref())).collect(),
            _ => single.to_vec(),
        };
        let mut texts = Vec::new();
        for (span, entry) in &entries {
            match entry {
                DeValue::String(text) if !text.is_empty() => texts.push((text.to_string(), span.clone())),
                _ => source.error(
                    span.clone(),
                    format!("{path} must be text that is not empty, or a list of such texts"),
                    "write it between double quotes",
                ),
            }
        }
        if entries.is_empty() {
            source.error(span, format!("{path} is empty"), "give it a value or remove the line");
        }
        Some(texts)
    }

    /// `true` or `false`, or nothing where the key is missing.
    pub(super) fn optional_flag(&mut self, source: &mut Source<'_>, key: &'static str) -> Option<bool> {
        self.has(key).then(|| self.flag(source, key, false))
    }

    /// Does the file have it?
    pub(super) fn is_there(&self) -> bool {
        self.table.is_some()
    }

    fn take(&mut self, key: &'static str) -> Option<(Range<usize>, &'t DeValue<'i>)> {
        self.known.push(key);
        self.table?
            .iter()
            .find(|(name, _)| name.get_ref() == key)
            .map(|(_, value)| (value.span(), value.get_ref()))
    }

    fn path(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        }
    }

    pub(super) fn text(&mut self, source: &mut Source<'_>, key: &'static str) -> Option<String> {
        self.spanned_text(source, key).map(|(text, _)| text)
    }

    pub(super) fn spanned_text(
        &mut self,
        source: &mut Source<'_>,
        key: &'static str,
    ) -> Option<(String, Range<usize>)> {
        let path = self.path(key);
        match self.take(key)? {
            (span, DeValue::String(text)) if !text.is_empty() => Some((text.to_string(), span)),
            (span, DeValue::String(_)) => {
                source.error(span, format!("{path} is empty"), "give it a value or remove the line");
                None
            }
            (span, _) => {
                source.error(span, format!("{path} must be text"), "write it between double quotes");
                None
            }
        }
    }

    pub(super) fn required(&mut self, source: &mut Source<'_>, key: &'static str, example: &str) -> String {
        if !self.has(key) {
            let path = self.path(key);
            source.error(
                self.span.clone(),
                format!("{path} is missing"),
                format!("add {key} = \"{example}\" under [{}]", self.name),
            );
        }
        self.text(source, key).unwrap_or_default()
    }

    pub(super) fn flag(&mut self, source: &mut Source<'_>, key: &'static str, default: bool) -> bool {
        let path = self.path(key);
        match self.take(key) {
            None => default,
            Some((_, DeValue::Boolean(value))) => *value,
            Some((span, _)) => {
                source.error(span, format!("{path} must be true or false"), "write it without quotes");
                default
            }
        }
    }

    /// A whole number within bounds.
    pub(super) fn number(
        &mut self,
        source: &mut Source<'_>,
        key: &'static str,
        default: u64,
        bounds: std::ops::RangeInclusive<u64>,
    ) -> u64 {
        let path = self.path(key);
        let Some((span, value)) = self.take(key) else {
            return default;
        };
        let number = match value {
            DeValue::Integer(n) => u64::from_str_radix(n.as_str(), n.radix()).ok(),
            _ => None,
        };
        match number {
            Some(number) if bounds.contains(&number) => number,
            _ => {
                source.error(
                    span,
                    format!(
                        "{path} must be a whole number from {} to {}",
                        bounds.start(),
                        bounds.end()
                    ),
                    format!("the default is {default}"),
                );
                default
            }
        }
    }

    /// Every key of the table with its whole number within bounds.
    pub(super) fn numbers(
        self,
        source: &mut Source<'_>,
        bounds: std::ops::RangeInclusive<u64>,
    ) -> BTreeMap<String, usize> {
        let mut numbers = BTreeMap::new();
        for (key, value) in self.table.into_iter().flatten() {
            let number = match value.get_ref() {
                DeValue::Integer(n) => u64::from_str_radix(n.as_str(), n.radix()).ok(),
                _ => None,
            };
            match number.filter(|n| bounds.contains(n)).map(usize::try_from) {
                Some(Ok(number)) => drop(numbers.insert(key.get_ref().to_string(), number)),
                _ => source.error(
                    value.span(),
                    format!(
                        "{} must be a whole number from {} to {}",
                        self.path(key.get_ref()),
                        bounds.start(),
                        bounds.end()
                    ),
                    "remove the line for no limit",
                ),
            }
        }
        numbers
    }

    /// One word out of a list; the first is the default.
    pub(super) fn choice<T: Copy>(
        &mut self,
        source: &mut Source<'_>,
        key: &'static str,
        words: &[(&str, T)],
        default: T,
    ) -> T {
        let path = self.path(key);
        let Some((word, span)) = self.spanned_text(source, key) else {
            return default;
        };
        if let Some((_, value)) = words.iter().find(|(known, _)| *known == word) {
            return *value;
        }
        let list: Vec<&str> = words.iter().map(|(known, _)| *known).collect();
        source.error(
            span,
            format!("{path} cannot be \"{word}\""),
            format!("choose one of: {}", list.join(", ")),
        );
        default
    }

    /// A length of time: `"30s"`, `"500ms"`, `"5min"`, `"1h"`.
    pub(super) fn duration(
        &mut self,
        source: &mut Source<'_>,
        key: &'static str,
        default: std::time::Duration,
    ) -> std::time::Duration {
        let path = self.path(key);
        let Some((text, span)) = self.spanned_text(source, key) else {
            return default;
        };
        match super::length_of_time(&text) {
            Some(length) => length,
            None => {
                source.error(
                    span,
                    format!("{path} must be a length of time above zero"),
                    "write a number and a unit: \"500ms\", \"30s\", \"5min\", \"1h\"",
                );
                default
            }
        }
    }

    /// Refuses every key that nobody asked for.
    pub(super) fn finish(self, source: &mut Source<'_>) {
        for (key, _) in self.table.into_iter().flatten() {
            if self.known.iter().any(|known| known == key.get_ref()) {
                continue;
            }
            let near = self
                .known
                .iter()
                .find(|known| similar(known, key.get_ref()))
                .map_or_else(
                    || format!("known here: {}", self.known.join(", ")),
                    |known| format!("did you mean {known}?"),
                );
            source.error(key.span(), format!("unknown key {}", self.path(key.get_ref())), near);
        }
    }
}

/// Would one typing error make the one from the other?
fn similar(known: &str, written: &str) -> bool {
    let fold = |s: &str| s.replace(['-', '_'], "").to_ascii_lowercase();
    let (a, b) = (fold(known), fold(written));
    if a == b {
        return true;
    }
    let prefix = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count();
    let suffix = a.chars().rev().zip(b.chars().rev()).take_while(|(x, y)| x == y).count();
    let longer = a.chars().count().max(b.chars().count());
    longer >= 4 && prefix + suffix + 1 >= longer
}
