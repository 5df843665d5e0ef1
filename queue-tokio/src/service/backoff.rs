//! The waits of an operation that fails for a while, and what is logged about it.

use std::time::Duration;

use queue_core::backend::error_chain;
use queue_core::backend::{doubled, jittered};
use queue_core::{Event, QueueError};

use super::client::Client;

/// The failures of one operation, since it last worked.
#[derive(Debug)]
pub(super) struct Backoff {
    operation: &'static str,
    failures: u32,
    last: Option<String>,
    random: fastrand::Rng,
}

impl Backoff {
    const FIRST_WAIT: Duration = Duration::from_millis(50);
    const LONGEST_WAIT: Duration = Duration::from_secs(10);

    pub(super) fn new(operation: &'static str, seed: u64) -> Self {
        Self { operation, failures: 0, last: None, random: fastrand::Rng::with_seed(seed) }
    }

    /// Notes a failure, and logs it unless it is the same as the last one. Returns how long to wait.
    pub(super) fn failed(&mut self, error: &QueueError, client: &Client) -> Duration {
        let text = error_chain(error);
        if self.last.as_ref() != Some(&text) {
            tracing::error!(
                service = client.service(), operation = self.operation, error = %text,
                "queue operation failed, retrying with backoff"
            );
            client.observe(|| Event::QueueFailed { operation: self.operation, error: text.clone() });
            self.last = Some(text);
        }
        let ceiling = doubled(Self::FIRST_WAIT, self.failures).min(Self::LONGEST_WAIT);
        self.failures = self.failures.saturating_add(1);
        // At least half of it, so that a queue that is down is not hammered.
        ceiling / 2 + jittered(ceiling / 2, &mut self.random)
    }

    /// Notes that the operation works, and logs that if it had failed.
    pub(super) fn worked(&mut self, client: &Client) {
        if self.last.take().is_some() {
            tracing::info!(
                service = client.service(),
                operation = self.operation,
                failures = self.failures,
                "queue operation works again"
            );
            client.observe(|| Event::QueueRecovered { operation: self.operation });
            self.failures = 0;
        }
    }
}
