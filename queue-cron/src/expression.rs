//! A cron expression, and the times that match it.

use std::fmt;
use std::str::FromStr;

use crate::civil::{CivilTime, Date, Time};
use crate::days::Days;
use crate::error::CronError;
use crate::parse::parse;
use crate::set::Set;
use crate::words;

/// A cron expression.
///
/// **Invariant:** there is a time that matches it, and after each time up to the year 9000 another one: `0 0 31 2 *` is an error.
///
/// `Display` writes the text that was parsed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Expression {
    pub(crate) text: String,
    pub(crate) seconds: Set,
    pub(crate) minutes: Set,
    pub(crate) hours: Set,
    pub(crate) days: Days,
    /// Whether no field of the time has a `*` or a step.
    pub(crate) is_fixed: bool,
}

impl Expression {
    /// Returns the first time after `after` that matches. Returns `None` if there is none up to the year 9999.
    #[must_use]
    pub fn next_after(&self, after: CivilTime) -> Option<CivilTime> {
        let from = after.next_second()?;
        if self.days.contain(from.date)
            && let Some(time) = self.time_at_least(from.time)
        {
            return Some(CivilTime { date: from.date, time });
        }
        let date = self.days.at_least(from.date.next_day()?)?;
        Some(CivilTime { date, time: self.time_at_least(Time::MIDNIGHT)? })
    }

    /// Returns whether the expression has fixed times: no `*` and no step in its seconds, minutes and hours.
    ///
    /// A fixed time that a time zone skips is made up for, and one that comes twice counts once. Any other expression follows the
    /// wall clock.
    #[must_use]
    pub const fn is_fixed(&self) -> bool {
        self.is_fixed
    }

    /// Returns the expression in words: `at 09:30 on Monday to Friday`.
    #[must_use]
    pub fn words(&self) -> String {
        words::of(self)
    }

    /// Returns the text that was parsed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether a time matches at all.
    pub(crate) fn comes(&self) -> bool {
        // The calendar repeats after 400 years.
        let (first, last) = (Date { year: 2000, month: 1, day: 1 }, Date { year: 2400, month: 1, day: 1 });
        self.days.at_least(first).is_some_and(|date| date < last)
    }

    /// Returns the first matching time of a day that is at least `from`.
    fn time_at_least(&self, from: Time) -> Option<Time> {
        let (first_minute, first_second) = (self.minutes.first()?, self.seconds.first()?);
        let mut hour = self.hours.at_least(from.hour)?;
        if hour == from.hour {
            if self.minutes.contains(from.minute)
                && let Some(second) = self.seconds.at_least(from.second)
            {
                return Some(Time { hour, minute: from.minute, second });
            }
            if let Some(minute) = self.minutes.at_least(from.minute + 1) {
                return Some(Time { hour, minute, second: first_second });
            }
            hour = self.hours.at_least(hour + 1)?;
        }
        Some(Time { hour, minute: first_minute, second: first_second })
    }
}

impl FromStr for Expression {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        parse(text)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}
