//! A file of logins and SCRAM verifiers: lines of `"login" "SCRAM-SHA-256$…"` and what `rowgate hash-password` writes
//! behind them.

use super::scram::Verifier;
use crate::login::totp;
use chrono::NaiveDate;
use std::collections::HashMap;
use std::path::Path;

/// What is kept of one login.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// The verifier.
    pub verifier: String,
    /// `changed=2026-11-22`: when the password was set.
    pub changed: Option<NaiveDate>,
    /// `totp=…`: the secret of one-time passwords, base 32.
    pub totp: Option<String>,
    /// `was=…`: verifiers of former passwords, the last one first.
    pub was: Vec<String>,
}

/// Reads the file; the error names the line.
pub fn load(path: &Path) -> Result<HashMap<String, Entry>, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    parse(&text).map_err(|line| {
        format!(
            "{}:{line}: a line must be \"login\" \"SCRAM-SHA-256$...\"; make one with: rowgate hash-password LOGIN",
            path.display()
        )
    })
}

/// Reads its text; an error is the line's number, from 1.
fn parse(text: &str) -> Result<HashMap<String, Entry>, usize> {
    let mut users = HashMap::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(line) = content(line) {
            let (login, entry) = entry(line).ok_or(index + 1)?;
            users.insert(login, entry);
        }
    }
    Ok(users)
}

fn content(line: &str) -> Option<&str> {
    let line = line.trim();
    (!line.is_empty() && !line.starts_with('#') && !line.starts_with(';')).then_some(line)
}

fn entry(line: &str) -> Option<(String, Entry)> {
    let (login, rest) = quoted(line)?;
    let (verifier, rest) = quoted(rest.trim_start())?;
    Verifier::parse(&verifier)?;
    let mut entry = Entry {
        verifier,
        ..Entry::default()
    };
    for word in rest.split_whitespace() {
        match word.split_once('=')? {
            ("changed", day) => entry.changed = Some(day.parse().ok()?),
            ("totp", secret) => entry.totp = Some(secret.to_owned()).filter(|s| totp::is_secret(s)),
            ("was", verifier) => {
                Verifier::parse(verifier)?;
                entry.was.push(verifier.to_owned());
            }
            _ => return None,
        }
        if word.starts_with("totp=") && entry.totp.is_none() {
            return None;
        }
    }
    Some((login, entry))
}

impl Entry {
    /// Its line.
    pub fn line(&self, login: &str) -> String {
        let mut line = format!("\"{}\" \"{}\"", login.replace('"', "\"\""), self.verifier);
        if let Some(day) = self.changed {
            line.push_str(&format!(" changed={day}"));
        }
        if let Some(secret) = &self.totp {
            line.push_str(&format!(" totp={secret}"));
        }
        for verifier in &self.was {
            line.push_str(&format!(" was={verifier}"));
        }
        line
    }
}

/// The file's text with one login's line replaced, or put behind the others.
pub fn with_entry(text: &str, login: &str, new: &Entry) -> String {
    let mut out = String::new();
    let mut found = false;
    for line in text.lines() {
        let is_theirs = content(line).and_then(quoted).is_some_and(|(name, _)| name == login);
        if !is_theirs {
            out.push_str(line);
        } else if found {
            continue;
        } else {
            found = true;
            out.push_str(&new.line(login));
        }
        out.push('\n');
    }
    if !found {
        out.push_str(&new.line(login));
        out.push('\n');
    }
    out
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
        assert_eq!(users.get("al\"ice").unwrap().verifier, verifier);
        assert_eq!(parse("\n\"bob\" \"md5123\"\n"), Err(2));
        assert_eq!(parse("bob x"), Err(1));
        for more in ["x", "x=y", "totp=1", "changed=today", "was=md5"] {
            assert_eq!(parse(&format!("\"bob\" \"{verifier}\" {more}")), Err(1), "{more}");
        }
    }

    #[test]
    fn an_entry_is_written_as_it_is_read() {
        let verifier = |password: &[u8]| postgres_protocol::password::scram_sha_256(password);
        let entry = Entry {
            verifier: verifier(b"new"),
            changed: NaiveDate::from_ymd_opt(2026, 11, 22),
            totp: Some("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_owned()),
            was: vec![verifier(b"old"), verifier(b"older")],
        };
        let before = format!(
            "# people\n\"bob\" \"{}\"\n\"alice\" \"{}\"\n",
            verifier(b"b"),
            verifier(b"a")
        );
        let text = with_entry(&before, "bob", &entry);
        assert!(text.starts_with("# people\n\"bob\" "));
        assert_eq!(parse(&text).unwrap().get("bob"), Some(&entry));
        assert_eq!(parse(&text).unwrap().len(), 2);
        let text = with_entry(&text, "wei \"w\"", &entry);
        assert_eq!(parse(&text).unwrap().get("wei \"w\""), Some(&entry));
        assert_eq!(parse(&text).unwrap().len(), 3);
    }
}
