//! A checked cron expression.

use std::fmt;
use std::str::FromStr;

use queue_core::Recurrence;
use queue_cron::{CronError, Expression};

/// A cron expression that is checked: `Cron::parse("0 9 * * MON-FRI")?`. The crate `queue-cron` has its syntax.
///
/// It converts to a [`Recurrence`], which [`Schedules::put`](crate::Schedules::put) takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron(Expression);

impl Cron {
    /// Parses an expression.
    ///
    /// # Errors
    ///
    /// The field with the mistake, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        text.parse().map(Self)
    }

    /// Returns the expression in words: `at 09:00 on Monday to Friday`.
    #[must_use]
    pub fn words(&self) -> String {
        self.0.words()
    }

    /// Returns the recurrence at the times of the expression in a time zone, which is an IANA name such as `Europe/Berlin`.
    #[must_use]
    pub fn zone(self, name: impl Into<String>) -> Recurrence {
        Recurrence::from(self).zone(name.into())
    }
}

impl From<Cron> for Recurrence {
    fn from(cron: Cron) -> Self {
        Self::cron(cron.0.as_str().to_owned())
    }
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        Self::parse(text)
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
