//! The state of each queue, read at a bounded cost.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::contract::announcement::WorkerRecord;
use crate::contract::clock::Timestamp;
use crate::contract::name::QueueName;
use crate::contract::record::State;

/// The state of one queue: see [`Admin::summary`](crate::Admin::summary).
///
/// A job that is due counts as available, and an expired lease counts as ended, even if the backend has not stored that
/// yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QueueSummary {
    /// The queue.
    pub queue: QueueName,
    /// Whether it is paused.
    pub paused: bool,
    /// When the summary was read, by the backend's clock.
    pub at: Timestamp,
    /// The earliest `run_at` of the available jobs.
    pub oldest_ready: Option<Timestamp>,
    /// The earliest `run_at` of the scheduled and retryable jobs.
    pub next_due: Option<Timestamp>,
    /// The number of workers that run and claim from the queue.
    pub workers: u64,
    /// When a worker that claims from the queue last announced itself. `None` if none is running or has vanished within the last
    /// hour, and if the queue does not store announcements.
    pub worker_seen_at: Option<Timestamp>,
    counts: StateCounts,
}

impl QueueSummary {
    /// The default cap of each count. A call that counts up to it takes a few milliseconds at most.
    pub const CAP: u64 = 2_000;

    /// Creates the summary of a queue without jobs.
    #[must_use]
    pub fn new(queue: QueueName, paused: bool, at: Timestamp) -> Self {
        Self {
            queue,
            paused,
            at,
            oldest_ready: None,
            next_due: None,
            workers: 0,
            worker_seen_at: None,
            counts: StateCounts::default(),
        }
    }

    /// Returns the number of jobs in a state.
    #[must_use]
    pub fn of(&self, state: State) -> Count {
        self.counts.of(state)
    }

    /// Sets the number of jobs in a state.
    pub fn set(&mut self, state: State, count: Count) {
        self.counts.set(state, count);
    }

    /// Adds one job, for a backend that visits every job.
    pub fn add(&mut self, state: State, run_at: Timestamp, cap: u64) {
        self.set(state, Count::up_to(cap, self.of(state).jobs.saturating_add(1)));
        let earliest = match state {
            State::Available => &mut self.oldest_ready,
            State::Scheduled | State::Retryable => &mut self.next_due,
            State::Executing | State::Completed | State::Discarded | State::Cancelled => return,
        };
        *earliest = Some(earliest.map_or(run_at, |earlier| earlier.min(run_at)));
    }

    /// Adds the workers that serve the queue.
    pub fn add_workers(&mut self, workers: &[WorkerRecord]) {
        for worker in workers.iter().filter(|worker| worker.serves(&self.queue)) {
            self.workers += u64::from(worker.is_live);
            self.worker_seen_at = self.worker_seen_at.max(Some(worker.seen_at));
        }
    }

    /// Returns how long the oldest available job has been ready.
    #[must_use]
    pub fn waits_for(&self) -> Option<Duration> {
        self.oldest_ready.map(|since| self.at.since(since))
    }
}

/// A number of jobs that was counted up to a cap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Count {
    /// The number of jobs, at most the cap.
    pub jobs: u64,
    /// Whether there may be more jobs than that.
    pub is_capped: bool,
}

impl Count {
    /// Returns the count of a backend that found this number of jobs when it counted up to `cap + 1`.
    #[must_use]
    pub const fn up_to(cap: u64, found: u64) -> Self {
        if found > cap { Self { jobs: cap, is_capped: true } } else { Self { jobs: found, is_capped: false } }
    }

    /// Marks the count as capped, because the backend stopped before it had read all jobs.
    #[must_use]
    pub const fn at_least(self) -> Self {
        Self { is_capped: true, ..self }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_capped { write!(f, "{}+", self.jobs) } else { write!(f, "{}", self.jobs) }
    }
}

/// The count of each state, with a field for each, so that JSON has the names of the states.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct StateCounts {
    scheduled: Count,
    available: Count,
    executing: Count,
    retryable: Count,
    completed: Count,
    discarded: Count,
    cancelled: Count,
}

impl StateCounts {
    const fn of(&self, state: State) -> Count {
        match state {
            State::Scheduled => self.scheduled,
            State::Available => self.available,
            State::Executing => self.executing,
            State::Retryable => self.retryable,
            State::Completed => self.completed,
            State::Discarded => self.discarded,
            State::Cancelled => self.cancelled,
        }
    }

    const fn set(&mut self, state: State, count: Count) {
        let slot = match state {
            State::Scheduled => &mut self.scheduled,
            State::Available => &mut self.available,
            State::Executing => &mut self.executing,
            State::Retryable => &mut self.retryable,
            State::Completed => &mut self.completed,
            State::Discarded => &mut self.discarded,
            State::Cancelled => &mut self.cancelled,
        };
        *slot = count;
    }
}
