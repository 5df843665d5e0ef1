//! The handle of an attempt for code that is not the job: hosted loops, and backends with units of work.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::attempt::context::{JobContext, RunnerState};
use crate::attempt::interrupt::Interrupt;
use crate::contract::clock::Timestamp;
use crate::contract::progress::JobProgress;
use crate::contract::queue::Delivery;
use crate::contract::settlement::{Settlement, Transition};

/// One attempt, as hosted loops and backends see it. The job sees the [`JobContext`] of the same attempt.
///
/// A hosted loop creates it by [`AttemptRunner::attempt`](crate::AttemptRunner::attempt), and interrupts it. A unit of work gets
/// it by [`of`](Self::of), to record the job's completion in its own commit.
///
/// Cheap to clone. A clone keeps what the context keeps.
#[derive(Clone)]
pub struct Attempt(JobContext);

impl Attempt {
    pub(crate) fn new(delivery: Delivery, received_at: Timestamp, runner: &Arc<RunnerState>) -> Self {
        Self(JobContext::new(delivery, received_at, runner.clone()))
    }

    /// Turns this attempt into another. Reuses its allocation, unless a clone of it is alive.
    pub(crate) fn reuse(&mut self, delivery: Delivery, received_at: Timestamp, runner: &Arc<RunnerState>) {
        match Arc::get_mut(&mut self.0.0) {
            Some(shared) if Arc::ptr_eq(&shared.runner, runner) => {
                shared.clear();
                (shared.delivery, shared.received_at) = (delivery, received_at);
            }
            _ => *self = Self::new(delivery, received_at, runner),
        }
    }

    /// Returns the attempt of a context.
    #[must_use]
    pub fn of(context: &JobContext) -> Self {
        Self(context.clone())
    }

    /// Returns the context, which the job sees.
    #[must_use]
    pub fn context(&self) -> &JobContext {
        &self.0
    }

    /// Returns the delivery.
    #[must_use]
    pub fn delivery(&self) -> &Delivery {
        self.0.delivery()
    }

    /// Returns when the worker received the job, by the worker's clock.
    #[must_use]
    pub fn received_at(&self) -> Timestamp {
        self.0.0.received_at
    }

    /// Notes that the attempt begins now, unless it has begun already. Returns when it began.
    ///
    /// [`AttemptRunner::run`](crate::AttemptRunner::run) calls this. A caller that needs the time earlier calls it first.
    pub fn start(&self) -> Timestamp {
        self.0.begun_at().unwrap_or_else(|| {
            let now = self.0.now();
            self.0.0.started_at.store(now.as_micros(), Ordering::Relaxed);
            now
        })
    }

    /// Returns whether the attempt has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.begun_at().is_some()
    }

    /// Returns the interrupt, which asks the job to stop, or aborts it.
    #[must_use]
    pub fn interrupt(&self) -> &Interrupt {
        self.0.interrupt()
    }

    /// Removes and returns the latest progress that the job has reported and that was not sent yet. The renewer of the lease sends it
    /// with the heartbeat.
    #[must_use]
    pub fn take_progress(&self) -> Option<JobProgress> {
        self.0.0.reports.take_progress()
    }

    /// Keeps a progress that could not be sent for the next renewal, unless the job has reported a later one.
    pub fn return_progress(&self, progress: JobProgress) {
        self.0.0.reports.return_progress(progress);
    }

    /// Returns the settlement with which the attempt is recorded if it succeeds, including its result and its followups, and notes
    /// that a unit of work is about to record it.
    ///
    /// The unit of work commits the job's effects and this settlement together, and then calls
    /// [`note_completed`](Self::note_completed).
    #[must_use]
    pub fn completion(&self) -> Settlement {
        self.0.0.is_completing.store(true, Ordering::SeqCst);
        let (result, followups) = self.0.completion();
        Settlement {
            lease: self.delivery().lease.clone(),
            transition: Transition::Complete { result },
            followups,
        }
    }

    /// Notes that a unit of work has recorded the [`completion`](Self::completion). The job then stays completed in any case.
    pub fn note_completed(&self) {
        self.0.0.is_completed.store(true, Ordering::SeqCst);
    }

    /// Returns whether a unit of work has asked for the [`completion`](Self::completion), in order to record it.
    #[must_use]
    pub fn is_completing(&self) -> bool {
        self.0.0.is_completing.load(Ordering::SeqCst)
    }

    /// Returns whether a unit of work has recorded the [`completion`](Self::completion).
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.0.0.is_completed.load(Ordering::SeqCst)
    }

    /// Drops payload, meta, reports and tokens of a finished attempt, so that the allocation can be
    /// [reused](crate::AttemptRunner::attempt_in). Until then, the names, the identity and the lease are still the old job's.
    ///
    /// Returns `false`, and drops nothing, if a clone is alive.
    pub fn clear(&mut self) -> bool {
        Arc::get_mut(&mut self.0.0).map(super::context::Shared::clear).is_some()
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Attempt").field(&self.0).finish()
    }
}
