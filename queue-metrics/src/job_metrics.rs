//! The metrics of the jobs of one name in one queue.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use metrics::{Counter, Histogram};
use queue_core::{FailureCause, JobName, QueueName, Receipt, Transition};
use rustc_hash::FxBuildHasher;

use crate::list::{ATTEMPT_SECONDS, ATTEMPTS, JOBS_PUSHED, STALLED, UNDECODABLE, UNKNOWN_JOBS, WAIT_SECONDS};
use crate::recording::Recording;

/// The outcome of an attempt that was not recorded.
const STALE: &str = "stale";

/// The outcomes of `queue_attempts_total`: the transitions, and [`STALE`].
const OUTCOMES: [&str; 8] =
    ["complete", "retry", "snooze", "throttle", "discard", "cancel", "release", STALE];

/// The receipts of `queue_jobs_pushed_total`.
const RECEIPTS: [&str; 4] = ["stored", "existing", "replaced", "followup"];

/// The metrics of the jobs of one name in one queue.
///
/// Its counters are registered with the first such job, so that they begin at zero: Prometheus does not see the first increment of
/// a counter that appears with it.
#[derive(Debug)]
pub(crate) struct JobMetrics {
    queue: QueueName,
    name: JobName,
    recording: Recording,
    pushed: [Counter; RECEIPTS.len()],
    attempts: [Counter; OUTCOMES.len()],
    /// Registered at their first use: a histogram has many series.
    seconds: [OnceLock<Histogram>; OUTCOMES.len()],
    waited: OnceLock<Histogram>,
    stalled: Counter,
    undecodable: Counter,
}

impl JobMetrics {
    fn new(recording: &Recording, queue: &QueueName, name: &JobName) -> Self {
        let counter = |metric, label| recording.counter(metric, &[queue.as_str(), name.as_str(), label]);
        Self {
            pushed: RECEIPTS.map(|receipt| counter(&JOBS_PUSHED, receipt)),
            attempts: OUTCOMES.map(|outcome| counter(&ATTEMPTS, outcome)),
            seconds: [const { OnceLock::new() }; OUTCOMES.len()],
            waited: OnceLock::new(),
            stalled: recording.counter(&STALLED, &[name.as_str()]),
            undecodable: recording.counter(&UNDECODABLE, &[name.as_str()]),
            queue: queue.clone(),
            name: name.clone(),
            recording: recording.clone(),
        }
    }

    pub(crate) fn count_push(&self, receipt: Receipt) {
        let label = match receipt {
            Receipt::Existing(_) => "existing",
            Receipt::Replaced(_) => "replaced",
            _ => "stored",
        };
        count(&RECEIPTS, &self.pushed, label);
    }

    pub(crate) fn count_followup(&self) {
        count(&RECEIPTS, &self.pushed, "followup");
    }

    /// Counts an attempt with the transition that was recorded; `None` if the lease was lost.
    pub(crate) fn count_attempt(&self, recorded: Option<&Transition>) {
        count(&OUTCOMES, &self.attempts, recorded.map_or(STALE, Transition::as_str));
    }

    /// Counts an attempt whose job was discarded because its last lease expired.
    pub(crate) fn count_expiry(&self) {
        count(&OUTCOMES, &self.attempts, "discard");
    }

    /// Records the duration of an attempt.
    pub(crate) fn record_attempt(&self, seconds: f64, transition: &Transition) {
        let label = transition.as_str();
        if let Some(place) = OUTCOMES.iter().position(|outcome| *outcome == label) {
            let values = [self.queue.as_str(), self.name.as_str(), label];
            self.seconds[place]
                .get_or_init(|| self.recording.histogram(&ATTEMPT_SECONDS, &values))
                .record(seconds);
        }
    }

    /// Counts a job that this program cannot run.
    pub(crate) fn count_failure(&self, cause: FailureCause) {
        match cause {
            FailureCause::UnknownJob => {
                self.recording.counter(&UNKNOWN_JOBS, &[self.name.as_str()]).increment(1);
            }
            FailureCause::Undecodable => self.undecodable.increment(1),
            _ => {}
        }
    }

    pub(crate) fn record_wait(&self, seconds: f64) {
        let values = [self.queue.as_str(), self.name.as_str()];
        self.waited.get_or_init(|| self.recording.histogram(&WAIT_SECONDS, &values)).record(seconds);
    }

    pub(crate) fn count_stall(&self) {
        self.stalled.increment(1);
    }
}

fn count(labels: &[&str], counters: &[Counter], label: &str) {
    if let Some((_, counter)) = labels.iter().zip(counters).find(|(known, _)| **known == label) {
        counter.increment(1);
    }
}

/// The metrics of all jobs that a process has seen.
#[derive(Debug, Default)]
pub(crate) struct JobMetricsByName(RwLock<HashMap<QueueName, Names, FxBuildHasher>>);

type Names = HashMap<JobName, Arc<JobMetrics>, FxBuildHasher>;

impl JobMetricsByName {
    /// Returns the metrics of a name in a queue, which are registered at the first call.
    pub(crate) fn get(&self, recording: &Recording, queue: &QueueName, name: &JobName) -> Arc<JobMetrics> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(queue).and_then(|names| names.get(name)) {
            return found.clone();
        }
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let names = known.entry(queue.clone()).or_default();
        names.entry(name.clone()).or_insert_with(|| Arc::new(JobMetrics::new(recording, queue, name))).clone()
    }
}
