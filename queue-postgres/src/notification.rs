//! The payloads of notifications, which the processes that share a schema send to one another.
//!
//! A listener ignores [`Notification::Jobs`] of its own queue, and wakes its claim task for every other payload:
//!
//! | notification | sent by | wakes the sender's own claim task |
//! | --- | --- | --- |
//! | `Jobs` | a push, a settlement, a unit of work, an operator's call | no: the sender has woken it |
//! | `TransactionJobs` | a push in an application's transaction; the SQL function `enqueue`, as `sql+` | yes: the sender does not see the commit |
//! | `Probe` | the listener, to itself | no: the listener only checks that the probe arrives |

use std::fmt;

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;

/// A notification, with the id of the queue handle that sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notification<'a> {
    /// There may be jobs.
    Jobs(&'a str),
    /// There may be jobs of an application's transaction, which has just committed.
    TransactionJobs(&'a str),
    /// Shows the sender that notifications arrive.
    Probe(&'a str),
}

impl<'a> Notification<'a> {
    /// Reads a payload. Every text is one, so that later versions can send others.
    pub(crate) fn parse(payload: &'a str) -> Self {
        if let Some(sender) = payload.strip_suffix('+') {
            return Self::TransactionJobs(sender);
        }
        payload.strip_suffix('?').map_or(Self::Jobs(payload), Self::Probe)
    }
}

impl fmt::Display for Notification<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jobs(sender) => write!(f, "{sender}"),
            Self::TransactionJobs(sender) => write!(f, "{sender}+"),
            Self::Probe(sender) => write!(f, "{sender}?"),
        }
    }
}

/// The channel and the payload with which a statement notifies at its commit, or neither.
#[derive(Clone, Debug, Default)]
pub(crate) struct NotifyArgs(Option<(String, String)>);

impl NotifyArgs {
    /// Returns the arguments with which a statement sends no notification.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    pub(crate) fn new(channel: String, notification: Notification<'_>) -> Self {
        Self(Some((channel, notification.to_string())))
    }

    /// Returns whether the statement sends a notification.
    pub(crate) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Binds the parameters `_channel` and `_sender` of a function.
    pub(crate) fn bind<'q>(
        &self,
        query: Query<'q, Postgres, PgArguments>,
    ) -> Query<'q, Postgres, PgArguments> {
        let (channel, payload) = self.0.clone().unzip();
        query.bind(channel).bind(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_is_read_as_it_was_written() {
        for notification in
            [Notification::Jobs("a1"), Notification::TransactionJobs("a1"), Notification::Probe("a1")]
        {
            assert_eq!(Notification::parse(&notification.to_string()), notification);
        }
    }
}
