//! What a constant argument must be for a function to be total.

use super::oids::DATE;
use super::operators::is_moment;
use super::patterns::{like_pattern_is_safe, like_pattern_with_escape_is_safe, regex_is_safe, regex_takes_something};

/// A check of the constant arguments of one function. Each variant says which argument (from 0) must be constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArgumentCheck {
    /// 0: a unit that `date_trunc` takes for timestamps, such as `month`.
    TimestampUnit,
    /// 0: a unit that `date_trunc` takes for intervals.
    IntervalUnit,
    /// 0: a field that `extract` and `date_part` take for timestamps.
    TimestampField,
    /// 0: a field for timestamps with time zone.
    TimestamptzField,
    /// 0: a field for dates.
    DateField,
    /// 0: a field for intervals.
    IntervalField,
    /// 0: a field for times of day.
    TimeField,
    /// 0: the name of a time zone that every server knows.
    TimeZone,
    /// 1: a LIKE pattern that does not end in an unfinished escape.
    LikePattern,
    /// 0 and 1: a LIKE pattern and its escape (`like_escape`), the pattern whole.
    LikeEscape,
    /// 1: a plain regular expression; 2, where given: the flag `i` or none.
    Regex,
    /// 1 and 2: a plain regular expression and a replacement that cannot lengthen the text; 3, where given: flags `g`
    /// and `i`.
    RegexReplace,
    /// 2, where given: a length that is not negative.
    Length,
    /// 1: a length of at most 10,000; 2, where given: any constant.
    Padding,
    /// 2: a number that is not zero.
    NonZero,
    /// 1 and 2: what `replace` looks for and a replacement that is not longer.
    Replacement,
    /// 1: a plain format of `to_char` for timestamps.
    TimestampFormat,
    /// 1: a plain format of `to_char` for numbers.
    NumberFormat,
    /// 1: a small number of decimal places.
    Scale,
    /// 1: an encoding of `encode`.
    Encoding,
}

impl ArgumentCheck {
    /// May the function fail on values at the very end of the range of these types, whatever its constants are? A date is
    /// read as a timestamp where there is no function of its own.
    pub fn meets_the_edge(self, types: &[Option<crate::catalog::Oid>]) -> bool {
        match self {
            Self::TimestamptzField | Self::DateField => false,
            Self::TimestampField | Self::TimestampFormat => types.contains(&Some(DATE)),
            _ => types.iter().flatten().any(|ty| is_moment(*ty)),
        }
    }

    /// Do these arguments keep the function total? One entry per argument: a constant's text, or `None` for
    /// anything else (a column, an expression, a parameter not bound yet, NULL).
    pub fn accepts(&self, constants: &[Option<&str>]) -> bool {
        let constant = |at: usize| constants.get(at).copied().flatten();
        let absent = |at: usize| constants.len() <= at;
        let number = |at: usize| constant(at).and_then(|text| text.parse::<i32>().ok());
        let unit =
            |allowed: &[&str]| constant(0).is_some_and(|text| allowed.contains(&text.to_ascii_lowercase().as_str()));
        match self {
            Self::TimestampUnit => unit(TRUNCATE_ANY) || unit(&["week"]),
            Self::IntervalUnit => unit(TRUNCATE_ANY),
            Self::TimestampField => unit(DATE_FIELDS) || unit(TIME_FIELDS),
            Self::TimestamptzField => unit(DATE_FIELDS) || unit(TIME_FIELDS) || unit(ZONE_FIELDS),
            Self::DateField => unit(DATE_FIELDS),
            Self::IntervalField => unit(INTERVAL_FIELDS) || unit(TIME_FIELDS),
            Self::TimeField => unit(TIME_FIELDS) || unit(&["epoch"]),
            Self::TimeZone => constant(0).is_some_and(time_zone_is_known),
            Self::LikePattern => constant(1).is_some_and(like_pattern_is_safe),
            Self::LikeEscape => match (constant(0), constant(1)) {
                (Some(pattern), Some(escape)) => like_pattern_with_escape_is_safe(pattern, escape),
                _ => false,
            },
            Self::Regex => {
                constant(1).is_some_and(regex_is_safe) && (absent(2) || matches!(constant(2), Some("" | "i")))
            }
            Self::RegexReplace => match (constant(1), constant(2)) {
                (Some(pattern), Some(replacement)) => {
                    regex_is_safe(pattern)
                        && (replacement.is_empty() || (replaces_by_one(replacement) && regex_takes_something(pattern)))
                        && (absent(3) || constant(3).is_some_and(flags_are_plain))
                }
                _ => false,
            },
            Self::Length => absent(2) || number(2).is_some_and(|length| length >= 0),
            Self::Padding => number(1).is_some_and(|length| length <= 10_000) && (absent(2) || constant(2).is_some()),
            Self::NonZero => number(2).is_some_and(|field| field != 0),
            Self::Replacement => match (constant(1), constant(2)) {
                (Some(from), Some(to)) => from.is_empty() || to.len() <= from.len(),
                _ => false,
            },
            Self::TimestampFormat => constant(1).is_some_and(timestamp_format_is_plain),
            Self::NumberFormat => constant(1).is_some_and(number_format_is_plain),
            Self::Scale => absent(1) || number(1).is_some_and(|scale| scale.unsigned_abs() <= 1000),
            Self::Encoding => constant(1).is_some_and(|name| ["hex", "base64", "escape"].contains(&name)),
        }
    }
}

