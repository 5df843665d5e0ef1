//! The settings of a hosted loop.

use std::sync::Arc;
use std::time::Duration;

use queue_core::{Lease, OnDiscard, QueueLimits, QueueName, WorkerId};

use super::process::default_worker;

/// The shortest and the longest time between two announcements.
const SHORTEST_ANNOUNCED: Duration = Duration::from_secs(1);
const LONGEST_ANNOUNCED: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// The service's name, which each of its log lines carries.
    pub(super) name: String,
    /// Its identity in claims, if the user has set it.
    pub(super) worker: Option<WorkerId>,
    /// The program and its version, if the user has set it.
    pub(super) program: Option<String>,
    pub(super) concurrency: usize,
    /// How many jobs are prefetched, if the user has set it.
    pub(super) prefetch: Option<usize>,
    pub(super) queues: Vec<(QueueName, u32)>,
    /// The limits that the service declares at its start.
    pub(super) limits: Vec<(QueueName, QueueLimits)>,
    pub(super) lease: Duration,
    pub(super) grace: Duration,
    /// The job to store when a job of the service is discarded that names none itself.
    pub(super) on_discard: Option<Arc<OnDiscard>>,
}

impl Settings {
    pub(super) fn new(queues: Vec<QueueName>) -> Self {
        Self {
            name: "queue".to_owned(),
            worker: None,
            program: None,
            concurrency: 16,
            prefetch: None,
            queues: queues.into_iter().map(|queue| (queue, 1)).collect(),
            limits: Vec::new(),
            lease: Lease::DEFAULT_LENGTH,
            grace: Duration::from_secs(5),
            on_discard: None,
        }
    }

    /// How often leases are renewed: twice before they would expire.
    pub(super) fn renew_every(&self) -> Duration {
        self.lease / 3
    }

    /// The time between two announcements: half a lease, so that operators notice within a lease that the service died.
    pub(super) fn announce_every(&self) -> Duration {
        (self.lease / 2).clamp(SHORTEST_ANNOUNCED, LONGEST_ANNOUNCED)
    }

    /// Returns the service's identity in claims.
    pub(super) fn worker(&self) -> WorkerId {
        self.worker.clone().unwrap_or_else(|| default_worker(&self.name))
    }
}
