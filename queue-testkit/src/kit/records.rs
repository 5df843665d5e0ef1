//! Reading the store: its jobs, its queues, and when something is due next.

use std::collections::HashMap;

use queue_core::admin::Filter;
use queue_core::{
    Admin as _, AdminExt as _, JobId, JobRecord, Lease, QueueError, QueueName, State, Timestamp,
};

use super::timed::Timed;

/// The next event of a store in which a claim found no job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextEvent {
    /// A job becomes ready, or a lease expires.
    At(Timestamp),
    /// A job is ready. A claim that does not get it finds it locked, by a transaction that is about to end.
    Now,
    /// No job becomes ready by itself.
    Never,
}

impl Timed {
    /// Returns all jobs that match, in push order.
    pub(super) async fn jobs(&self, filter: Filter) -> Result<Vec<JobRecord>, QueueError> {
        self.call(|queue| async move { queue.list_all(&filter).await }).await
    }

    /// Returns all jobs in push order, and blocks the calling thread meanwhile.
    pub(super) fn jobs_blocking(&self) -> Result<Vec<JobRecord>, QueueError> {
        self.call_blocking(|queue| async move { queue.list_all(&Filter::all()).await })
    }

    /// Returns the queues that were ever pushed to, sorted.
    pub(super) async fn queues(&self) -> Result<Vec<QueueName>, QueueError> {
        let counts = self.call(|queue| async move { queue.counts().await }).await?;
        Ok(counts.into_iter().map(|counts| counts.queue).collect())
    }

    /// Returns the next event after `now`. `renewed` has the ends of leases that were renewed.
    pub(super) async fn next_event(
        &self,
        now: Timestamp,
        renewed: &HashMap<JobId, Timestamp>,
    ) -> Result<NextEvent, QueueError> {
        if let Some(model) = self.as_model() {
            return Ok(model.next_due().map_or(NextEvent::Never, NextEvent::At));
        }
        let counts = self.call(|queue| async move { queue.counts().await }).await?;
        let mut next = NextEvent::Never;
        for job in self.jobs(Filter::all().unfinished()).await? {
            let due = due_at(&job, renewed);
            if due > now {
                next = next.or(NextEvent::At(due));
            } else if !counts.iter().any(|counts| counts.paused && counts.queue == job.queue) {
                next = NextEvent::Now;
            }
        }
        Ok(next)
    }
}

impl NextEvent {
    /// Returns the earlier event.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Now, _) | (_, Self::Now) => Self::Now,
            (Self::Never, event) | (event, Self::Never) => event,
            (Self::At(one), Self::At(another)) => Self::At(one.min(another)),
        }
    }
}

/// Returns when the job is ready: at its time, or when its lease expires. A record has no expiry, so the lease counts with the
/// default length from its claim, or with the end that the kit's last renewal returned.
fn due_at(job: &JobRecord, renewed: &HashMap<JobId, Timestamp>) -> Timestamp {
    if job.state != State::Executing {
        return job.run_at;
    }
    let claimed_at = job.claimed_at.unwrap_or(job.run_at);
    let expires_at = claimed_at.saturating_add(Lease::DEFAULT_LENGTH);
    renewed.get(&job.id).copied().map_or(expires_at, |renewed| renewed.max(expires_at))
}
