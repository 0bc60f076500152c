//! The same text with other literals: what rowgate has learnt of one must not be the other's answer.

use crate::generate::case::Case;
use crate::tape::Tape;

/// What a string may become, beside the text's other strings.
const STRINGS: [&str; 14] = [
    "",
    "%",
    "a%",
    "A\\",
    "_",
    "month",
    "year",
    "1",
    "x",
    "qz",
    "2024-01-15",
    "{}",
    "上海",
    "o''x",
];

/// What a number may become, beside its neighbours.
const NUMBERS: [&str; 7] = ["0", "1", "2", "7", "40", "1.5", "300"];

/// A piece of a text.
enum Piece {
    Plain(String),
    Text(String),
    Number(String),
}

/// Cuts a text where its plain literals stand; positions in ORDER BY and GROUP BY are none.
fn pieces(sql: &str) -> Vec<Piece> {
    let chars: Vec<char> = sql.chars().collect();
    let mut out = Vec::new();
    let mut plain = String::new();
    let (mut at, mut depth, mut listed) = (0usize, 0usize, None);
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '$' || c == '"' || c == '.';
    while at < chars.len() {
        let c = chars[at];
        let before = at.checked_sub(1).map(|i| chars[i]);
        let start = at;
        if c == '\'' || c == '"' {
            let escapes = c == '\'' && before.is_some_and(|b| b == 'E' || b == 'e');
            at += 1;
            while at < chars.len() && chars[at] != c {
                at += 1 + usize::from(escapes && chars[at] == '\\');
            }
            // a doubled quote ends one part and begins the next
            while at + 1 < chars.len() && chars[at + 1] == c {
                at += 2;
                while at < chars.len() && chars[at] != c {
                    at += 1;
                }
            }
            at = (at + 1).min(chars.len());
            let text: String = chars[start..at].iter().collect();
            if c == '\'' && !escapes {
                out.push(Piece::Plain(std::mem::take(&mut plain)));
                out.push(Piece::Text(text));
            } else {
                plain.push_str(&text);
            }
            continue;
        }
        if c.is_ascii_digit() && !before.is_some_and(word) {
            while at < chars.len() && (chars[at].is_ascii_digit() || chars[at] == '.') {
                at += 1;
            }
            let text: String = chars[start..at].iter().collect();
            if listed.is_some() {
                plain.push_str(&text);
            } else {
                out.push(Piece::Plain(std::mem::take(&mut plain)));
                out.push(Piece::Number(text));
            }
            continue;
        }
        match c {
            '(' => depth += 1,
            ')' => {
                depth = depth.saturating_sub(1);
                if listed.is_some_and(|d| d > depth) {
                    listed = None;
                }
            }
            _ => {}
        }
        plain.push(c);
        at += 1;
        if plain.ends_with("ORDER BY") || plain.ends_with("GROUP BY") {
            listed = Some(depth);
        } else if ["LIMIT", "OFFSET", "FETCH", "HAVING"]
            .iter()
            .any(|w| plain.ends_with(w))
        {
            listed = None;
        }
    }
    out.push(Piece::Plain(plain));
    out
}

fn with_others(sql: &str, tape: &mut Tape) -> String {
    let pieces = pieces(sql);
    let own: Vec<String> = pieces
        .iter()
        .filter_map(|p| match p {
            Piece::Text(t) => Some(t.clone()),
            Piece::Plain(_) | Piece::Number(_) => None,
        })
        .collect();
    pieces
        .into_iter()
        .map(|piece| match piece {
            Piece::Plain(text) => text,
            Piece::Text(_) if tape.chance(35) => format!("'{}'", tape.pick(&STRINGS)),
            Piece::Text(_) if tape.chance(40) => tape.pick(&own).clone(),
            Piece::Number(_) if tape.chance(30) => (*tape.pick(&NUMBERS)).to_owned(),
            Piece::Number(n) if tape.chance(40) => {
                let n = n.split('.').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(1);
                if tape.chance(50) { n + 1 } else { n.saturating_sub(1) }.to_string()
            }
            Piece::Text(text) | Piece::Number(text) => text,
        })
        .collect()
}

/// A case of the same shape with other literals; `None` where it has none, or where D′ is asked something else.
pub fn twin(case: &Case, tape: &mut Tape) -> Option<Case> {
    // a TABLE has no order that a LIMIT could go by
    if matches!(case.kind, "search_path" | "table") || case.steps.iter().any(|s| s.prime.is_some()) {
        return None;
    }
    let mut other = case.clone();
    for step in &mut other.steps {
        step.sql = with_others(&step.sql, tape);
        // any of them may raise now
        step.leaky = true;
    }
    let same = other.steps.iter().zip(&case.steps).all(|(a, b)| a.sql == b.sql);
    (!same).then_some(other)
}
