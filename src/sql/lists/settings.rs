//! Which settings a client may change and read.

use super::file;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// How a change of one setting is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// Any value.
    Allowed,
    /// Values up to a limit.
    Clamped(Limit),
    /// These values only, compared without regard to case.
    Only(&'static [&'static str]),
    /// `search_path`: allowed and followed.
    Special,
    /// No value.
    Refused,
}

/// What kind of limit a setting has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// A duration (milliseconds where no unit stands); 0 is no limit and so the longest.
    Time,
    /// An amount of memory (kilobytes where no unit stands; 8 kB pages for `temp_buffers`).
    Memory {
        /// Bytes of the unit that a bare number counts in.
        unit: u64,
    },
    /// A number, never above this one.
    Number(u32),
}

impl Limit {
    /// Is the value within the limit? Both are written as PostgreSQL reads them, such as `64MB` or `30s`; `None` where
    /// the role has no limit of its own. What cannot be read is not within.
    pub fn admits(self, value: &str, limit: Option<&str>) -> bool {
        match self {
            Self::Time => within(value, limit, |text| {
                // PostgreSQL rounds to whole milliseconds, and none is no limit
                quantity(text, TIME_UNITS, 1_000.0).map(|length| if length < 1_000.0 { f64::INFINITY } else { length })
            }),
            Self::Memory { unit } => within(value, limit, |text| quantity(text, MEMORY_UNITS, unit as f64)),
            Self::Number(most) => {
                quantity(value, &[], 1.0).is_some_and(|number| number <= f64::from(most))
                    && within(value, limit, |text| quantity(text, &[], 1.0))
            }
        }
    }
}

fn within(value: &str, limit: Option<&str>, read: impl Fn(&str) -> Option<f64>) -> bool {
    let Some(value) = read(value) else { return false };
    match limit {
        None => true,
        Some(limit) => read(limit).is_some_and(|limit| value <= limit),
    }
}

/// In microseconds.
const TIME_UNITS: &[(&str, f64)] = &[
    ("us", 1.0),
    ("ms", 1e3),
    ("s", 1e6),
    ("min", 60e6),
    ("h", 3_600e6),
    ("d", 86_400e6),
];
/// In bytes.
const MEMORY_UNITS: &[(&str, f64)] = &[
    ("B", 1.0),
    ("kB", 1024.0),
    ("MB", 1_048_576.0),
    ("GB", 1_073_741_824.0),
    ("TB", 1_099_511_627_776.0),
];

/// A decimal number with a unit; hexadecimal and octal spellings are not read.
fn quantity(text: &str, units: &[(&str, f64)], bare: f64) -> Option<f64> {
    let text = text.trim();
    let end = text
        .find(|mark: char| !(mark.is_ascii_digit() || mark == '.'))
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    let has_leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let number: f64 = if has_leading_zero { None } else { digits.parse().ok() }?;
    let unit = unit.trim();
    let factor = if unit.is_empty() {
        bare
    } else {
        units.iter().find(|(name, _)| *name == unit)?.1
    };
    Some(number * factor)
}

enum Rule {
    Plain(Setting),
    Values(Vec<&'static str>),
}

static SETTINGS: LazyLock<HashMap<&'static str, Rule>> = LazyLock::new(|| {
    let mut rules = HashMap::new();
    for entry in file::lines(include_str!("settings.txt")) {
        let (names, value) = entry.text.split_once('=').unwrap_or((entry.text, ""));
        for name in names.split_ascii_whitespace() {
            if let Some(rule) = rule(entry.section, name, value) {
                rules.insert(name, rule);
            }
        }
    }
    rules
});

fn rule(section: &str, name: &str, value: &'static str) -> Option<Rule> {
    Some(match section {
        "allowed" => Rule::Plain(Setting::Allowed),
        "time" => Rule::Plain(Setting::Clamped(Limit::Time)),
        "memory" => {
            let unit = if name == "temp_buffers" { 8192 } else { 1024 };
            Rule::Plain(Setting::Clamped(Limit::Memory { unit }))
        }
        "number" => Rule::Plain(Setting::Clamped(Limit::Number(value.trim().parse().ok()?))),
        "only" => Rule::Values(value.split(',').map(str::trim).collect()),
        "special" => Rule::Plain(Setting::Special),
        _ => return None,
    })
}

static UNREADABLE: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    file::words(include_str!("settings.txt"))
        .filter(|entry| entry.section == "unreadable")
        .map(|entry| entry.text)
        .collect()
});

/// How a change of the setting is judged; its name in any case.
pub fn setting(name: &str) -> Setting {
    match SETTINGS.get(name.to_ascii_lowercase().as_str()) {
        Some(Rule::Plain(setting)) => *setting,
        Some(Rule::Values(values)) => Setting::Only(values),
        None => Setting::Refused,
    }
}

/// May a client read the setting by SHOW or `current_setting`; its name in any case?
pub fn setting_is_readable(name: &str) -> bool {
    !name.contains('.') && !UNREADABLE.contains(name.to_ascii_lowercase().as_str())
}

/// The settings without a dot in their names that a client may not read, in small letters and in order.
pub fn unreadable_settings() -> Vec<&'static str> {
    let mut names: Vec<&'static str> = UNREADABLE.iter().copied().collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case_and_unknown_ones_are_refused() {
        assert_eq!(setting("TimeZone"), Setting::Allowed);
        assert_eq!(setting("search_path"), Setting::Special);
        assert_eq!(
            setting("standard_conforming_strings"),
            Setting::Only(&["on", "true", "yes", "1"])
        );
        for refused in [
            "role",
            "session_authorization",
            "row_security",
            "session_replication_role",
            "debug_print_plan",
            "log_statement",
            "exit_on_error",
            "local_preload_libraries",
            "myapp.tenant",
            "is_superuser",
            "seed",
        ] {
            assert_eq!(setting(refused), Setting::Refused, "{refused}");
        }
    }

    #[test]
    fn limits_are_compared_with_their_units() {
        assert!(Limit::Time.admits("30s", Some("1min")));
        assert!(Limit::Time.admits("30000", Some("30s")));
        assert!(!Limit::Time.admits("0", Some("30s")));
        assert!(Limit::Time.admits("0", None));
        let memory = Limit::Memory { unit: 1024 };
        assert!(memory.admits("4096", Some("4MB")));
        assert!(!memory.admits("1GB", Some("64MB")));
        assert!(!memory.admits("1 gb", Some("64MB")));
        assert!(!memory.admits("0x7fffffff", Some("64MB")));
        assert!(Limit::Number(12).admits("8", None));
        assert!(!Limit::Number(12).admits("40", None));
        assert!(!Limit::Number(12).admits("-1", None));
    }

    #[test]
    fn secrets_of_the_server_are_not_read() {
        assert!(setting_is_readable("server_version"));
        assert!(!setting_is_readable("Primary_Conninfo"));
        assert!(!setting_is_readable("app.jwt_secret"));
    }
}
