//! TOML as policies are read from it: each table tells where everything stands, and notes what nobody asked for.

use super::file::{Problems, Spot, Word, did_you_mean};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The text of one file and where its lines begin.
pub struct SourceText {
    name: Arc<str>,
    text: String,
}

impl SourceText {
    /// A file's text under the name that messages use.
    pub fn new(name: &str, text: String) -> Self {
        Self {
            name: Arc::from(name),
            text,
        }
    }

    /// The file's TOML; syntax errors are noted and what could be read is given.
    pub fn parse<'t>(&'t self, problems: &'t Problems) -> Section<'t> {
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        for error in errors {
            let at = self.spot(&error.span().unwrap_or(0..0));
            problems.error(&at, error.message().trim().to_owned(), None);
        }
        Section {
            source: self,
            problems,
            at: self.spot(&(0..0)),
            table: table.into_inner(),
            asked: RefCell::default(),
        }
    }

    fn spot(&self, range: &Range<usize>) -> Spot {
        let before = self.text.get(..range.start.min(self.text.len())).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Spot {
            file: Arc::clone(&self.name),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        }
    }
}

/// A table of a file. Whoever has read all that it knows calls [`Section::finish`], which notes the rest.
pub struct Section<'t> {
    source: &'t SourceText,
    problems: &'t Problems,
    at: Spot,
    table: DeTable<'t>,
    asked: RefCell<BTreeSet<String>>,
}

