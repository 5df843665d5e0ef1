//! The warning of connections that died without being closed.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A connection that dies within this time of the last warning or dead connection causes no further warning.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Warns of connections that died without being closed, once for several of them.
#[derive(Debug, Default)]
pub(crate) struct DeadConnectionWarning(Mutex<Option<Instant>>);

impl DeadConnectionWarning {
    pub(crate) fn warn(&self, database: &impl fmt::Display) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = last.is_some_and(|last| last.elapsed() < WARNING_INTERVAL);
        *last = Some(Instant::now());
        if !is_known {
            tracing::warn!(
                %database,
                "a connection stopped answering without being closed and is replaced: check firewalls, load balancers and \
                 poolers that drop connections"
            );
        }
    }
}
