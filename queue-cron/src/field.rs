//! The fields of an expression.

use std::fmt;

/// A field of a cron expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CronField {
    /// The second, 0–59.
    Second,
    /// The minute, 0–59.
    Minute,
    /// The hour, 0–23.
    Hour,
    /// The day of the month, 1–31.
    Day,
    /// The month, 1–12.
    Month,
    /// The day of the week, 0–7.
    Weekday,
}

pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(crate) const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

impl CronField {
    /// The fields in the order of an expression with seconds.
    pub(crate) const ALL: [Self; 6] =
        [Self::Second, Self::Minute, Self::Hour, Self::Day, Self::Month, Self::Weekday];

    /// Returns the least value.
    pub(crate) const fn least(self) -> u8 {
        match self {
            Self::Second | Self::Minute | Self::Hour | Self::Weekday => 0,
            Self::Day | Self::Month => 1,
        }
    }

    /// Returns the greatest value.
    pub(crate) const fn greatest(self) -> u8 {
        match self {
            Self::Second | Self::Minute => 59,
            Self::Hour => 23,
            Self::Day => 31,
            Self::Month => 12,
            Self::Weekday => 7,
        }
    }

    /// Returns the end of a range without an end, as in `*` and `5/15`.
    pub(crate) const fn last(self) -> u8 {
        match self {
            Self::Weekday => 6,
            _ => self.greatest(),
        }
    }

    /// Returns the value of a name such as `MON`, of three letters in any case.
    pub(crate) fn named(self, text: &str) -> Option<u8> {
        let names: &[&str] = match self {
            Self::Month => &MONTHS,
            Self::Weekday => &WEEKDAYS,
            Self::Second | Self::Minute | Self::Hour | Self::Day => &[],
        };
        let is_named = |name: &&str| name.get(..3).is_some_and(|short| short.eq_ignore_ascii_case(text));
        let place = names.iter().position(is_named)?;
        u8::try_from(place).ok().map(|place| place + self.least())
    }
}

/// Writes the name of the field: `day of the week`.
impl fmt::Display for CronField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day of the month",
            Self::Month => "month",
            Self::Weekday => "day of the week",
        })
    }
}