const TRUNCATE_ANY: &[&str] = &[
    "microseconds",
    "milliseconds",
    "second",
    "minute",
    "hour",
    "day",
    "month",
    "quarter",
    "year",
];
const DATE_FIELDS: &[&str] = &[
    "century",
    "day",
    "decade",
    "dow",
    "doy",
    "epoch",
    "isodow",
    "isoyear",
    "julian",
    "millennium",
    "month",
    "quarter",
    "week",
    "year",
];
const INTERVAL_FIELDS: &[&str] = &[
    "century",
    "day",
    "decade",
    "epoch",
    "millennium",
    "month",
    "quarter",
    "year",
];
const TIME_FIELDS: &[&str] = &["hour", "minute", "second", "milliseconds", "microseconds"];
const ZONE_FIELDS: &[&str] = &["timezone", "timezone_hour", "timezone_minute"];

/// A replacement of one byte that stands for itself.
fn replaces_by_one(replacement: &str) -> bool {
    replacement.len() == 1 && replacement != "\\"
}

fn flags_are_plain(flags: &str) -> bool {
    flags.chars().all(|flag| matches!(flag, 'g' | 'i'))
}

/// Names of time zones that every build of PostgreSQL has known for long.
pub fn time_zone_is_known(name: &str) -> bool {
    const KNOWN: &[&str] = &[
        "UTC",
        "GMT",
        "Africa/Cairo",
        "Africa/Johannesburg",
        "Africa/Lagos",
        "Africa/Nairobi",
        "America/Bogota",
        "America/Chicago",
        "America/Denver",
        "America/Halifax",
        "America/Lima",
        "America/Los_Angeles",
        "America/Mexico_City",
        "America/New_York",
        "America/Phoenix",
        "America/Sao_Paulo",
        "America/Toronto",
        "America/Vancouver",
        "Asia/Bangkok",
        "Asia/Dhaka",
        "Asia/Dubai",
        "Asia/Hong_Kong",
        "Asia/Jakarta",
        "Asia/Jerusalem",
        "Asia/Karachi",
        "Asia/Kolkata",
        "Asia/Kuala_Lumpur",
        "Asia/Macau",
        "Asia/Manila",
        "Asia/Riyadh",
        "Asia/Seoul",
        "Asia/Shanghai",
        "Asia/Singapore",
        "Asia/Taipei",
        "Asia/Tehran",
        "Asia/Tokyo",
        "Asia/Urumqi",
        "Australia/Brisbane",
        "Australia/Melbourne",
        "Australia/Perth",
        "Australia/Sydney",
        "Europe/Amsterdam",
        "Europe/Athens",
        "Europe/Berlin",
        "Europe/Brussels",
        "Europe/Copenhagen",
        "Europe/Dublin",
        "Europe/Helsinki",
        "Europe/Istanbul",
        "Europe/Lisbon",
        "Europe/London",
        "Europe/Madrid",
        "Europe/Moscow",
        "Europe/Oslo",
        "Europe/Paris",
        "Europe/Prague",
        "Europe/Rome",
        "Europe/Stockholm",
        "Europe/Vienna",
        "Europe/Warsaw",
        "Europe/Zurich",
        "Pacific/Auckland",
        "Pacific/Honolulu",
    ];
    KNOWN.contains(&name)
}

