//! The stop of a run: first by request, then by force. No result is lost.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;
use queue_core::{Event, InterruptReason, JobFacts, JobName};

use super::announcer;
use super::job::InFlightJob;
use super::lane::Lane;
use super::lifecycle;
use super::shared::Shared;

/// How long attempts that were dropped may take to dispose their services.
const DISPOSAL: Duration = Duration::from_secs(5);

/// How long a stop may take beyond the shutdown timeout and the grace period.
pub(super) const CLEAN_UP: Duration = Duration::from_secs(30);

/// How long the last settlements may take.
const FLUSH: Duration = Duration::from_secs(10);

/// How long the tasks may take to end. Only a job that blocks its thread takes longer than a moment.
const TASKS_END: Duration = Duration::from_secs(1);

/// How long a run whose owner was dropped waits for its last claims.
const LAST_CLAIMS: Duration = Duration::from_secs(10);

/// Stops the loop. Returns the jobs that were cut short.
///
/// 1. No job is claimed or started any more: the claims under way end by the stop signal.
/// 2. Jobs that no worker has started are released, and those that the last claims bring.
/// 3. Running jobs have `timeout`; then their tokens fire; after a grace period they are dropped and released.
/// 4. The last settlements are flushed.
/// 5. All tasks end, so that none of them keeps the queue open.
///
/// Each step has a bound. The last claims end during step 3. All steps together take at most `timeout`, the grace period and
/// [`CLEAN_UP`].
pub(super) async fn stop(shared: &Arc<Shared>, timeout: Duration) -> Vec<String> {
    let stop = Stop(shared);
    stop.begin();
    lifecycle::log_stop(shared.client().service(), timeout, &stop.running());
    shared.client().observe(|| Event::Stopping);

    let ((), cut_short) = join(stop.last_claims(), stop.end_jobs(timeout)).await;

    stop.release_waiting();
    stop.flush().await;
    shared.shutdown().over().cancel();
    // After the tasks have ended, so that no announcement of theirs follows.
    stop.end_tasks().await;
    announcer::leave(shared).await;
    shared.client().observe(|| Event::Stopped);
    lifecycle::log_end(shared.client().service(), shared.tally(), cut_short.len());
    if !cut_short.is_empty() {
        tracing::warn!(
            service = shared.client().service(), jobs = %cut_short.join(", "),
            "jobs were cut short by the stop"
        );
    }
    cut_short
}

struct Stop<'a>(&'a Arc<Shared>);

impl Stop<'_> {
    fn begin(&self) {
        self.0.shutdown().stop_claims();
        self.0.lanes().iter().for_each(Lane::close);
        self.release_waiting();
    }

    /// Waits until the last claims have been answered, or were abandoned.
    async fn last_claims(&self) {
        self.0.shutdown().until(|| !self.0.lanes().iter().any(Lane::is_claiming)).await;
    }

    fn release_waiting(&self) {
        self.0.lanes().iter().for_each(Lane::release_waiting);
        self.settle();
    }

    /// Starts the settlement of results that no worker will settle.
    fn settle(&self) {
        for number in 0..self.0.lanes().len() {
            let shared = self.0.clone();
            self.0.tasks().spawn("settlement", async move { shared.settle_lane(number).await });
        }
    }

    /// Ends the running jobs, first by their tokens, then by force. Returns the names of those that were cut short.
    async fn end_jobs(&self, timeout: Duration) -> Vec<String> {
        if self.is_quiet_within(timeout).await {
            return Vec::new();
        }
        let mut cut_short = Vec::new();
        for job in self.jobs() {
            if job.is_running() {
                let JobFacts { id, name, attempt, .. } = job.facts();
                cut_short.push(format!("{name} ({id}, attempt {attempt})"));
            }
            job.attempt().interrupt().request(InterruptReason::Shutdown);
        }
        if !self.is_quiet_within(self.0.settings().grace).await {
            self.force();
            if !self.is_quiet_within(DISPOSAL).await {
                // A job that is left blocks its thread and can't be dropped. Its result will be stale.
                self.0.lanes().iter().for_each(Lane::release_running);
                self.settle();
            }
        }
        cut_short
    }

    fn force(&self) {
        for job in self.jobs() {
            job.attempt().interrupt().force(InterruptReason::Shutdown);
        }
    }

    /// Returns the names of the running jobs.
    fn running(&self) -> Vec<JobName> {
        let mut names = Vec::new();
        let mut add = |job: &Arc<InFlightJob>| {
            names.extend(job.is_running().then(|| job.attempt().delivery().name.clone()));
        };
        self.0.lanes().iter().for_each(|lane| lane.each(&mut add));
        names
    }

    fn jobs(&self) -> Vec<Arc<InFlightJob>> {
        let mut jobs = Vec::new();
        self.0.lanes().iter().for_each(|lane| lane.each(|job| jobs.push(job.clone())));
        jobs
    }

    async fn is_quiet_within(&self, limit: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.0.shutdown().until(|| self.0.lanes().iter().all(Lane::is_quiet)) => true,
            () = self.0.client().sleep(limit) => false,
        }
    }

    /// Waits until all jobs in flight are settled, or the queue has failed for too long.
    async fn flush(&self) {
        tokio::select! {
            biased;
            () = self.0.shutdown().until(|| self.0.lanes().iter().all(Lane::is_empty)) => {}
            () = self.0.client().sleep(FLUSH) => {
                tracing::error!(
                    service = self.0.client().service(),
                    "the last settlements could not be recorded; those leases will expire"
                );
            }
        }
    }

    /// Waits until all tasks have ended.
    async fn end_tasks(&self) {
        tokio::select! {
            biased;
            () = self.0.tasks().ended() => {}
            () = self.0.client().sleep(TASKS_END) => {}
        }
    }
}

/// Ends a run whose owner is dropped without a stop: nothing is claimed any more, and running jobs are dropped and released by
/// the tasks that are still there.
pub(super) struct EndOnDrop(Arc<Shared>);

impl EndOnDrop {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        if self.0.shutdown().over().is_cancelled() {
            return;
        }
        let stop = Stop(&self.0);
        stop.begin();
        stop.force();
        let shared = self.0.clone();
        // The renewer has a thread and a runtime of its own: it must end even if this task is never polled.
        let over = self.0.shutdown().over().clone().drop_guard();
        self.0.client().runtime().spawn(Box::pin(async move {
            let stop = Stop(&shared);
            tokio::select! {
                biased;
                () = stop.last_claims() => {}
                () = shared.client().sleep(LAST_CLAIMS) => {}
            }
            stop.release_waiting();
            if stop.is_quiet_within(DISPOSAL).await {
                stop.flush().await;
            }
            drop(over);
            announcer::leave(&shared).await;
        }));
    }
}
