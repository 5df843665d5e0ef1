//! The report of a scenario: a table of two columns.

use std::fmt;

/// The rows, each a name and a value.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<(String, String)>);

impl Report {
    /// Adds a row.
    #[expect(clippy::needless_pass_by_value, reason = "numbers and texts alike, without a mark at each")]
    pub(crate) fn row(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.0.push((name.into(), value.to_string()));
        self
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        self.0.iter().try_for_each(|(name, value)| writeln!(f, "  {name:width$}  {value}"))
    }
}