/// Is this the text of an interval so small that adding it to the present moment cannot overflow: one or more pairs
/// of a whole number below 10,000 and a unit, such as `7 days` or `1 year 6 months`?
pub fn interval_is_moderate(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace();
    let mut pairs = 0;
    while let Some(count) = words.next() {
        let digits = count.strip_prefix(['-', '+']).unwrap_or(count);
        let small = (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        let unit = words.next().is_some_and(|word| {
            let word = word.to_ascii_lowercase();
            let one = word.strip_suffix('s').unwrap_or(&word);
            ["second", "sec", "minute", "min", "hour", "day", "week", "mon", "month"].contains(&one)
                || (["year"].contains(&one) && digits.len() < 4)
        });
        if !small || !unit {
            return false;
        }
        pairs += 1;
    }
    (1..=8).contains(&pairs)
}

/// A format of numerals, month and day names and punctuation only.
fn timestamp_format_is_plain(format: &str) -> bool {
    const WORDS: &[&str] = &[
        "HH24", "HH12", "YYYY", "yyyy", "hh24", "hh12", "IYYY", "Month", "MONTH", "month", "DDD", "Day", "DAY", "Mon",
        "MON", "mon", "Dy", "DY", "DD", "dd", "MM", "mm", "MI", "mi", "SS", "ss", "MS", "US", "YY", "yy", "IW", "WW",
        "HH", "hh", "AM", "PM", "am", "pm", "ID", "FM", "Q", "W", "D", "T",
    ];
    const MARKS: &[char] = &[
        '-', '/', '.', ':', ' ', ',', '_', '年', '月', '日', '时', '分', '秒', '時',
    ];
    let mut rest = format;
    while !rest.is_empty() {
        let Some(after) = WORDS
            .iter()
            .find_map(|word| rest.strip_prefix(word))
            .or_else(|| rest.strip_prefix(MARKS))
        else {
            return false;
        };
        rest = after;
    }
    format.len() <= 100
}

/// A format of digits, group separators, one decimal point and the fill mode only.
fn number_format_is_plain(format: &str) -> bool {
    let body = format.strip_prefix("FM").unwrap_or(format);
    let points = body.chars().filter(|mark| matches!(mark, '.' | 'D')).count();
    !body.is_empty()
        && body.len() <= 60
        && points <= 1
        && body
            .chars()
            .all(|mark| matches!(mark, '9' | '0' | ',' | '.' | 'G' | 'D'))
        && body.contains(['9', '0'])
}

/// Is a constant, read as a date or time, within some thousand years of today? (No year of five digits, no compact date, no
/// number of a day, nothing before the year 1.)
pub fn moment_is_near(text: &str) -> bool {
    let mut run = 0;
    for byte in text.bytes() {
        run = if byte.is_ascii_digit() { run + 1 } else { 0 };
        if run > 4 {
            return false;
        }
    }
    !text.to_ascii_lowercase().contains("bc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_constants_of_the_right_kind_are_taken() {
        assert!(ArgumentCheck::TimestampUnit.accepts(&[Some("Month"), None]));
        assert!(ArgumentCheck::TimestampUnit.accepts(&[Some("week"), None]));
        assert!(!ArgumentCheck::IntervalUnit.accepts(&[Some("week"), None]));
        assert!(!ArgumentCheck::TimestampUnit.accepts(&[None, None]));
        assert!(!ArgumentCheck::TimestampUnit.accepts(&[Some("fortnight"), None]));
        assert!(!ArgumentCheck::DateField.accepts(&[Some("hour"), None]));
        assert!(ArgumentCheck::Length.accepts(&[None, None]));
        assert!(ArgumentCheck::Length.accepts(&[None, Some("2"), Some("3")]));
        assert!(!ArgumentCheck::Length.accepts(&[None, Some("2"), Some("-3")]));
        assert!(!ArgumentCheck::Length.accepts(&[None, None, None]));
        assert!(ArgumentCheck::NonZero.accepts(&[None, Some("@"), Some("2")]));
        assert!(!ArgumentCheck::NonZero.accepts(&[None, Some("@"), Some("0")]));
        assert!(ArgumentCheck::Replacement.accepts(&[None, Some("-"), Some("")]));
        assert!(!ArgumentCheck::Replacement.accepts(&[None, Some("-"), Some("xx")]));
        assert!(ArgumentCheck::RegexReplace.accepts(&[None, Some("[^0-9]"), Some(""), Some("g")]));
        assert!(ArgumentCheck::RegexReplace.accepts(&[None, Some("[ab]+"), Some("*"), Some("g")]));
        assert!(!ArgumentCheck::RegexReplace.accepts(&[None, Some("a*"), Some("*"), Some("g")]));
        assert!(!ArgumentCheck::RegexReplace.accepts(&[None, Some("a"), Some("aa"), Some("g")]));
        assert!(!ArgumentCheck::Regex.accepts(&[None, Some("a"), Some("g")]));
        assert!(!ArgumentCheck::Padding.accepts(&[None, Some("1000000000")]));
    }

    #[test]
    fn formats_and_intervals_of_the_plain_kind_are_taken() {
        assert!(timestamp_format_is_plain("YYYY-MM-DD HH24:MI:SS"));
        assert!(timestamp_format_is_plain("YYYY年MM月"));
        assert!(!timestamp_format_is_plain("YYYY TZ"));
        assert!(number_format_is_plain("FM999,999,990.00"));
        assert!(!number_format_is_plain("9.9.9"));
        assert!(!number_format_is_plain("9.99EEEE"));
        assert!(interval_is_moderate("7 days"));
        assert!(interval_is_moderate("1 year 6 months"));
        assert!(!interval_is_moderate("300000 years"));
        assert!(!interval_is_moderate("P1Y"));
        assert!(!interval_is_moderate(""));
    }
}
