//! `:attribute` in a DBA's expression, made `$1`, `$2` … so that PostgreSQL's grammar can read it.

use pg_query::protobuf::Token;

/// The text with numbered parameters, and the attribute behind each number (from 1).
pub(super) fn number(text: &str) -> Result<(String, Vec<String>), String> {
    let scan = pg_query::scan(text).map_err(|error| format!("PostgreSQL cannot read it: {error}"))?;
    let place = |at: i32| usize::try_from(at).unwrap_or_default();
    let mut out = String::new();
    let mut names: Vec<String> = Vec::new();
    let mut copied = 0;
    let mut brackets = 0_i32;
    let mut tokens = scan.tokens.iter().peekable();
    while let Some(token) = tokens.next() {
        match token.token() {
            Token::Ascii91 => brackets += 1,
            Token::Ascii93 => brackets -= 1,
            Token::Param => return Err("parameters are written as :attribute, not as $1".to_owned()),
            Token::Ascii58 if brackets == 0 => {
                let Some(next) = tokens.peek().filter(|n| n.start == token.end) else {
                    return Err("a colon stands without an attribute's name".to_owned());
                };
                let name = text.get(place(next.start)..place(next.end)).unwrap_or_default();
                let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '_')
                    && name.starts_with(|c: char| c.is_alphabetic() || c == '_');
                if !is_name {
                    return Err(format!("\":{name}\" does not name an attribute"));
                }
                let name = name.to_lowercase();
                let number = names.iter().position(|n| *n == name).unwrap_or_else(|| {
                    names.push(name);
                    names.len() - 1
                }) + 1;
                out.push_str(text.get(copied..place(token.start)).unwrap_or_default());
                out.push_str(&format!("${number}"));
                copied = place(next.end);
                if text
                    .get(copied..)
                    .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
                {
                    out.push(' ');
                }
                tokens.next();
            }
            _ => {}
        }
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Ok((out, names))
}
