//! `[rights.temporary]`: what a role may give others for a time.

use crate::policy::file::{Word, did_you_mean};
use crate::policy::section::Section;
use crate::policy::temporary::{Among, Approver, Pattern, Temporary};
use crate::rights::{language, when};
use std::time::Duration;

pub(super) fn read(section: &Section<'_>) -> Temporary {
    let names = |key: &str| -> Vec<String> { words(section, key).into_iter().map(|w| w.text).collect() };
    let standard = Temporary::default();
    let read = Temporary {
        give: patterns(section, "give"),
        to: among(section, "to"),
        delegate: among(section, "delegate"),
        share: names("share"),
        suspend: among(section, "suspend"),
        suspend_roles: names("suspend_roles"),
        suspend_tables: names("suspend_tables"),
        longest: length(section, "longest").unwrap_or(standard.longest),
        request: patterns(section, "request"),
        approve: words(section, "approve")
            .iter()
            .filter_map(|w| approver(section, w))
            .collect(),
        raise: names("raise"),
        raise_for: length(section, "raise_for").unwrap_or(standard.raise_for),
    };
    for (key, given, needs, missing) in [
        ("give", !read.give.is_empty(), "to", read.to.is_empty()),
        ("delegate", !read.delegate.is_empty(), "to", read.to.is_empty()),
        ("share", !read.share.is_empty(), "to", read.to.is_empty()),
        ("request", !read.request.is_empty(), "approve", read.approve.is_empty()),
    ] {
        if given && missing {
            section.problems().error(
                &section.spot_of(key),
                format!("\"{key}\" has no effect without \"{needs}\""),
                Some(format!("add {needs} = [\"…\"]")),
            );
        }
    }
    section.finish();
    read
}

fn words(section: &Section<'_>, key: &str) -> Vec<Word> {
    section.texts(key).unwrap_or_default()
}

fn patterns(section: &Section<'_>, key: &str) -> Vec<Pattern> {
    let mut read = Vec::new();
    for word in words(section, key) {
        match language::what(&word.text) {
            Ok(what) => read.push(Pattern { what, at: word.at }),
            Err(wrong) => section.problems().error(
                &word.at,
                format!("\"{}\" is nothing that can be given: {}", word.text, wrong.message),
                wrong.hint.or_else(|| {
                    let example =
                        "such as \"view ON customers SCOPE team\", \"view ON contacts(phone)\" or \"ROLE auditor\"";
                    Some(example.to_owned())
                }),
            ),
        }
    }
    read
}

fn among(section: &Section<'_>, key: &str) -> Vec<Among> {
    let mut read = Vec::new();
    for word in words(section, key) {
        match Among::WORDS.iter().find(|(known, _)| *known == word.text) {
            Some((_, among)) => read.push(*among),
            None => section.problems().error(
                &word.at,
                format!("\"{}\" does not say which people", word.text),
                did_you_mean(&word.text, Among::WORDS.iter().map(|(known, _)| *known))
                    .or_else(|| Some("own, team, team_tree, reports or all".to_owned())),
            ),
        }
    }
    read
}

fn approver(section: &Section<'_>, word: &Word) -> Option<Approver> {
    match word.text.split_once(' ') {
        None if word.text == "manager" => Some(Approver::Manager),
        Some(("ROLE", role)) => Some(Approver::Role(role.trim().to_owned())),
        _ => {
            section.problems().error(
                &word.at,
                format!("\"{}\" does not say who approves", word.text),
                Some("\"manager\" or \"ROLE …\"".to_owned()),
            );
            None
        }
    }
}

fn length(section: &Section<'_>, key: &str) -> Option<Duration> {
    let word = section.text(key)?;
    let read = when::length(&word.text);
    if read.is_none() {
        section.problems().error(
            &word.at,
            format!("\"{}\" is not a length of time", word.text),
            Some("such as \"30 min\", \"8 hours\" or \"7 days\"".to_owned()),
        );
    }
    read
}
