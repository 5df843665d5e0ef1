//! Expressions in words.

use crate::days::{DaysOfMonth, DaysOfWeek};
use crate::expression::Expression;
use crate::field::{CronField, MONTHS, WEEKDAYS};
use crate::set::Set;

/// At most this number of times of a day are listed one by one.
const MAX_TIMES: usize = 4;

/// How the values of a field are said.
enum FieldForm {
    All,
    /// Each nth value from the first on.
    Every(u8),
    Listed(String),
}

pub(crate) fn of(expression: &Expression) -> String {
    let mut words = times(expression).unwrap_or_else(|| steps(expression));
    for part in [days(expression), months(expression.days.months)].into_iter().flatten() {
        words.push(' ');
        words.push_str(&part);
    }
    words
}

/// Returns the times of a day, if they are few: `at 02:00 and 14:00`.
fn times(expression: &Expression) -> Option<String> {
    let Expression { seconds, minutes, hours, .. } = expression;
    let mut times = Vec::new();
    for hour in hours.iter() {
        for minute in minutes.iter() {
            for second in seconds.iter() {
                if times.len() == MAX_TIMES {
                    return None;
                }
                let second = if second == 0 { String::new() } else { format!(":{second:02}") };
                times.push(format!("{hour:02}:{minute:02}{second}"));
            }
        }
    }
    Some(format!("at {}", joined(times)))
}

/// Returns the time within a day in general: `every 15 minutes of hours 9 to 17`.
fn steps(expression: &Expression) -> String {
    let Expression { seconds, minutes, hours, .. } = expression;
    let (of_minute, of_hour) = (form(CronField::Minute, *minutes), form(CronField::Hour, *hours));
    let mut words = Vec::new();
    if seconds.single() == Some(0) {
        match (&of_minute, &of_hour) {
            (FieldForm::All, _) => words.push("every minute".to_owned()),
            (FieldForm::Every(step), _) => words.push(format!("every {step} minutes")),
            (FieldForm::Listed(minute), FieldForm::All) if minute == "0" => return "every hour".to_owned(),
            (FieldForm::Listed(minute), FieldForm::Every(step)) if minute == "0" => {
                return format!("every {step} hours");
            }
            (FieldForm::Listed(list), _) => words.push(format!("at {} {list}", plural("minute", *minutes))),
        }
    } else {
        words.push(match form(CronField::Second, *seconds) {
            FieldForm::All => "every second".to_owned(),
            FieldForm::Every(step) => format!("every {step} seconds"),
            FieldForm::Listed(list) => format!("at {} {list}", plural("second", *seconds)),
        });
        words.extend(within("minute", *minutes, &of_minute));
    }
    words.extend(within("hour", *hours, &of_hour));
    if let (FieldForm::Listed(_), FieldForm::All) = (&of_minute, &of_hour) {
        words.push("of every hour".to_owned());
    }
    words.join(" ")
}

/// Returns the values of a field that limit a smaller one.
fn within(unit: &str, values: Set, form: &FieldForm) -> Option<String> {
    match form {
        FieldForm::All => None,
        FieldForm::Every(step) => Some(format!("of every {} {unit}", ordinal(*step))),
        FieldForm::Listed(list) => Some(format!("of {} {list}", plural(unit, values))),
    }
}

fn days(expression: &Expression) -> Option<String> {
    let (of_month, of_week) = (&expression.days.of_month, &expression.days.of_week);
    let or = if of_month.is_open || of_week.is_open { "and" } else { "or" };
    match (days_of_month(of_month), days_of_week(of_week)) {
        (Some(month), Some(week)) => Some(format!("on {month} {or} on {week}")),
        (month, week) => month.or(week).map(|days| format!("on {days}")),
    }
}

fn days_of_month(field: &DaysOfMonth) -> Option<String> {
    let mut parts = Vec::new();
    match form(CronField::Day, field.days) {
        FieldForm::All => return None,
        FieldForm::Every(step) => parts.push(format!("every {} day", ordinal(step))),
        FieldForm::Listed(list) if !field.days.is_empty() => {
            parts.push(format!("{} {list}", plural("day", field.days)));
        }
        FieldForm::Listed(_) => {}
    }
    if field.last {
        parts.push("the last day".to_owned());
    }
    if field.last_weekday {
        parts.push("the last weekday".to_owned());
    }
    parts.extend(field.near.iter().map(|day| format!("the weekday nearest to day {day}")));
    Some(format!("{} of the month", joined(parts)))
}

fn days_of_week(field: &DaysOfWeek) -> Option<String> {
    let name = |day: u8| WEEKDAYS.get(usize::from(day)).copied().unwrap_or_default().to_owned();
    let mut parts = Vec::new();
    match form(CronField::Weekday, field.days) {
        FieldForm::All => return None,
        _ if field.days.is_empty() => {}
        _ => parts.push(runs(field.days, &name)),
    }
    parts.extend(field.last.iter().map(|day| format!("the last {} of the month", name(day))));
    let nth = |(day, nth): &(u8, u8)| format!("the {} {} of the month", ordinal(*nth), name(*day));
    parts.extend(field.nth.iter().map(nth));
    Some(joined(parts))
}

fn months(months: Set) -> Option<String> {
    let name = |month: u8| MONTHS.get(usize::from(month) - 1).copied().unwrap_or_default().to_owned();
    match form(CronField::Month, months) {
        FieldForm::All => None,
        _ => Some(format!("in {}", runs(months, &name))),
    }
}

fn form(field: CronField, values: Set) -> FieldForm {
    let steps = |step: u8| (field.least()..=field.last()).step_by(usize::from(step));
    for step in 1..=field.last() / 2 {
        if steps(step).eq(values.iter()) {
            return if step == 1 { FieldForm::All } else { FieldForm::Every(step) };
        }
    }
    FieldForm::Listed(runs(values, &|value| value.to_string()))
}

/// Lists values, with three or more that follow one another as a range: `1, 3 to 5 and 7`.
fn runs(values: Set, name: &dyn Fn(u8) -> String) -> String {
    let mut parts = Vec::new();
    let mut next = values.first();
    while let Some(first) = next {
        let last = (first..64).take_while(|value| values.contains(*value)).last().unwrap_or(first);
        match last - first {
            0 => parts.push(name(first)),
            1 => parts.extend([name(first), name(last)]),
            _ => parts.push(format!("{} to {}", name(first), name(last))),
        }
        next = values.at_least(last + 1);
    }
    joined(parts)
}

/// Joins parts with commas, and the last one with `and`.
fn joined(mut parts: Vec<String>) -> String {
    let Some(last) = parts.pop() else { return String::new() };
    if parts.is_empty() { last } else { format!("{} and {last}", parts.join(", ")) }
}

fn plural(unit: &str, values: Set) -> String {
    if values.single().is_some() { unit.to_owned() } else { format!("{unit}s") }
}

fn ordinal(number: u8) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}
