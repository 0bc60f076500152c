//! Names as PostgreSQL reads and prints them.

use std::fmt;

/// The longest identifier PostgreSQL keeps, in bytes (`NAMEDATALEN - 1`).
pub const MAX_IDENTIFIER_BYTES: usize = 63;

/// A schema-qualified name, already folded and cut as PostgreSQL stores it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QualifiedName {
    /// The schema, never empty.
    pub schema: String,
    /// The object's name in that schema.
    pub name: String,
}

impl QualifiedName {
    /// Makes a qualified name from its two parts.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            schema: schema.into(),
            name: name.into(),
        }
    }

    /// The name as SQL text, both parts quoted.
    pub fn to_sql(&self) -> String {
        format!("{}.{}", quote_ident(&self.schema), quote_ident(&self.name))
    }
}

/// `schema.name`, unquoted, for people.
impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// Quotes an identifier, always: `customers` becomes `"customers"`.
pub fn quote_ident(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    out.push('"');
    for c in name.chars() {
        if c == '"' {
            out.push('"');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// Quotes a string constant so that it reads the same whatever `standard_conforming_strings` says
/// (as `quote_literal` does: `E'…'` where there is a backslash).
pub fn quote_literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 3);
    if text.contains('\\') {
        out.push('E');
    }
    out.push('\'');
    for c in text.chars() {
        if c == '\'' || c == '\\' {
            out.push(c);
        }
        out.push(c);
    }
    out.push('\'');
    out
}

/// Cuts an identifier at 63 bytes on a character boundary, as PostgreSQL does (`truncate_identifier`).
pub fn truncate_identifier(name: &str) -> &str {
    if name.len() <= MAX_IDENTIFIER_BYTES {
        return name;
    }
    let mut end = MAX_IDENTIFIER_BYTES;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or(name)
}

/// Splits a list of names as the server does for search_path: quotes keep case, the rest is folded.
pub fn split_identifiers(list: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut name, mut quoted, mut inside) = (String::new(), false, false);
    let mut characters = list.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if inside && characters.peek() == Some(&'"') => {
                characters.next();
                name.push('"');
            }
            '"' => {
                inside = !inside;
                quoted = true;
            }
            ',' if !inside => {
                if quoted || !name.is_empty() {
                    names.push(std::mem::take(&mut name));
                }
                quoted = false;
            }
            c if !inside && c.is_ascii_whitespace() => {}
            c if inside => name.push(c),
            c => name.push(c.to_ascii_lowercase()),
        }
    }
    if quoted || !name.is_empty() {
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_doubles_what_ends_a_quote() {
        assert_eq!(quote_ident("a\"b"), "\"a\"\"b\"");
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("a\\'"), "E'a\\\\'''");
    }

    #[test]
    fn long_names_are_cut_on_a_character() {
        let long = "é".repeat(40);
        assert_eq!(truncate_identifier(&long).len(), 62);
    }
}
