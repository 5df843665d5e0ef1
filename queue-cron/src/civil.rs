//! Dates and times of a wall clock, without a time zone.

use std::fmt;

/// A date and a time of a wall clock, in whole seconds, from the year 1 to the year 9999 of the Gregorian calendar.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CivilTime {
    pub(crate) date: Date,
    pub(crate) time: Time,
}

/// A date of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Date {
    pub(crate) year: u16,
    pub(crate) month: u8,
    pub(crate) day: u8,
}

/// A time of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Time {
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
}

/// The last year that is represented.
pub(crate) const LAST_YEAR: u16 = 9999;

impl CivilTime {
    /// Creates a time. Returns `None` if there is no such date or time.
    #[must_use]
    pub fn new(year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> Option<Self> {
        let is_year = (1..=LAST_YEAR).contains(&year) && (1..=12).contains(&month);
        if !is_year || day == 0 || day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 59
        {
            return None;
        }
        Some(Self { date: Date { year, month, day }, time: Time { hour, minute, second } })
    }

    /// Returns the year.
    #[must_use]
    pub const fn year(self) -> u16 {
        self.date.year
    }

    /// Returns the month, 1–12.
    #[must_use]
    pub const fn month(self) -> u8 {
        self.date.month
    }

    /// Returns the day of the month, 1–31.
    #[must_use]
    pub const fn day(self) -> u8 {
        self.date.day
    }

    /// Returns the hour, 0–23.
    #[must_use]
    pub const fn hour(self) -> u8 {
        self.time.hour
    }

    /// Returns the minute, 0–59.
    #[must_use]
    pub const fn minute(self) -> u8 {
        self.time.minute
    }

    /// Returns the second, 0–59.
    #[must_use]
    pub const fn second(self) -> u8 {
        self.time.second
    }

    /// Returns the next second. Returns `None` after the last one.
    pub(crate) fn next_second(self) -> Option<Self> {
        match self.time.next_second() {
            Some(time) => Some(Self { date: self.date, time }),
            None => Some(Self { date: self.date.next_day()?, time: Time::MIDNIGHT }),
        }
    }
}

impl Date {
    /// Returns the next day. Returns `None` after the last one.
    pub(crate) fn next_day(self) -> Option<Self> {
        if self.day < days_in_month(self.year, self.month) {
            return Some(Self { day: self.day + 1, ..self });
        }
        self.next_month()
    }

    /// Returns the first day of the next month. Returns `None` after the last one.
    pub(crate) fn next_month(self) -> Option<Self> {
        if self.month < 12 {
            return Some(Self { month: self.month + 1, day: 1, ..self });
        }
        (self.year < LAST_YEAR).then(|| Self { year: self.year + 1, month: 1, day: 1 })
    }

    /// Returns the day of the week: 0 for Sunday.
    pub(crate) fn weekday(self) -> u8 {
        // The number of days before each month of a common year, less one for each month after February, modulo 7 (Sakamoto).
        const MONTHS: [u16; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
        let month = MONTHS.get(usize::from(self.month) - 1).copied().unwrap_or_default();
        let year = if self.month < 3 { self.year - 1 } else { self.year };
        ((year + year / 4 - year / 100 + year / 400 + month + u16::from(self.day)) % 7) as u8
    }

    /// Returns the number of days in the month.
    pub(crate) fn days_in_month(self) -> u8 {
        days_in_month(self.year, self.month)
    }
}

impl Time {
    pub(crate) const MIDNIGHT: Self = Self { hour: 0, minute: 0, second: 0 };

    fn next_second(self) -> Option<Self> {
        let Self { hour, minute, second } = self;
        match (hour, minute, second) {
            (23, 59, 59) => None,
            (_, 59, 59) => Some(Self { hour: hour + 1, minute: 0, second: 0 }),
            (_, _, 59) => Some(Self { hour, minute: minute + 1, second: 0 }),
            _ => Some(Self { hour, minute, second: second + 1 }),
        }
    }
}

fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Writes the time as `2026-11-29 02:00:00`.
impl fmt::Display for CivilTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { date: Date { year, month, day }, time: Time { hour, minute, second } } = self;
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    }
}

impl fmt::Debug for CivilTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_of_the_week_is_that_of_the_gregorian_calendar() {
        let table = [((1970, 1, 1), 4), ((2000, 2, 29), 2), ((2026, 11, 29), 0), ((2100, 3, 1), 1)];

        for ((year, month, day), weekday) in table {
            assert_eq!(Date { year, month, day }.weekday(), weekday, "{year}-{month}-{day}");
        }
    }

    #[test]
    fn february_has_29_days_in_leap_years_only() {
        let days = [2023, 2024, 1900, 2000].map(|year| days_in_month(year, 2));

        assert_eq!(days, [28, 29, 28, 29]);
    }

    #[test]
    fn the_second_after_a_year_is_in_the_next_year_and_the_last_one_has_no_next() {
        let end = CivilTime::new(2026, 12, 31, 23, 59, 59).unwrap();
        let last = CivilTime::new(9999, 12, 31, 23, 59, 59).unwrap();

        assert_eq!(end.next_second(), CivilTime::new(2027, 1, 1, 0, 0, 0));
        assert_eq!(last.next_second(), None);
        assert_eq!(CivilTime::new(2026, 2, 29, 0, 0, 0), None);
    }
}
