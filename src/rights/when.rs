//! Times and lengths of time as people write them, in the time zone of the machine.

use super::language::{Ends, Wrong};
use chrono::{DateTime, Days, Local, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};
use std::time::{Duration, SystemTime};

/// The moment that is meant: later than `now`. A day means its end.
pub fn end(written: &Ends, now: SystemTime) -> Result<SystemTime, Wrong> {
    match written {
        Ends::For(name) => match length(&name.text).and_then(|l| now.checked_add(l)) {
            Some(end) => Ok(end),
            None => Err(Wrong::at(name.at, format!("\"{}\" is no length of time", name.text))
                .hint(Some("such as '30 min', '2 hours' or '3 days'".to_owned()))),
        },
        Ends::Until(name) => match moment(&name.text, DateTime::<Local>::from(now)) {
            Some(end) if end > now => Ok(end),
            Some(_) => Err(Wrong::at(name.at, format!("\"{}\" is over", name.text))),
            None => Err(Wrong::at(name.at, format!("\"{}\" is no time", name.text)).hint(Some(
                "such as '18:00', '2026-12-31' (the end of that day) or '2026-12-31 12:00'".to_owned(),
            ))),
        },
    }
}

fn moment(text: &str, now: DateTime<Local>) -> Option<SystemTime> {
    let text = text.trim();
    if let Ok(exact) = DateTime::parse_from_rfc3339(text) {
        return Some(exact.into());
    }
    for pattern in ["%Y-%m-%d %H:%M:%S%#z", "%Y-%m-%d %H:%M%#z"] {
        if let Ok(exact) = DateTime::parse_from_str(text, pattern) {
            return Some(exact.into());
        }
    }
    local(text, now).and_then(|at| Local.from_local_datetime(&at).earliest().map(Into::into))
}

fn local(text: &str, now: DateTime<Local>) -> Option<NaiveDateTime> {
    for pattern in ["%H:%M", "%H:%M:%S"] {
        if let Ok(time) = NaiveTime::parse_from_str(text, pattern) {
            return Some(now.date_naive().and_time(time));
        }
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return day.checked_add_days(Days::new(1)).map(|d| d.and_time(NaiveTime::MIN));
    }
    let patterns = [
        "%Y-%m-%d %H:%M",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%dT%H:%M:%S",
    ];
    patterns
        .iter()
        .find_map(|p| NaiveDateTime::parse_from_str(text, p).ok())
}

/// `30 min`, `2 hours`, `3d`; one unit, never nothing.
pub fn length(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok().filter(|n| *n > 0)?;
    let seconds = match unit.trim().to_ascii_lowercase().as_str() {
        "s" | "sec" | "second" | "seconds" => 1,
        "m" | "min" | "minute" | "minutes" => 60,
        "h" | "hour" | "hours" => 3_600,
        "d" | "day" | "days" => 86_400,
        "w" | "week" | "weeks" => 604_800,
        _ => return None,
    };
    number
        .checked_mul(seconds)
        .filter(|s| *s < 1 << 40)
        .map(Duration::from_secs)
}

/// A moment as people read it.
pub fn shown(at: SystemTime) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    let seconds = since
        .as_ref()
        .map_or_else(|before| before.duration().as_secs(), Duration::as_secs);
    let signed = i64::try_from(seconds).ok().map(|s| if since.is_ok() { s } else { -s });
    // what the database calls infinity is no day of any calendar
    match signed.and_then(|seconds| Local.timestamp_opt(seconds, 0).single()) {
        Some(at) => at.format("%Y-%m-%d %H:%M:%S%:z").to_string(),
        None if since.is_ok() => "infinity".to_owned(),
        None => "-infinity".to_owned(),
    }
}

/// A length of time as people read it.
pub fn shown_length(length: Duration) -> String {
    let seconds = length.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let unit = units
        .iter()
        .find(|(size, _)| seconds >= *size && seconds.is_multiple_of(*size));
    unit.map_or_else(
        || format!("{seconds} s"),
        |(size, word)| format!("{} {word}", seconds / size),
    )
}

#[cfg(test)]
mod tests {
    use super::super::language::Name;
    use super::*;

    fn until(text: &str) -> Option<String> {
        let now = Local.with_ymd_and_hms(2026, 11, 22, 13, 0, 0).unwrap();
        let name = Name {
            text: text.to_owned(),
            at: 0,
        };
        let end = end(&Ends::Until(name), now.into()).ok()?;
        Some(shown(end)[..19].to_owned())
    }

    #[test]
    fn times() {
        assert_eq!(until("18:00").unwrap(), "2026-11-22 18:00:00");
        assert_eq!(until("2026-11-22").unwrap(), "2026-11-23 00:00:00");
        assert_eq!(until("2026-12-31 12:30").unwrap(), "2026-12-31 12:30:00");
        for wrong in ["12:59", "25:00", "2026-11-21", "2026-13-01", "friday", ""] {
            assert_eq!(until(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn moments_of_no_calendar_are_shown() {
        // as the database's infinity is read
        let far = Duration::from_micros(u64::MAX / 2);
        assert_eq!(shown(SystemTime::UNIX_EPOCH + far), "infinity");
        assert_eq!(shown(SystemTime::UNIX_EPOCH - far), "-infinity");
        assert_eq!(
            &shown(SystemTime::UNIX_EPOCH - Duration::from_secs(86_400))[..5],
            "1969-"
        );
    }

    #[test]
    fn lengths() {
        assert_eq!(length("30 min"), Some(Duration::from_secs(1_800)));
        assert_eq!(length("2hours"), Some(Duration::from_secs(7_200)));
        for wrong in [
            "0 min",
            "min",
            "5",
            "-1 d",
            "99999999999999999999 d",
            "9999999999999 weeks",
        ] {
            assert_eq!(length(wrong), None, "{wrong}");
        }
    }
}
