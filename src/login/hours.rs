//! Hours of the day and days of the week, in a time zone that is stated.

use chrono::{
    DateTime, Datelike, DurationRound, FixedOffset, Local, NaiveDateTime, NaiveTime, TimeDelta, Utc, Weekday,
};

/// When somebody may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// From the first to just before the second; past midnight where the second is the earlier one. All day where
    /// nothing is said.
    pub span: Option<(NaiveTime, NaiveTime)>,
    /// Days on which the span begins; every day where there are none.
    pub days: Vec<Weekday>,
    /// Whose clock it is.
    pub zone: Zone,
}

/// A clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// The machine's own (`TZ`, or its local time), with daylight saving.
    Local,
    /// A distance from UTC.
    Fixed(FixedOffset),
}

impl Hours {
    /// Do they hold at this moment?
    pub fn hold(&self, now: DateTime<Utc>) -> bool {
        let here = self.zone.read(now);
        let (day, before) = (here.weekday(), here.weekday().pred());
        let on = |day: Weekday| self.days.is_empty() || self.days.contains(&day);
        let time = here.time();
        match self.span {
            None => on(day),
            Some((from, to)) if from <= to => on(day) && (from..to).contains(&time),
            Some((from, to)) => (time >= from && on(day)) || (time < to && on(before)),
        }
    }
}

impl Hours {
    /// The next moment at which it has to be asked anew whether they hold: when that changes, or in a day. Minute by
    /// minute, as a zone's own clock may jump.
    pub fn change(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let (minute, held) = (TimeDelta::minutes(1), self.hold(now));
        let mut at = now.duration_trunc(minute).unwrap_or(now);
        for _ in 0..24 * 60 {
            at += minute;
            if self.hold(at) != held {
                break;
            }
        }
        at
    }
}

impl Zone {
    fn read(self, now: DateTime<Utc>) -> NaiveDateTime {
        match self {
            Self::Local => now.with_timezone(&Local).naive_local(),
            Self::Fixed(offset) => now.with_timezone(&offset).naive_local(),
        }
    }

    /// Reads `UTC`, `local`, or a distance such as `+08:00`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "local" => Some(Self::Local),
            "UTC" => FixedOffset::east_opt(0).map(Self::Fixed),
            _ => {
                let (sign, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
                    (Some(rest), _) => (1, rest),
                    (_, Some(rest)) => (-1, rest),
                    (None, None) => return None,
                };
                let time = clock(rest)?;
                let seconds = time.signed_duration_since(NaiveTime::MIN).num_seconds();
                FixedOffset::east_opt(sign * i32::try_from(seconds).ok()?).map(Self::Fixed)
            }
        }
    }
}

/// Reads `08:00-18:00`.
pub fn span(text: &str) -> Option<(NaiveTime, NaiveTime)> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (clock(from.trim())?, clock(to.trim())?);
    (from != to).then_some((from, to))
}

/// Reads `08:00`.
fn clock(text: &str) -> Option<NaiveTime> {
    let (hour, minute) = text.split_once(':')?;
    let two = |part: &str| (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse().ok())?;
    NaiveTime::from_hms_opt(two(hour)?, two(minute)?, 0)
}

/// Reads `mon` or `mon-fri`.
pub fn days(text: &str) -> Option<Vec<Weekday>> {
    let day = |name: &str| {
        const NAMES: [(&str, Weekday); 7] = [
            ("mon", Weekday::Mon),
            ("tue", Weekday::Tue),
            ("wed", Weekday::Wed),
            ("thu", Weekday::Thu),
            ("fri", Weekday::Fri),
            ("sat", Weekday::Sat),
            ("sun", Weekday::Sun),
        ];
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, day)| *day)
    };
    let Some((from, to)) = text.split_once('-') else {
        return day(text).map(|day| vec![day]);
    };
    let (mut at, to) = (day(from.trim())?, day(to.trim())?);
    let mut all = vec![at];
    while at != to {
        at = at.succ();
        all.push(at);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-20 was a Friday.
    fn hold(hours: &str, on: &str, zone: &str, at: &str) -> bool {
        let hours = Hours {
            span: span(hours),
            days: days(on).unwrap_or_default(),
            zone: Zone::parse(zone).unwrap(),
        };
        hours.hold(at.parse().unwrap())
    }

    #[test]
    fn office_hours() {
        assert!(hold("08:00-18:00", "mon-fri", "UTC", "2026-11-20T08:00:00Z"));
        assert!(hold("08:00-18:00", "mon-fri", "UTC", "2026-11-20T17:59:59Z"));
        assert!(!hold("08:00-18:00", "mon-fri", "UTC", "2026-11-20T18:00:00Z"));
        assert!(!hold("08:00-18:00", "mon-fri", "UTC", "2026-11-21T12:00:00Z"));
        // Friday noon in Shanghai, Friday 04:00 in UTC; Saturday there while it is Friday here
        assert!(hold("08:00-18:00", "mon-fri", "+08:00", "2026-11-20T04:00:00Z"));
        assert!(!hold("00:00-23:59", "mon-fri", "+08:00", "2026-11-20T17:00:00Z"));
        assert!(hold("", "sat", "+08:00", "2026-11-20T17:00:00Z"));
        assert!(hold("08:00-18:00", "", "-05:30", "2026-11-20T13:30:00Z"));
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        assert!(hold("22:00-06:00", "fri", "UTC", "2026-11-20T23:00:00Z"));
        assert!(hold("22:00-06:00", "fri", "UTC", "2026-11-21T05:59:00Z"));
        assert!(!hold("22:00-06:00", "fri", "UTC", "2026-11-20T05:00:00Z"));
        assert!(!hold("22:00-06:00", "fri", "UTC", "2026-11-21T06:00:00Z"));
        assert!(!hold("22:00-06:00", "fri", "UTC", "2026-11-21T23:00:00Z"));
    }

    #[test]
    fn when_it_changes() {
        let change = |hours: &str, on: &str, zone: &str, at: &str| {
            let hours = Hours {
                span: span(hours),
                days: days(on).unwrap_or_default(),
                zone: Zone::parse(zone).unwrap(),
            };
            hours.change(at.parse().unwrap()).to_rfc3339()
        };
        let friday = "2026-11-20T12:34:56Z";
        assert_eq!(
            change("08:00-18:00", "mon-fri", "UTC", friday),
            "2026-11-20T18:00:00+00:00"
        );
        assert_eq!(
            change("08:00-18:30", "mon-fri", "-05:30", friday),
            "2026-11-20T13:30:00+00:00"
        );
        assert_eq!(change("", "fri", "UTC", friday), "2026-11-21T00:00:00+00:00");
        assert_eq!(
            change("22:00-06:00", "fri", "UTC", "2026-11-20T23:00:00Z"),
            "2026-11-21T06:00:00+00:00"
        );
        // nothing for a day: look again then
        assert_eq!(change("", "mon", "UTC", friday), "2026-11-21T12:34:00+00:00");
    }

    #[test]
    fn what_is_not_read() {
        for bad in [
            "8:00-18:00",
            "08:00",
            "08:00-25:00",
            "08:00-08:00",
            "08:00-18:60",
            "+8:00-09:00",
        ] {
            assert!(span(bad).is_none(), "{bad}");
        }
        assert!(days("monday").is_none() && days("mon-").is_none() && Zone::parse("CET").is_none());
        assert_eq!(days("sat-mon").unwrap(), [Weekday::Sat, Weekday::Sun, Weekday::Mon]);
    }
}
