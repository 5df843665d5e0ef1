//! Parses expressions.

use std::ops::Range;

use crate::days::{Days, DaysOfMonth, DaysOfWeek};
use crate::error::CronError;
use crate::expression::Expression;
use crate::field::CronField;
use crate::set::Set;

/// The short forms, with what they stand for.
const SHORT: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

pub(crate) fn parse(text: &str) -> Result<Expression, CronError> {
    let whole = 0..text.len();
    let trimmed = text.trim();
    if trimmed.starts_with('@') {
        let long = SHORT.iter().find(|(short, _)| short.eq_ignore_ascii_case(trimmed));
        let Some((_, long)) = long else {
            let known = SHORT.map(|(short, _)| format!("`{short}`")).join(", ");
            return Err(CronError::new(
                text,
                whole,
                None,
                format!("`{trimmed}` is no short form: write {known}"),
            ));
        };
        return parse(long).map(|expression| Expression { text: trimmed.to_owned(), ..expression });
    }
    let fields: Vec<_> = words(text).collect();
    let names = match fields.len() {
        5 => &CronField::ALL[1..],
        6 => &CronField::ALL[..],
        0 => {
            return Err(CronError::new(
                text,
                whole,
                None,
                "the expression is empty: write `0 2 * * *` for 02:00 each day",
            ));
        }
        count => {
            let message = format!(
                "{count} field{}, and an expression has 5, or 6 with seconds in front: minute, hour, day, month, day of the week",
                if count == 1 { "" } else { "s" }
            );
            return Err(CronError::new(text, whole, None, message));
        }
    };
    let mut parser = Parser::new(text);
    for (field, part) in names.iter().zip(fields) {
        parser.field(*field, part)?;
    }
    parser.end()
}

/// Returns the places of the words of a text.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.split_whitespace().map(move |word| {
        // The word is a part of the text.
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        start..start + word.len()
    })
}

