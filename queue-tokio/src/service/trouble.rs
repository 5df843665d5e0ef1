//! A queue that fails for a while: how long to wait, and what to say of it.

use std::time::Duration;

use queue_core::backend::error_chain;
use queue_core::backend::{doubled, jittered};
use queue_core::{Environment, Event, QueueError};

/// One operation's run of failures.
#[derive(Debug)]
pub(super) struct Trouble {
    service: String,
    operation: &'static str,
    failures: u32,
    last: Option<String>,
    random: fastrand::Rng,
}

impl Trouble {
    const FIRST_WAIT: Duration = Duration::from_millis(50);
    const LONGEST_WAIT: Duration = Duration::from_secs(10);

    pub(super) fn with(service: &str, operation: &'static str, seed: u64) -> Self {
        let service = service.to_owned();
        Self { service, operation, failures: 0, last: None, random: fastrand::Rng::with_seed(seed) }
    }

    /// Notes a failure, logs it if it's another than the last, and tells how long to wait.
    pub(super) fn failed(&mut self, error: &QueueError, environment: &Environment) -> Duration {
        let text = error_chain(error);
        if self.last.as_ref() != Some(&text) {
            tracing::error!(
                service = self.service, operation = self.operation, error = %text,
                "queue operation failed, retrying with backoff"
            );
            environment.observe(|| Event::QueueFailed { operation: self.operation, error: text.clone() });
            self.last = Some(text);
        }
        let ceiling = doubled(Self::FIRST_WAIT, self.failures).min(Self::LONGEST_WAIT);
        self.failures = self.failures.saturating_add(1);
        // At least half of it, so that a queue that is down is not hammered.
        ceiling / 2 + jittered(ceiling / 2, &mut self.random)
    }

    /// Notes that it works, and says so if it had failed.
    pub(super) fn worked(&mut self, environment: &Environment) {
        if self.last.take().is_some() {
            tracing::info!(
                service = self.service,
                operation = self.operation,
                failures = self.failures,
                "queue operation works again"
            );
            environment.observe(|| Event::QueueRecovered { operation: self.operation });
            self.failures = 0;
        }
    }
}