/// A value that may take several shapes.
pub enum Shape<'t> {
    /// A string.
    Text(Word),
    /// A table.
    Table(Section<'t>),
    /// Anything else, with what it is called.
    Other(Spot, &'static str),
}

impl<'t> Section<'t> {
    /// Where it begins.
    pub fn at(&self) -> &Spot {
        &self.at
    }

    /// Where problems go.
    pub fn problems(&self) -> &'t Problems {
        self.problems
    }

    /// The keys, in order of their place.
    pub fn keys(&self) -> Vec<Word> {
        let mut keys: Vec<Word> = self.table.keys().map(|k| self.word(k)).collect();
        keys.sort_by(|a, b| a.at.cmp(&b.at));
        keys
    }

    /// Does it hold this key?
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    fn word(&self, text: &Spanned<toml::de::DeString<'_>>) -> Word {
        Word {
            text: text.get_ref().to_string(),
            at: self.source.spot(&text.span()),
        }
    }

    fn get(&self, key: &str) -> Option<&Spanned<DeValue<'t>>> {
        self.asked.borrow_mut().insert(key.to_owned());
        self.table.get(key)
    }

    fn wrong(&self, value: &Spanned<DeValue<'_>>, key: &str, wanted: &str) {
        let at = self.source.spot(&value.span());
        let found = value.get_ref().type_str();
        self.problems.error(
            &at,
            format!("\"{key}\" must be {wanted}, not {}", with_article(found)),
            None,
        );
    }

    /// Where the value of this key stands.
    pub fn spot_of(&self, key: &str) -> Spot {
        self.table
            .get(key)
            .map_or_else(|| self.at.clone(), |v| self.source.spot(&v.span()))
    }

    /// A string.
    pub fn text(&self, key: &str) -> Option<Word> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(Word {
                text: text.to_string(),
                at: self.source.spot(&value.span()),
            }),
            _ => {
                self.wrong(value, key, "a string");
                None
            }
        }
    }

    /// A string that must be there.
    pub fn required_text(&self, key: &str, example: &str) -> Option<Word> {
        if !self.has(key) {
            self.asked.borrow_mut().insert(key.to_owned());
            self.problems.error(
                &self.at,
                format!("\"{key}\" is missing"),
                Some(format!("such as {key} = {example}")),
            );
            return None;
        }
        self.text(key)
    }

    /// `true` or `false`.
    pub fn boolean(&self, key: &str) -> Option<bool> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Boolean(yes) => Some(*yes),
            _ => {
                self.wrong(value, key, "true or false");
                None
            }
        }
    }

    /// A whole number.
    pub fn integer(&self, key: &str) -> Option<i64> {
        let value = self.get(key)?;
        let read = integer(value.get_ref());
        if read.is_none() {
            self.wrong(value, key, "a whole number");
        }
        read
    }

    /// A scalar of any kind as its text: a string as it is, numbers and booleans as they are written.
    pub fn scalar_text(&self, key: &str) -> Option<Word> {
        let value = self.get(key)?;
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(_) => integer(value.get_ref())?.to_string(),
            DeValue::Float(number) => number.as_str().replace('_', ""),
            DeValue::Boolean(yes) => yes.to_string(),
            DeValue::Datetime(at) => at.to_string(),
            DeValue::Array(_) | DeValue::Table(_) => {
                self.wrong(value, key, "a single value");
                return None;
            }
        };
        Some(Word {
            text,
            at: self.source.spot(&value.span()),
        })
    }

    /// A list of whole numbers.
    pub fn integers(&self, key: &str) -> Option<Vec<i64>> {
        let value = self.get(key)?;
        let read = match value.get_ref() {
            DeValue::Array(items) => items.iter().map(|i| integer(i.get_ref())).collect(),
            _ => None,
        };
        if read.is_none() {
            self.wrong(value, key, "a list of whole numbers");
        }
        read
    }

    /// A list of strings; a single string counts as a list of one.
    pub fn texts(&self, key: &str) -> Option<Vec<Word>> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::String(_) => self.text(key).map(|w| vec![w]),
            DeValue::Array(items) => {
                let mut read = Vec::new();
                for item in items.iter() {
                    match item.get_ref() {
                        DeValue::String(text) => read.push(Word {
                            text: text.to_string(),
                            at: self.source.spot(&item.span()),
                        }),
                        _ => self.wrong(item, key, "a list of strings"),
                    }
                }
                Some(read)
            }
            _ => {
                self.wrong(value, key, "a list of strings");
                None
            }
        }
    }

    /// A list of rows, each a list of values as PostgreSQL prints them; `[]` in a value's place is NULL.
    pub fn rows(&self, key: &str) -> Option<Vec<Vec<Option<String>>>> {
        let value = self.get(key)?;
        let DeValue::Array(rows) = value.get_ref() else {
            self.wrong(value, key, "a list of rows");
            return None;
        };
        let mut read = Vec::new();
        for row in rows.iter() {
            let DeValue::Array(cells) = row.get_ref() else {
                self.wrong(row, key, "a list of rows, each a list of values");
                return None;
            };
            read.push(
                cells
                    .iter()
                    .map(|cell| match cell.get_ref() {
                        DeValue::String(text) => Some(text.to_string()),
                        DeValue::Integer(_) => integer(cell.get_ref()).map(|n| n.to_string()),
                        DeValue::Float(number) => Some(number.as_str().to_owned()),
                        DeValue::Boolean(true) => Some("t".to_owned()),
                        DeValue::Boolean(false) => Some("f".to_owned()),
                        DeValue::Datetime(at) => Some(at.to_string()),
                        DeValue::Array(_) | DeValue::Table(_) => None,
                    })
                    .collect(),
            );
        }
        Some(read)
    }

    /// A table.
    pub fn section(&self, key: &str) -> Option<Section<'t>> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(self.inner(table, value)),
            _ => {
                self.wrong(value, key, "a table");
                None
            }
        }
    }

    /// A list of tables (`[[key]]`).
    pub fn sections(&self, key: &str) -> Vec<Section<'t>> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong(value, key, "a list of tables, each begun by [[…]]");
            return Vec::new();
        };
        let mut read = Vec::new();
        for item in items.iter() {
            match item.get_ref() {
                DeValue::Table(table) => read.push(self.inner(table, item)),
                _ => self.wrong(item, key, "a list of tables"),
            }
        }
        read
    }

    /// A value that may be a string or a table.
    pub fn shape(&self, key: &str) -> Option<Shape<'t>> {
        let value = self.get(key)?;
        Some(match value.get_ref() {
            DeValue::String(_) => Shape::Text(self.text(key)?),
            DeValue::Table(table) => Shape::Table(self.inner(table, value)),
            other => Shape::Other(self.source.spot(&value.span()), other.type_str()),
        })
    }

    fn inner(&self, table: &DeTable<'t>, value: &Spanned<DeValue<'t>>) -> Section<'t> {
        Section {
            source: self.source,
            problems: self.problems,
            at: self.source.spot(&value.span()),
            table: table.clone(),
            asked: RefCell::default(),
        }
    }

    /// Notes every key that nobody asked for.
    pub fn finish(&self) {
        let asked = self.asked.borrow();
        for key in self.keys() {
            if !asked.contains(&key.text) {
                let hint = did_you_mean(&key.text, asked.iter().map(String::as_str)).or_else(|| {
                    let known: Vec<&str> = asked.iter().map(String::as_str).collect();
                    (!known.is_empty()).then(|| format!("known here: {}", known.join(", ")))
                });
                self.problems
                    .error(&key.at, format!("unknown key \"{}\"", key.text), hint);
            }
        }
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {noun}")
}
