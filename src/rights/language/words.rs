//! Words of a command, each with its place.

/// A word, a text between quotes, or a sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it says, quotes taken away.
    pub text: String,
    /// It stood between quotes, so that it is no keyword.
    pub quoted: bool,
    /// One of `( ) ,`.
    pub sign: bool,
    /// Where it begins, in bytes.
    pub at: usize,
}

/// What is wrong with a command, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// What.
    pub message: String,
    /// Where, in bytes.
    pub at: usize,
    /// What to do.
    pub hint: Option<String>,
}

impl Wrong {
    /// At a place.
    pub fn at(at: usize, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            at,
            hint: None,
        }
    }

    /// With what to do.
    pub fn hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

/// Beside letters and digits, what names of people, times and scopes are written with.
const OF_WORDS: &str = "_@.-+:*/$";

/// Longest command, in bytes: it is kept, and shown to others.
pub const LONGEST: usize = 16 << 10;

/// Cuts a command into its words.
pub fn words(text: &str) -> Result<Vec<Token>, Wrong> {
    if text.len() > LONGEST {
        return Err(Wrong::at(0, format!("this command is longer than {LONGEST} bytes")));
    }
    let mut tokens = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        let token = |text: String, quoted, sign| Token { text, quoted, sign, at };
        match c {
            c if c.is_whitespace() => {}
            ';' => {
                if let Some((next, _)) = rest.find(|(_, c)| !c.is_whitespace() && *c != ';') {
                    let hint = Some("Send the next one by itself.".to_owned());
                    return Err(Wrong::at(next, "one command is said at a time").hint(hint));
                }
            }
            '(' | ')' | ',' => tokens.push(token(c.to_string(), false, true)),
            '\'' | '"' => {
                let mut inner = String::new();
                loop {
                    match rest.next() {
                        Some((_, d)) if d == c => {
                            if rest.next_if(|(_, e)| *e == c).is_none() {
                                break;
                            }
                            inner.push(c);
                        }
                        Some((_, d)) => inner.push(d),
                        None => return Err(Wrong::at(at, "this quote is not closed")),
                    }
                }
                tokens.push(token(inner, true, false));
            }
            c if c.is_alphanumeric() || OF_WORDS.contains(c) => {
                let mut word = c.to_string();
                while let Some((_, d)) = rest.next_if(|(_, d)| d.is_alphanumeric() || OF_WORDS.contains(*d)) {
                    word.push(d);
                }
                tokens.push(token(word, false, false));
            }
            other => return Err(Wrong::at(at, format!("\"{other}\" has no meaning here"))),
        }
    }
    Ok(tokens)
}

/// Puts the arguments of a command line together: what a shell has taken out of quotes is between quotes again.
pub fn of_arguments(arguments: &[String]) -> String {
    let quoted = |argument: &String| {
        let of_word = |c: char| c.is_alphanumeric() || OF_WORDS.contains(c);
        let plain = !argument.is_empty() && argument.chars().all(|c| of_word(c) || "(),'\"".contains(c));
        // contacts(phone, email)
        let list = argument.strip_suffix(')').and_then(|rest| rest.split_once('('));
        if plain || list.is_some_and(|(before, _)| before.chars().all(of_word)) {
            argument.clone()
        } else {
            format!("'{}'", argument.replace('\'', "''"))
        }
    };
    arguments.iter().map(quoted).collect::<Vec<_>>().join(" ")
}