/// The fields that are parsed so far.
struct Parser<'a> {
    text: &'a str,
    seconds: Set,
    minutes: Set,
    hours: Set,
    months: Set,
    of_month: DaysOfMonth,
    of_week: DaysOfWeek,
    is_fixed: bool,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        let mut seconds = Set::default();
        seconds.insert(0);
        Self {
            text,
            seconds,
            minutes: Set::default(),
            hours: Set::default(),
            months: Set::default(),
            of_month: DaysOfMonth::default(),
            of_week: DaysOfWeek::default(),
            is_fixed: true,
        }
    }

    fn field(&mut self, field: CronField, at: Range<usize>) -> Result<(), CronError> {
        let text = self.part(&at);
        let is_open = text.starts_with(['*', '?']);
        let mut values = Set::default();
        let mut start = at.start;
        for item in text.split(',') {
            let item = start..start + item.len();
            start = item.end + 1;
            if !self.special(field, &item)? {
                self.item(field, item, &mut values)?;
            }
        }
        match field {
            CronField::Second | CronField::Minute | CronField::Hour => {
                self.is_fixed &= !text.contains(['*', '?', '/']);
                match field {
                    CronField::Second => self.seconds = values,
                    CronField::Minute => self.minutes = values,
                    _ => self.hours = values,
                }
            }
            CronField::Day => (self.of_month.days, self.of_month.is_open) = (values, is_open),
            CronField::Month => self.months = values,
            CronField::Weekday => (self.of_week.days, self.of_week.is_open) = (values, is_open),
        }
        Ok(())
    }

    /// Parses an item that only days have. Returns `false` if the item is another one.
    fn special(&mut self, field: CronField, at: &Range<usize>) -> Result<bool, CronError> {
        let text = self.part(at).to_ascii_uppercase();
        match field {
            CronField::Day if text == "L" => self.of_month.last = true,
            CronField::Day if text == "LW" || text == "WL" => self.of_month.last_weekday = true,
            CronField::Day if text.ends_with('W') => {
                let day = self.value(field, at.start..at.end - 1)?;
                self.of_month.near.insert(day);
            }
            CronField::Weekday if text == "L" => {
                return Err(self.error(
                    at,
                    field,
                    "`L` needs a day of the week: write `5L` for the last Friday",
                ));
            }
            CronField::Weekday if text.len() > 1 && text.ends_with('L') => {
                let day = self.value(field, at.start..at.end - 1)?;
                self.of_week.last.insert(day % 7);
            }
            CronField::Weekday if text.contains('#') => {
                let place = at.start + text.find('#').unwrap_or_default();
                let day = self.value(field, at.start..place)?;
                let nth = place + 1..at.end;
                let Ok(number @ 1..=5) = self.part(&nth).parse() else {
                    let message = "the number behind `#` must be 1 to 5: write `5#2` for the second Friday";
                    return Err(self.error(&nth, field, message));
                };
                self.of_week.nth.push((day % 7, number));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Parses a value, a range or a step.
    fn item(&self, field: CronField, at: Range<usize>, values: &mut Set) -> Result<(), CronError> {
        let text = self.part(&at);
        let (range, step) = match text.find('/') {
            Some(slash) => (at.start..at.start + slash, Some(at.start + slash + 1..at.end)),
            None => (at.clone(), None),
        };
        let (first, last) = self.range(field, range, step.is_some())?;
        let step = step.map_or(Ok(1), |step| self.step(field, &step))?;
        for value in (first..=last).step_by(step) {
            values.insert(if field == CronField::Weekday { value % 7 } else { value });
        }
        Ok(())
    }

    fn range(&self, field: CronField, at: Range<usize>, has_step: bool) -> Result<(u8, u8), CronError> {
        let text = self.part(&at);
        if text == "*" || text == "?" {
            return Ok((field.least(), field.last()));
        }
        let Some(dash) = text.find('-') else {
            let value = self.value(field, at)?;
            return Ok((value, if has_step { field.last().max(value) } else { value }));
        };
        let first = self.value(field, at.start..at.start + dash)?;
        let mut last = self.value(field, at.start + dash + 1..at.end)?;
        if field == CronField::Weekday && last == 0 {
            last = 7;
        }
        if first > last {
            let message = format!("the range `{text}` ends before it begins: write two ranges with a comma");
            return Err(self.error(&at, field, message));
        }
        Ok((first, last))
    }

    fn value(&self, field: CronField, at: Range<usize>) -> Result<u8, CronError> {
        let text = self.part(&at);
        let (least, greatest) = (field.least(), field.greatest());
        let names = match field {
            CronField::Month => ", or `JAN` to `DEC`",
            CronField::Weekday => ", or `SUN` to `SAT`",
            CronField::Second | CronField::Minute | CronField::Hour | CronField::Day => "",
        };
        let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        match field.named(text).or(number).filter(|value| (least..=greatest).contains(value)) {
            Some(value) => Ok(value),
            None if text.is_empty() => Err(self.error(
                &at,
                field,
                format!("the {field} lacks a value: write {least} to {greatest}{names}"),
            )),
            None => Err(self.error(
                &at,
                field,
                format!("`{text}` is no {field}: write {least} to {greatest}{names}"),
            )),
        }
    }

    fn step(&self, field: CronField, at: &Range<usize>) -> Result<usize, CronError> {
        let greatest = usize::from(field.greatest());
        match self.part(at).parse() {
            Ok(step) if (1..=greatest).contains(&step) => Ok(step),
            _ => {
                let text = self.part(at);
                let message =
                    format!("`{text}` is no step of the {field}: write 1 to {greatest} behind the `/`");
                Err(self.error(at, field, message))
            }
        }
    }

    fn end(self) -> Result<Expression, CronError> {
        let Self { text, seconds, minutes, hours, months, of_month, of_week, is_fixed } = self;
        let days = Days { months, of_month, of_week };
        let expression = Expression { text: text.trim().to_owned(), seconds, minutes, hours, days, is_fixed };
        if expression.comes() {
            return Ok(expression);
        }
        let message = "no date matches the expression: its months do not have such a day";
        Err(CronError::new(text, 0..text.len(), None, message))
    }

    fn part(&self, at: &Range<usize>) -> &'a str {
        self.text.get(at.clone()).unwrap_or_default()
    }

    fn error(&self, at: &Range<usize>, field: CronField, message: impl Into<String>) -> CronError {
        CronError::new(self.text, at.clone(), Some(field), message)
    }
}
