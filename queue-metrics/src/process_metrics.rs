//! The metrics of a process, as the observer, the decorator and the sampler share them.

use std::sync::Arc;

use metrics::{Counter, Histogram};
use queue_core::{JobName, QueueCall, QueueName};

use crate::job_metrics::{JobMetrics, JobMetricsByName};
use crate::list::{
    CLAIM_SECONDS, CLAIMED_PER_TRIP, INTERRUPTED, LEASES_LOST, RENEWALS_LATE, SETTLE_SECONDS, STORE_FAILURES,
};
use crate::recording::Recording;

/// The operations of `queue_store_failures_total`.
const OPERATIONS: [&str; 5] = ["claim", "renew", "settle", "push", "summary"];

/// The metrics of a process.
#[derive(Debug)]
pub(crate) struct ProcessMetrics {
    recording: Recording,
    jobs: JobMetricsByName,
    claim_seconds: Histogram,
    settle_seconds: Histogram,
    claimed_per_trip: Histogram,
    leases_lost: Counter,
    renewals_late: Counter,
    interrupted: Counter,
    store_failures: [Counter; OPERATIONS.len()],
}

impl ProcessMetrics {
    pub(crate) fn new(recording: Recording) -> Self {
        Self {
            jobs: JobMetricsByName::default(),
            claim_seconds: recording.histogram(&CLAIM_SECONDS, &[]),
            settle_seconds: recording.histogram(&SETTLE_SECONDS, &[]),
            claimed_per_trip: recording.histogram(&CLAIMED_PER_TRIP, &[]),
            leases_lost: recording.counter(&LEASES_LOST, &[]),
            renewals_late: recording.counter(&RENEWALS_LATE, &[]),
            interrupted: recording.counter(&INTERRUPTED, &[]),
            store_failures: OPERATIONS.map(|operation| recording.counter(&STORE_FAILURES, &[operation])),
            recording,
        }
    }

    pub(crate) fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Returns the metrics of a name in a queue.
    pub(crate) fn job(&self, queue: &QueueName, name: &JobName) -> Arc<JobMetrics> {
        self.jobs.get(&self.recording, queue, name)
    }

    /// Counts a call of the store that failed.
    pub(crate) fn count_store_failure(&self, operation: &str) {
        let known = OPERATIONS.iter().zip(&self.store_failures);
        if let Some((_, counter)) = known.into_iter().find(|(known, _)| **known == operation) {
            counter.increment(1);
        }
    }

    pub(crate) fn count_lost_lease(&self) {
        self.leases_lost.increment(1);
    }

    pub(crate) fn count_late_renewal(&self) {
        self.renewals_late.increment(1);
    }

    pub(crate) fn count_interruption(&self) {
        self.interrupted.increment(1);
    }

    pub(crate) fn record_call(&self, call: &QueueCall) {
        let seconds = call.took.as_secs_f64();
        match call.operation {
            operation if call.has_failed => self.count_store_failure(operation),
            "settle" => self.settle_seconds.record(seconds),
            "claim" if call.jobs > 0 => {
                self.claimed_per_trip.record(u32::try_from(call.jobs).unwrap_or(u32::MAX));
                if !call.has_waited {
                    self.claim_seconds.record(seconds);
                }
            }
            _ => {}
        }
    }
}
