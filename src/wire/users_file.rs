//! A file of logins and SCRAM verifiers: lines of `"login" "SCRAM-SHA-256$…"`, as `rowgate hash-password` prints.

use std::collections::HashMap;
use std::path::Path;

/// Reads the file; the error names the line.
pub fn load(path: &Path) -> Result<HashMap<String, String>, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    parse(&text).map_err(|line| {
        format!(
            "{}:{line}: a line must be \"login\" \"SCRAM-SHA-256$...\"; make one with: rowgate hash-password LOGIN",
            path.display()
        )
    })
}

/// Reads its text; an error is the line's number, from 1.
fn parse(text: &str) -> Result<HashMap<String, String>, usize> {
    let mut users = HashMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with(';') {
            continue;
        }
        let entry = || {
            let (login, rest) = quoted(line)?;
            let (verifier, rest) = quoted(rest.trim_start())?;
            super::scram::Verifier::parse(&verifier)?;
            rest.trim().is_empty().then_some((login, verifier))
        };
        let (login, verifier) = entry().ok_or(index + 1)?;
        users.insert(login, verifier);
    }
    Ok(users)
}

/// A text between double quotes (a doubled one stands for itself), and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('"')?;
    let mut out = String::new();
    loop {
        let (part, after) = rest.split_once('"')?;
        out.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                out.push('"');
                rest = more;
            }
            None => return Some((out, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_bad_lines() {
        let verifier = postgres_protocol::password::scram_sha_256(b"x");
        let users = parse(&format!("# people\n\n\"al\"\"ice\"  \"{verifier}\"\n")).unwrap();
        assert_eq!(users.get("al\"ice"), Some(&verifier));
        assert_eq!(parse("\n\"bob\" \"md5123\"\n"), Err(2));
        assert_eq!(parse("bob x"), Err(1));
    }
}
