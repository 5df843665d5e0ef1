//! Reading the store: its jobs, its queues, and when something is due next.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use queue_core::admin::{Filter, QueueCounts, QueueUsage, Usage, UsageRequest};
use queue_core::{
    Admin as _, AdminExt as _, JobRecord, QueueError, QueueErrorKind, QueueName, Tick, Timestamp,
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
        let mut limits = LimitsOfQueues::new(self);
        for job in self.unfinished_of(&counts).await? {
            let due = job.lease_expires_at.unwrap_or(job.run_at);
            if ignores_ticks && due > now && Tick::waits_in(&job.queue) {
                continue;
            }
            if due > now {
                next = next.or(NextEvent::At(due));
            } else if !counts.iter().any(|counts| counts.paused && counts.queue == job.queue) {
                next = next.or(limits.next_start(&job, now).await?);
            }
        }
        Ok(next)
    }
}

/// When limits let ready jobs start.
struct LimitsOfQueues<'a> {
    store: &'a Timed,
    /// The queues that were read, each with its partitions. A queue without limits has none.
    read: HashMap<QueueName, Option<QueueUsage>>,
}

impl<'a> LimitsOfQueues<'a> {
    fn new(store: &'a Timed) -> Self {
        Self { store, read: HashMap::new() }
    }

    /// Returns when limits let a ready job start. If a limit on running jobs holds it, that is no event of its own: the end of
    /// another job comes first.
    async fn next_start(&mut self, job: &JobRecord, now: Timestamp) -> Result<NextEvent, QueueError> {
        let usage = match self.read.entry(job.queue.clone()) {
            Entry::Occupied(read) => read.into_mut(),
            Entry::Vacant(unread) => unread.insert(usage_of(self.store, &job.queue).await?),
        };
        let Some(usage) = usage else { return Ok(NextEvent::Now) };
        let of_job = usage.partitions.iter().find(|listed| listed.partition == job.partition);
        let scopes = || [&usage.total].into_iter().chain(of_job.map(|listed| &listed.usage));
        if scopes().any(Usage::is_full) {
            return Ok(NextEvent::Never);
        }
        let starts = scopes().filter_map(|scope| scope.next_start).filter(|at| *at > now);
        Ok(starts.max().map_or(NextEvent::Now, NextEvent::At))
    }
}

async fn usage_of(store: &Timed, queue: &QueueName) -> Result<Option<QueueUsage>, QueueError> {
    let request = UsageRequest::of(queue).limit(usize::MAX);
    match store.call(|queue| async move { queue.usage(&request).await }).await {
        Err(error) if error.kind() == QueueErrorKind::Unsupported => Ok(None),
        usage => usage.map(Some),
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
