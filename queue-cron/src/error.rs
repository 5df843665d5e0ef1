//! The error of an expression.

use std::fmt;
use std::ops::Range;

use crate::field::CronField;

/// Why a text is not a cron expression: the field, the part of the text, and what to write instead.
///
/// ```
/// let error = "0 25 * * *".parse::<queue_cron::Expression>().unwrap_err();
///
/// assert_eq!(error.to_string(), "`25` is no hour: write 0 to 23");
/// assert_eq!(error.marked(), "0 25 * * *\n  ^^");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronError {
    text: String,
    part: Range<usize>,
    field: Option<CronField>,
    message: String,
}

impl CronError {
    /// Creates the error of a part of the text.
    pub(crate) fn new(
        text: &str,
        part: Range<usize>,
        field: Option<CronField>,
        message: impl Into<String>,
    ) -> Self {
        Self { text: text.to_owned(), part, field, message: message.into() }
    }

    /// Returns the field with the mistake, if it is in one field.
    #[must_use]
    pub const fn field(&self) -> Option<CronField> {
        self.field
    }

    /// Returns the place of the mistake in the text, in bytes.
    #[must_use]
    pub fn part(&self) -> Range<usize> {
        self.part.clone()
    }

    /// Returns the expression, and below it a line that underlines the mistake.
    #[must_use]
    pub fn marked(&self) -> String {
        let columns = |text: Option<&str>| text.unwrap_or_default().chars().count();
        let before = columns(self.text.get(..self.part.start));
        let marked = columns(self.text.get(self.part.clone())).max(1);
        format!("{}\n{}{}", self.text, " ".repeat(before), "^".repeat(marked))
    }
}

impl fmt::Display for CronError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CronError {}
