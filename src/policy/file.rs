//! A policy file under the reader's finger: words with their places, and every problem noted, not only the first.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A place in a file, for people: line and column count from 1, the column in characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// The file as the operator named it.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Does a problem stop the set from being taken?
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The set is refused.
    Error,
    /// The set works, but something deserves a look.
    Warning,
}

/// Something wrong in a policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// Where.
    pub at: Spot,
    /// What.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
        };
        write!(f, "{}: {word}{}", self.at, self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// A word of a policy file with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The text.
    pub text: String,
    /// Where it stands.
    pub at: Spot,
}

/// Problems as they are found.
#[derive(Debug, Default)]
pub struct Problems(Mutex<Vec<Problem>>);

impl Problems {
    fn held(&self) -> MutexGuard<'_, Vec<Problem>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an error.
    pub fn error(&self, at: &Spot, message: impl Into<String>, hint: Option<String>) {
        self.note(Severity::Error, at, message.into(), hint);
    }

    /// Notes a warning.
    pub fn warning(&self, at: &Spot, message: impl Into<String>, hint: Option<String>) {
        self.note(Severity::Warning, at, message.into(), hint);
    }

    fn note(&self, severity: Severity, at: &Spot, message: String, hint: Option<String>) {
        let problem = Problem {
            severity,
            at: at.clone(),
            message,
            hint,
        };
        let mut all = self.held();
        if !all.contains(&problem) {
            all.push(problem);
        }
    }

    /// How many errors so far.
    pub fn errors(&self) -> usize {
        self.held().iter().filter(|p| p.severity == Severity::Error).count()
    }

    /// All of them, by place.
    pub fn into_sorted(self) -> Vec<Problem> {
        let mut all = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        all.sort_by(|a, b| a.at.cmp(&b.at).then(a.severity.cmp(&b.severity)));
        all
    }
}

/// "did you mean …" when one of the candidates is near enough.
pub fn did_you_mean<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<String> {
    nearest(word, candidates).map(|c| format!("did you mean \"{c}\"?"))
}

/// The candidate that is nearest, if it is near enough.
pub fn nearest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    const NEAR: f64 = 0.75;
    candidates
        .map(|c| (strsim::jaro_winkler(&word.to_lowercase(), &c.to_lowercase()), c))
        .filter(|(score, _)| *score >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, c)| c)
}
