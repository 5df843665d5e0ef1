//! Reading the store: its jobs, its queues, and when something is due next.

use queue_core::admin::{Filter, QueueCounts};
use queue_core::{Admin as _, AdminExt as _, JobRecord, QueueError, QueueName, Tick, Timestamp};

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

/// Whether a run waits for the next ticks of schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ticks {
    Awaited,
    Left,
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

    /// Returns all unfinished jobs, in push order.
    pub(super) async fn unfinished(&self) -> Result<Vec<JobRecord>, QueueError> {
        let counts = self.counts().await?;
        self.unfinished_of(&counts).await
    }

    /// Returns all unfinished jobs. After most runs there are none, and the counts say so.
    async fn unfinished_of(&self, counts: &[QueueCounts]) -> Result<Vec<JobRecord>, QueueError> {
        if counts.iter().all(|counts| counts.unfinished() == 0) {
            return Ok(Vec::new());
        }
        self.jobs(Filter::all().unfinished()).await
    }

    /// Returns the queues that were ever pushed to, sorted.
    pub(super) async fn queues(&self) -> Result<Vec<QueueName>, QueueError> {
        Ok(self.counts().await?.into_iter().map(|counts| counts.queue).collect())
    }

    async fn counts(&self) -> Result<Vec<QueueCounts>, QueueError> {
        self.call(|queue| async move { queue.counts().await }).await
    }

    /// Returns the next event after `now`. Without `ticks`, the ticks of schedules, which never end, are left out.
    pub(super) async fn next_event(&self, now: Timestamp, ticks: Ticks) -> Result<NextEvent, QueueError> {
        let counts = self.counts().await?;
        let has_ticks = |counts: &QueueCounts| counts.unfinished() > 0 && Tick::waits_in(&counts.queue);
        let ignores_ticks = ticks == Ticks::Left && counts.iter().any(has_ticks);
        if let Some(model) = self.as_model().filter(|_| !ignores_ticks) {
            return Ok(model.next_due().map_or(NextEvent::Never, NextEvent::At));
        }
        let mut next = NextEvent::Never;
        for job in self.unfinished_of(&counts).await? {
            let due = job.lease_expires_at.unwrap_or(job.run_at);
            if ignores_ticks && due > now && Tick::waits_in(&job.queue) {
                continue;
            }
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
