//! A cell of a table: text, a number, a time or a state.

use std::fmt::{self, Display};

use console::{Color, Style};
use queue_core::admin::Count;
use queue_core::{State, Timestamp};
use serde::{Serialize, Serializer};

use crate::instant::short;

/// How times are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Times {
    /// By their distance from an instant.
    Relative(Timestamp),
    /// In RFC 3339.
    Absolute,
}

impl Times {
    /// Returns the text of an instant.
    pub(crate) fn show(self, at: Timestamp) -> String {
        match self {
            Self::Absolute => at.to_string(),
            Self::Relative(now) if at > now => format!("in {}", short(at.since(now))),
            Self::Relative(now) => format!("{} ago", short(now.since(at))),
        }
    }
}

/// A time in JSON: RFC 3339.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rfc3339(pub(crate) Timestamp);

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A cell of a table.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) style: Style,
    pub(crate) is_number: bool,
    /// The text on a terminal, if it is another one.
    pub(super) readable: Option<String>,
}

impl Cell {
    /// Creates a cell with a text. Control characters, which could steer the terminal, are replaced.
    pub(crate) fn text(text: impl Display) -> Self {
        Self { text: printable(&text.to_string()), style: Style::new(), is_number: false, readable: None }
    }

    pub(crate) fn number(number: u64) -> Self {
        Self { is_number: true, readable: Some(grouped(number)), ..Self::text(number) }
    }

    /// Creates a cell with a number that may be too low: `100,000+`.
    pub(crate) fn count(count: Count) -> Self {
        let more = if count.is_capped { "+" } else { "" };
        let cell = Self { readable: Some(format!("{}{more}", grouped(count.jobs))), ..Self::text(count) };
        let style = if count.jobs == 0 { Style::new().dim() } else { Style::new() };
        Self { is_number: true, style, ..cell }
    }

    pub(crate) fn time(at: Timestamp, times: Times) -> Self {
        Self::text(times.show(at))
    }

    pub(crate) fn state(state: State) -> Self {
        Self::text(state).style(Style::new().fg(state_color(state)))
    }

    pub(crate) fn style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    /// Returns the text for a reader.
    pub(crate) fn readable(&self) -> &str {
        self.readable.as_deref().unwrap_or(&self.text)
    }
}

/// Returns the colour of a state, the same in every verb.
pub(crate) const fn state_color(state: State) -> Color {
    match state {
        State::Scheduled => Color::Blue,
        State::Available => Color::Cyan,
        State::Executing => Color::Yellow,
        State::Retryable => Color::Magenta,
        State::Completed => Color::Green,
        State::Discarded => Color::Red,
        _ => Color::White,
    }
}

/// Returns a number with commas between the thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a text without characters that a terminal acts on: jobs write errors and notes, and the operator's terminal shows them.
fn printable(text: &str) -> String {
    let replace = |char: char| match char {
        '\t' | '\n' | '\r' => ' ',
        char if char.is_control() || is_bidi(char) => char::REPLACEMENT_CHARACTER,
        char => char,
    };
    text.chars().map(replace).collect()
}

/// Returns whether a character changes the direction of the text behind it.
const fn is_bidi(char: char) -> bool {
    matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        let table = [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")];
        for (number, text) in table {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn a_text_cannot_steer_the_terminal() {
        let cell = Cell::text("red \u{1b}[31m\u{9b}31m\u{202e}\nnext\tcolumn\u{7}");

        assert_eq!(cell.text, "red \u{fffd}[31m\u{fffd}31m\u{fffd} next column\u{fffd}");
    }

    #[test]
    fn a_relative_time_is_ago_or_to_come() {
        let now = Timestamp::from_micros(100_000_000);
        let times = Times::Relative(now);

        assert_eq!(times.show(Timestamp::from_micros(30_000_000)), "1m 10s ago");
        assert_eq!(times.show(Timestamp::from_micros(105_000_000)), "in 5s");
        assert_eq!(Times::Absolute.show(now), "1970-01-01T00:01:40.000000Z");
    }
}
