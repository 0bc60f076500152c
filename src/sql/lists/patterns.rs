//! Which constant patterns of LIKE and of regular expressions cannot fail, whatever text they meet.

use super::MOST_SHALLOW;

/// Is the LIKE pattern whole, that is, does it not end in an unfinished escape (`\`)?
pub fn like_pattern_is_safe(pattern: &str) -> bool {
    like_pattern_with_escape_is_safe(pattern, "\\")
}

/// The same for `LIKE pattern ESCAPE escape`; and PostgreSQL's matcher calls itself for each `%`: the pattern must be short. the escape must be one character or empty (none), and the pattern must
/// not end in an unfinished one.
pub fn like_pattern_with_escape_is_safe(pattern: &str, escape: &str) -> bool {
    if pattern.len() > MOST_SHALLOW {
        return false;
    }
    let mut escape = escape.chars();
    let Some(mark) = escape.next() else { return true };
    if escape.next().is_some() {
        return false;
    }
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if character == mark && characters.next().is_none() {
            return false;
        }
    }
    true
}

/// The longest pattern that is taken, in bytes: a longer one may be too complex for PostgreSQL's engine.
const LONGEST_REGEX: usize = 200;
/// The deepest nesting of groups.
const DEEPEST_REGEX: usize = 10;

/// Is the text a regular expression of a plain kind that surely compiles and runs: characters, `.`, anchors,
/// alternatives, groups, simple bracket lists, escapes for classes and punctuation, and the quantifiers `*`, `+`,
/// `?` and their non-greedy forms? Counted repeats, back references, look-around, embedded options and everything
/// else are answered with no.
pub fn regex_is_safe(pattern: &str) -> bool {
    if pattern.len() > LONGEST_REGEX || pattern.starts_with("***") {
        return false;
    }
    let mut characters = pattern.chars().peekable();
    let mut depth = 0;
    let mut after_atom = false;
    while let Some(character) = characters.next() {
        after_atom = match character {
            '*' | '+' | '?' => {
                if !after_atom {
                    return false;
                }
                if characters.peek() == Some(&'?') {
                    characters.next();
                }
                false
            }
            '(' => {
                depth += 1;
                if depth > DEEPEST_REGEX || characters.peek() == Some(&'?') {
                    return false;
                }
                false
            }
            ')' => {
                let Some(outer) = usize::checked_sub(depth, 1) else {
                    return false;
                };
                depth = outer;
                true
            }
            '|' | '^' | '$' => false,
            '[' => {
                if !bracket_list_is_safe(&mut characters) {
                    return false;
                }
                true
            }
            '\\' => match characters.next() {
                Some('d' | 's' | 'w' | 'D' | 'S' | 'W') => true,
                Some('m' | 'M' | 'y') => false,
                Some(escaped) if escaped.is_ascii_punctuation() => true,
                _ => return false,
            },
            '{' | '}' | '\0' => return false,
            _ => true,
        };
    }
    depth == 0
}

/// Does a regular expression that [`regex_is_safe`] takes surely match at least one character where it matches?
pub(super) fn regex_takes_something(pattern: &str) -> bool {
    let first_is_plain = pattern
        .chars()
        .next()
        .is_some_and(|first| first.is_alphanumeric() || matches!(first, '.' | '[' | ' ' | '-' | '@'));
    first_is_plain && !pattern.contains(['*', '?', '|', '('])
}

/// Reads a bracket list to its end: characters and ASCII ranges in their order, no classes or escapes.
fn bracket_list_is_safe(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    if characters.peek() == Some(&'^') {
        characters.next();
    }
    let mut last: Option<char> = None;
    while let Some(character) = characters.next() {
        match character {
            ']' => return last.is_some(),
            '[' | '\\' | '\0' => return false,
            '-' => {
                let (Some(from), Some(to)) = (last, characters.next()) else {
                    return false;
                };
                let ordered = (from.is_ascii_digit() && to.is_ascii_digit())
                    || (from.is_ascii_lowercase() && to.is_ascii_lowercase())
                    || (from.is_ascii_uppercase() && to.is_ascii_uppercase());
                if !ordered || from > to || characters.peek() == Some(&'-') {
                    return false;
                }
                last = Some('-');
            }
            other => last = Some(other),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_like_pattern_must_not_end_in_an_escape() {
        assert!(like_pattern_is_safe("%ann\\%"));
        assert!(like_pattern_is_safe("a\\\\"));
        assert!(!like_pattern_is_safe("a\\"));
        assert!(!like_pattern_is_safe("a\\\\\\"));
        assert!(like_pattern_with_escape_is_safe("a\\", "!"));
        assert!(like_pattern_with_escape_is_safe("a\\", ""));
        assert!(!like_pattern_with_escape_is_safe("a!", "!"));
        assert!(like_pattern_with_escape_is_safe("a!!", "!"));
        assert!(!like_pattern_with_escape_is_safe("a", "!!"));
    }

    #[test]
    fn plain_regular_expressions_are_taken_and_strange_ones_are_not() {
        for safe in [
            "",
            "^13[0-9]",
            "foo|bar",
            "(a|b)*c+?",
            "\\d\\d\\.\\w+$",
            "[^a-z_]",
            "^(abc)$",
            "李.*",
        ] {
            assert!(regex_is_safe(safe), "{safe}");
        }
        for strange in [
            "*a",
            "a**",
            "(",
            ")",
            "a)",
            "(?i)a",
            "a{2}",
            "[",
            "[]",
            "[a",
            "[z-a]",
            "[[:alpha:]]",
            "\\1",
            "(a)\\1",
            "a\\",
            "***=a",
            "^*",
            "|*",
            "(*a)",
            "\\Aa",
            "[a-b-c]",
            "[-a]",
            "\\x41",
        ] {
            assert!(!regex_is_safe(strange), "{strange}");
        }
    }
}
