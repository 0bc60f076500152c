//! Reads a command; an error points at its place.

use super::words::{Token, Wrong, words};
use super::{About, Command, Ends, Name, Partner, Record, Show, Target, Terms, What};
use crate::identity::held::Operation;
use crate::policy::file::did_you_mean;
use std::collections::BTreeSet;

/// The first words.
const COMMANDS: [&str; 12] = [
    "GRANT", "DELEGATE", "SUSPEND", "RESUME", "SHARE", "UNSHARE", "REVOKE", "RAISE", "REQUEST", "APPROVE", "REJECT",
    "SHOW",
];

/// In characters: others read it in lists.
const LONGEST_REASON: usize = 1_000;

/// What is said to databases, and looks like a command of here.
const SQL: [&str; 6] = ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER"];

fn is_one(word: &str) -> bool {
    COMMANDS.iter().any(|command| command.eq_ignore_ascii_case(word))
}

fn is_sql(word: &str) -> bool {
    SQL.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Reads one command.
pub fn command(text: &str) -> Result<Command, Wrong> {
    let word = text
        .trim_start()
        .split(|c: char| !c.is_alphabetic())
        .next()
        .unwrap_or("");
    let nearest = did_you_mean(word, COMMANDS.iter().copied());
    // statements of another language are not read word by word
    if !word.is_empty() && !is_one(word) && (nearest.is_none() || is_sql(word)) {
        let at = text.len() - text.trim_start().len();
        let mut wrong = Wrong::at(at, "this is no command of rowgate".to_owned());
        wrong.hint =
            Some("SHOW HELP lists the commands; queries go to the database behind, by its own name.".to_owned());
        return Err(wrong);
    }
    let mut reader = Reader::new(text)?;
    let first = reader.keyword(&COMMANDS)?;
    let command = match first {
        "GRANT" => {
            let what = reader.what()?;
            reader.expect("TO")?;
            let to = reader.name("a login")?;
            Command::Grant(what, to, reader.terms()?)
        }
        "DELEGATE" => {
            let from = reader.name("a login")?;
            reader.expect("TO")?;
            let to = reader.name("a login")?;
            let table = reader.follows("ON").then(|| reader.name("a table")).transpose()?;
            let terms = reader.terms()?;
            Command::Delegate { from, to, table, terms }
        }
        "SUSPEND" => Command::Suspend(reader.target()?, reader.terms()?),
        "RESUME" => Command::Resume(reader.target()?, reader.terms()?),
        "SHARE" | "UNSHARE" => {
            let record = reader.record()?;
            reader.expect("WITH")?;
            let partner = if reader.follows("TEAM") {
                Partner::Team(reader.name("a team")?)
            } else {
                Partner::Person(reader.name("a login")?)
            };
            let terms = reader.terms()?;
            if first == "SHARE" {
                Command::Share(record, partner, terms)
            } else {
                Command::Unshare(record, partner, terms)
            }
        }
        "REVOKE" => Command::Revoke(reader.number()?, reader.terms()?),
        "RAISE" => {
            let role = reader.follows("ROLE").then(|| reader.name("a role")).transpose()?;
            Command::Raise(role, reader.terms()?)
        }
        "REQUEST" => Command::Request(reader.what()?, reader.terms()?),
        "APPROVE" => Command::Approve(reader.number()?, reader.terms()?),
        "REJECT" => Command::Reject(reader.number()?, reader.terms()?),
        _ => Command::Show(reader.show()?),
    };
    reader.finish()?;
    Ok(command)
}

/// Reads what may be given, as policies say it.
pub fn what(text: &str) -> Result<What, Wrong> {
    let mut reader = Reader::new(text)?;
    let what = reader.what()?;
    reader.finish()?;
    Ok(what)
}

struct Reader {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    end: usize,
}

impl Reader {
    fn new(text: &str) -> Result<Self, Wrong> {
        Ok(Self {
            tokens: words(text)?.into_iter().peekable(),
            end: text.trim_end().len(),
        })
    }

    /// Where the next word stands, and what it is.
    fn here(&mut self) -> (usize, String) {
        match self.tokens.peek() {
            Some(token) => (token.at, format!("\"{}\"", token.text)),
            None => (self.end, "the end".to_owned()),
        }
    }

    fn wrong(&mut self, wanted: &str) -> Wrong {
        let (at, found) = self.here();
        Wrong::at(at, format!("{wanted} should stand here, not {found}"))
    }

    fn follows(&mut self, keyword: &str) -> bool {
        let is = |t: &Token| !t.quoted && t.text.eq_ignore_ascii_case(keyword);
        self.tokens.next_if(is).is_some()
    }

    fn expect(&mut self, keyword: &str) -> Result<(), Wrong> {
        if self.follows(keyword) {
            return Ok(());
        }
        Err(self.wrong(keyword))
    }

    fn keyword(&mut self, choice: &[&'static str]) -> Result<&'static str, Wrong> {
        if let Some(found) = choice.iter().find(|word| self.follows(word)) {
            return Ok(found);
        }
        let mut wrong = self.wrong(&one_of(choice));
        let written = self.tokens.peek().map(|t| t.text.clone()).unwrap_or_default();
        wrong.hint = did_you_mean(&written, choice.iter().copied());
        Err(wrong)
    }

    fn name(&mut self, what: &str) -> Result<Name, Wrong> {
        match self.tokens.next_if(|t| !t.sign) {
            Some(token) => Ok(Name {
                text: token.text,
                at: token.at,
            }),
            None => Err(self.wrong(what)),
        }
    }

    fn number(&mut self) -> Result<i64, Wrong> {
        let wrong = self.wrong("a number");
        let word = self.name("a number")?;
        word.text.parse().map_err(|_| wrong)
    }

    fn names(&mut self, what: &str) -> Result<Vec<Name>, Wrong> {
        let mut names = vec![self.name(what)?];
        while self.follows(",") {
            names.push(self.name(what)?);
        }
        self.expect(")")?;
        Ok(names)
    }

    fn what(&mut self) -> Result<What, Wrong> {
        if self.follows("ROLE") {
            return Ok(What::Role(self.name("a role")?));
        }
        let begins = self.here().0;
        let words = Operation::ALL.map(Operation::word);
        let mut operations = BTreeSet::new();
        loop {
            let word = self.keyword(&words)?;
            operations.extend(Operation::from_word(word));
            if !self.follows(",") {
                break;
            }
        }
        self.expect("ON")?;
        let table = self.name("a table")?;
        if self.follows("(") {
            let columns = self.names("a column")?;
            if operations.iter().any(|o| *o != Operation::View) {
                return Err(Wrong::at(begins, "of columns nothing but view can be given"));
            }
            return Ok(What::Columns { table, columns });
        }
        self.expect("SCOPE")?;
        let scope = self.name("a scope")?;
        Ok(What::Rows {
            operations,
            table,
            scope,
        })
    }

    fn target(&mut self) -> Result<Target, Wrong> {
        Ok(match self.keyword(&["PERSON", "ROLE", "TABLE"])? {
            "PERSON" => Target::Person(self.name("a login")?),
            "ROLE" => Target::Role(self.name("a role")?),
            _ => Target::Table(self.name("a table")?),
        })
    }

    fn record(&mut self) -> Result<Record, Wrong> {
        let table = self.name("a table")?;
        let key = if self.follows("(") {
            self.names("a value of the key")?
        } else {
            vec![self.name("the record's key")?]
        };
        Ok(Record { table, key })
    }

    fn terms(&mut self) -> Result<Terms, Wrong> {
        let mut terms = Terms::default();
        loop {
            let at = self.here().0;
            let is_end = |terms: &Terms| {
                if terms.ends.is_some() {
                    return Err(Wrong::at(at, "the end is said twice"));
                }
                Ok(())
            };
            if self.follows("UNTIL") {
                is_end(&terms)?;
                terms.ends = Some(Ends::Until(self.name("a time")?));
            } else if self.follows("FOR") {
                is_end(&terms)?;
                terms.ends = Some(Ends::For(self.name("a length of time")?));
            } else if self.follows("REASON") {
                if terms.reason.is_some() {
                    return Err(Wrong::at(at, "the reason is said twice"));
                }
                let reason = self.name("a reason")?;
                if reason.text.chars().count() > LONGEST_REASON {
                    let message = format!("this reason is longer than {LONGEST_REASON} characters");
                    return Err(Wrong::at(reason.at, message));
                }
                terms.reason = Some(reason.text);
            } else {
                return Ok(terms);
            }
        }
    }

    fn show(&mut self) -> Result<Show, Wrong> {
        let words = ["RIGHTS", "HISTORY", "REQUESTS", "PEOPLE", "POLICY", "POOLS", "HELP"];
        Ok(match self.keyword(&words)? {
            "RIGHTS" => Show::Rights(self.about()?),
            "HISTORY" => Show::History(self.about()?),
            "REQUESTS" => Show::Requests,
            "PEOPLE" => Show::People,
            "POLICY" if self.follows("CHANGES") => Show::PolicyChanges,
            "POLICY" => Show::Policy,
            "POOLS" => Show::Pools,
            _ => Show::Help,
        })
    }

    fn about(&mut self) -> Result<Option<About>, Wrong> {
        if self.follows("OF") {
            return Ok(Some(About::Person(self.name("a login")?)));
        }
        if !self.follows("ON") {
            return Ok(None);
        }
        let table = self.name("a table")?;
        let key = if self.follows("(") {
            self.names("a value of the key")?
        } else {
            self.tokens
                .next_if(|t| !t.sign)
                .into_iter()
                .map(|t| Name { text: t.text, at: t.at })
                .collect()
        };
        Ok(Some(About::Table(Record { table, key })))
    }

    fn finish(&mut self) -> Result<(), Wrong> {
        match self.tokens.peek() {
            None => Ok(()),
            Some(token) => {
                let hint = did_you_mean(&token.text, ["UNTIL", "FOR", "REASON", "SCOPE"].into_iter());
                Err(Wrong::at(token.at, format!("\"{}\" is too much", token.text)).hint(hint))
            }
        }
    }
}

fn one_of(words: &[&str]) -> String {
    match words {
        [one] => (*one).to_owned(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
        [] => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for text in [
            "view, edit ON customers SCOPE team",
            "view ON contacts(phone, \"e mail\")",
            "ROLE key_account",
            "export ON deals SCOPE parent:own",
        ] {
            assert_eq!(what(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn errors_point_at_their_place() {
        for (text, at, said) in [
            ("GRNT view", 0, "SHOW should stand here, not \"GRNT\""),
            (
                "GRANT view ON customers TO ann",
                24,
                "SCOPE should stand here, not \"TO\"",
            ),
            (
                "GRANT edit ON contacts(phone) TO ann",
                6,
                "of columns nothing but view can be given",
            ),
            ("REVOKE twelve", 7, "a number should stand here, not \"twelve\""),
            ("DELEGATE li TO", 14, "a login should stand here, not the end"),
            ("SUSPEND PERSON bea RESON 'x'", 19, "\"RESON\" is too much"),
            ("SHARE t 1 WITH a REASON 'b", 24, "this quote is not closed"),
            ("SHARE t 1 WITH a UNTIL x FOR y", 25, "the end is said twice"),
        ] {
            let wrong = command(text).unwrap_err();
            assert!(wrong.message.ends_with(said), "{text}: {wrong:?}");
            assert_eq!(wrong.at, at, "{text}: {wrong:?}");
        }
        let long = |count: usize| format!("REVOKE 1 REASON '{}'", "界".repeat(count));
        assert!(command(&long(1_000)).is_ok());
        let wrong = command(&long(1_001)).unwrap_err();
        assert_eq!(
            (wrong.message.as_str(), wrong.at),
            ("this reason is longer than 1000 characters", 16)
        );
        let wrong = command(&long(10_000)).unwrap_err();
        assert_eq!(wrong.message, "this command is longer than 16384 bytes");
        assert_eq!(command("GRNT x").unwrap_err().hint.unwrap(), "did you mean \"GRANT\"?");
    }

    #[test]
    fn a_shell_may_have_taken_the_quotes() {
        let words: Vec<String> = [
            "share",
            "customers",
            "42",
            "with",
            "ann",
            "reason",
            "she knows them; well",
        ]
        .map(str::to_owned)
        .to_vec();
        let text = super::super::of_arguments(&words);
        assert!(matches!(command(&text).unwrap(), Command::Share(..)), "{text}");
    }
}
