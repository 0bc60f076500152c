//! A role's columns: clear, hidden or under a mask, with what may be written.

use super::scope_words;
use crate::policy::file::{Spot, Word, did_you_mean};
use crate::policy::section::{Section, Shape};
use crate::policy::written::{ColumnRule, MaskRule, Scope, Show};

/// Reads one column of a role's table.
pub(super) fn read(columns: &Section<'_>, name: &Word) -> Option<ColumnRule> {
    let mut rule = ColumnRule {
        name: name.clone(),
        show: Show::Clear,
        except: Vec::new(),
        searchable: false,
        edit: None,
        transfer: None,
        default: None,
        given: false,
    };
    match columns.shape(&name.text)? {
        Shape::Text(word) => rule.show = simple(columns, &word)?,
        Shape::Table(section) => {
            rule.show = show(&section)?;
            rule.except = scope_words(&section, "except").unwrap_or_default();
            rule.searchable = section.boolean("searchable").unwrap_or(false);
            rule.edit = section.boolean("edit");
            rule.transfer = scope_words(&section, "transfer");
            rule.default = section.text("default").and_then(|word| match word.text.as_str() {
                "own" => Some(Scope::Own),
                "team" => Some(Scope::Team),
                other => {
                    section.problems().error(
                        &word.at,
                        format!("\"{other}\" is not a default for a column"),
                        Some("\"own\" (the person's id) or \"team\" (their team's)".to_owned()),
                    );
                    None
                }
            });
            section.finish();
            if rule.show == Show::Clear && !rule.except.is_empty() {
                section.problems().error(
                    &section.spot_of("except"),
                    "\"except\" has nothing to be an exception from: the column shows in clear",
                    Some("add mask = \"…\" or hidden = true".to_owned()),
                );
            }
            if rule.searchable && !matches!(rule.show, Show::Mask(_)) {
                section.problems().error(
                    &section.spot_of("searchable"),
                    "\"searchable\" is for masked columns",
                    None,
                );
            }
        }
        Shape::Other(at, found) => {
            columns.problems().error(
                &at,
                format!("column \"{}\" must be a word or a table, not {found}", name.text),
                Some("such as \"hidden\", \"clear\" or { mask = \"partial\", keep = [3, 4] }".to_owned()),
            );
            return None;
        }
    }
    Some(rule)
}

fn simple(section: &Section<'_>, word: &Word) -> Option<Show> {
    Some(match word.text.as_str() {
        "clear" => Show::Clear,
        "hidden" => Show::Hidden,
        "null" => Show::Mask(MaskRule::Null),
        "email" => Show::Mask(MaskRule::Email),
        "hash" => Show::Mask(MaskRule::Hash),
        "year" => Show::Mask(MaskRule::Year),
        "month" => Show::Mask(MaskRule::Month),
        other if MaskRule::WORDS.contains(&other) => {
            section.problems().error(
                &word.at,
                format!("the mask \"{other}\" needs more than its name"),
                Some(format!("such as {}", example(other))),
            );
            return None;
        }
        other => {
            unknown(section, &word.at, other);
            return None;
        }
    })
}

fn unknown(section: &Section<'_>, at: &Spot, word: &str) {
    let known = ["clear", "hidden"].into_iter().chain(MaskRule::WORDS);
    let hint =
        did_you_mean(word, known.clone()).unwrap_or_else(|| format!("known: {}", known.collect::<Vec<_>>().join(", ")));
    section
        .problems()
        .error(at, format!("\"{word}\" is not a way to show a column"), Some(hint));
}

fn example(mask: &str) -> &'static str {
    match mask {
        "fixed" => "{ mask = \"fixed\", value = \"x\" }",
        "partial" => "{ mask = \"partial\", keep = [3, 4] }",
        "bucket" => "{ mask = \"bucket\", bucket = 1000 }",
        "round" => "{ mask = \"round\", digits = -3 }",
        "sql" => "{ mask = \"sql\", expression = \"left(name, 1)\" }",
        _ => "{ mask = \"null\" }",
    }
}

fn show(section: &Section<'_>) -> Option<Show> {
    let hidden = section.boolean("hidden").unwrap_or(false);
    let word = section.text("mask");
    if hidden && let Some(word) = &word {
        section
            .problems()
            .error(&word.at, "a column is masked or hidden, not both", None);
        return None;
    }
    if hidden {
        return Some(Show::Hidden);
    }
    let Some(word) = word else {
        return Some(Show::Clear);
    };
    if matches!(word.text.as_str(), "hidden" | "clear") {
        return simple(section, &word);
    }
    let missing = |what: &str| {
        section.problems().error(
            &word.at,
            format!("the mask \"{}\" needs {what}", word.text),
            Some(format!("such as {}", example(&word.text))),
        );
    };
    let mask = match word.text.as_str() {
        "null" => MaskRule::Null,
        "email" => MaskRule::Email,
        "hash" => MaskRule::Hash,
        "year" => MaskRule::Year,
        "month" => MaskRule::Month,
        "fixed" => MaskRule::Fixed {
            value: section.scalar_text("value").or_else(|| {
                missing("value");
                None
            })?,
        },
        "partial" => {
            let keep = section.integers("keep").unwrap_or_default();
            let [first, last] = keep.as_slice() else {
                missing("keep = [first, last]");
                return None;
            };
            let (Ok(first), Ok(last)) = (u32::try_from(*first), u32::try_from(*last)) else {
                missing("keep = [first, last], neither below 0");
                return None;
            };
            if first > 1_000_000 || last > 1_000_000 {
                missing("keep = [first, last], neither above 1000000");
                return None;
            }
            MaskRule::Partial { first, last }
        }
        "bucket" => {
            let Some(size) = section.scalar_text("bucket").or_else(|| section.scalar_text("n")) else {
                missing("bucket = n");
                return None;
            };
            if !is_positive_decimal(&size.text) {
                missing("bucket = n, a number above 0");
                return None;
            }
            MaskRule::Bucket { size }
        }
        "round" => {
            let digits = section.integer("digits").unwrap_or(0);
            match i32::try_from(digits) {
                Ok(digits) if (-100..=100).contains(&digits) => MaskRule::Round { digits },
                _ => {
                    missing("digits between -100 and 100");
                    return None;
                }
            }
        }
        "sql" => MaskRule::Sql {
            expression: section.text("expression").or_else(|| {
                missing("expression");
                None
            })?,
        },
        other => {
            unknown(section, &word.at, other);
            return None;
        }
    };
    Some(Show::Mask(mask))
}

fn is_positive_decimal(text: &str) -> bool {
    let mut points = 0;
    let plain = text.chars().all(|c| {
        points += usize::from(c == '.');
        c.is_ascii_digit() || c == '.'
    });
    plain && points <= 1 && text.len() <= 40 && text.chars().any(|c| ('1'..='9').contains(&c))
}
