//! The days that match an expression.

use crate::civil::Date;
use crate::set::Set;

/// The fields for the day, the month and the day of the week.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Days {
    pub(crate) months: Set,
    pub(crate) of_month: DaysOfMonth,
    pub(crate) of_week: DaysOfWeek,
}

/// The field for the day of the month.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct DaysOfMonth {
    pub(crate) days: Set,
    /// `L`.
    pub(crate) last: bool,
    /// `15W`: the weekday nearest to each of these days.
    pub(crate) near: Set,
    /// `LW`.
    pub(crate) last_weekday: bool,
    /// Whether the field begins with `*`.
    pub(crate) is_open: bool,
}

/// The field for the day of the week.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct DaysOfWeek {
    pub(crate) days: Set,
    /// `5L`: the last such day of the month.
    pub(crate) last: Set,
    /// `5#2`: the days that are the nth of the month.
    pub(crate) nth: Vec<(u8, u8)>,
    /// Whether the field begins with `*`.
    pub(crate) is_open: bool,
}

impl Days {
    /// Returns the first matching day that is at least `from`. Returns `None` if there is none up to the last year.
    pub(crate) fn at_least(&self, from: Date) -> Option<Date> {
        let mut date = from;
        loop {
            if !self.months.contains(date.month) {
                date = date.next_month()?;
            } else if self.match_day(date) {
                return Some(date);
            } else {
                date = date.next_day()?;
            }
        }
    }

    pub(crate) fn contain(&self, date: Date) -> bool {
        self.months.contains(date.month) && self.match_day(date)
    }

    fn match_day(&self, date: Date) -> bool {
        let (of_month, of_week) = (self.of_month.match_day(date), self.of_week.match_day(date));
        if self.of_month.is_open || self.of_week.is_open { of_month && of_week } else { of_month || of_week }
    }
}

impl DaysOfMonth {
    fn match_day(&self, date: Date) -> bool {
        let last = date.days_in_month();
        self.days.contains(date.day)
            || self.last && date.day == last
            || self.last_weekday && date.day == nearest_weekday(date, last)
            || self.near.iter().any(|day| day <= last && date.day == nearest_weekday(date, day))
    }
}

impl DaysOfWeek {
    fn match_day(&self, date: Date) -> bool {
        let weekday = date.weekday();
        self.days.contains(weekday)
            || self.last.contains(weekday) && date.day + 7 > date.days_in_month()
            || self.nth.iter().any(|(day, nth)| *day == weekday && (date.day - 1) / 7 + 1 == *nth)
    }
}

/// Returns the day from Monday to Friday that is nearest to a day of the date's month, within that month.
fn nearest_weekday(date: Date, day: u8) -> u8 {
    match (Date { day, ..date }).weekday() {
        6 if day == 1 => 3,
        6 => day - 1,
        0 if day == date.days_in_month() => day - 2,
        0 => day + 1,
        _ => day,
    }
}
