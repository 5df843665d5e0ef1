//! The operator's interface: inspects jobs and controls them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::contract::announcement::WorkerRecord;
use crate::contract::change::Change;
use crate::contract::clock::TestClock;
use crate::contract::error::{QueueError, QueueErrorKind};
use crate::contract::filter::Filter;
use crate::contract::finding::Finding;
use crate::contract::history::{HistoryRequest, HistoryRow};
use crate::contract::id::JobId;
use crate::contract::import::Imported;
use crate::contract::limit::{Limit, LimitScope};
use crate::contract::name::QueueName;
use crate::contract::page::{JobPage, PageRequest};
use crate::contract::queue::Queue;
use crate::contract::queue_limits::LimitRecord;
use crate::contract::reason::Reason;
use crate::contract::record::{JobRecord, State};
use crate::contract::summary::QueueSummary;
use crate::contract::usage::{QueueUsage, UsageRequest};

/// Shows the content of a queue, and lets an operator control its jobs.
///
/// Dashboards, command lines and the testkit's assertions need only this trait.
///
/// ```
/// use queue_core::admin::{Filter, PageRequest, Sort};
/// use queue_core::{Admin, QueueError, State};
///
/// /// Runs the newest 100 discarded jobs of the queue `mail` again, and ends its pause.
/// async fn retry_mails(queue: &impl Admin) -> Result<(), QueueError> {
///     let discarded = Filter::all().queue("mail").state(State::Discarded);
///     let page = queue.list(&discarded, &PageRequest::first(100).sort(Sort::Finished).newest()).await?;
///     for job in page {
///         queue.retry(job.id).await?;
///     }
///     queue.resume(&"mail".into()).await // a method that changes a queue borrows its name
/// }
/// ```
///
/// [`AdminExt`](crate::AdminExt) changes all jobs that match a filter.
///
/// # Errors
///
/// Every method fails with [`Unavailable`](crate::QueueErrorKind::Unavailable) if the store does not answer. A method for one job
/// fails with [`NotFound`](crate::QueueErrorKind::NotFound) if the queue does not have that job.
///
/// # Cancel safety
///
/// If a future is dropped, its call takes effect as a whole or not at all.
#[async_trait]
pub trait Admin: Queue {
    /// Returns one job, or `None` if the queue does not know it, or no longer knows it.
    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, QueueError>;

    /// Waits until one of these jobs has ended or is gone, but not longer than `wait`. Returns a job for each id, in order, or `None`
    /// for a job that the queue does not know, or no longer knows.
    ///
    /// It reads the states of the jobs, and does not depend on messages about them: the answer has an ended job or a `None`, unless
    /// `wait` has passed. If a job has ended before the call or is gone, it returns at once. A job that waits for another attempt has
    /// not ended. A queue that removes completed jobs returns `None` for them.
    ///
    /// With `Duration::ZERO` it does not wait, and with `Duration::MAX` it waits for ever. For an empty list it returns at once.
    /// A backend may poll, so the answer may be late by its polling interval: at most 50 ms in SQLite, and 250 ms in PostgreSQL.
    ///
    /// [`JobHandle`](crate::JobHandle) calls it for one job, and decodes the job's result.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any time.
    async fn ended(&self, ids: &[JobId], wait: Duration) -> Result<Vec<Option<JobRecord>>, QueueError>;

    /// Returns a page of the jobs that match the filter, in the order of the request: by default in push order.
    ///
    /// Listing page by page neither misses nor repeats a job that was stored throughout and whose time in the sort did not change.
    ///
    /// # Errors
    ///
    /// `Invalid` if the page's cursor is not one that this queue returned for the same filter, sort and order.
    async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError>;

    /// Counts the jobs of each queue by state. The counts are exact if the queue is idle.
    async fn counts(&self) -> Result<Vec<QueueCounts>, QueueError>;

    /// Returns the state of each queue, sorted by name, with counts up to [`QueueSummary::CAP`].
    ///
    /// Use it for dashboards and alerts: [`counts`](Admin::counts) reads every job, and this call does not. See
    /// [`summary_up_to`](Admin::summary_up_to).
    async fn summary(&self) -> Result<Vec<QueueSummary>, QueueError> {
        self.summary_up_to(QueueSummary::CAP).await
    }

    /// Returns the state of each queue, sorted by name, with counts up to `cap`. It may leave out queues without jobs that are not
    /// paused.
    ///
    /// It costs at most `cap` index entries for each state of a queue, however many jobs there are. The times are exact while the
    /// ready jobs of a queue have at most `cap` different priorities. If more than `cap` jobs execute in all queues together, each
    /// count may be too low, and is marked as capped.
    async fn summary_up_to(&self, cap: u64) -> Result<Vec<QueueSummary>, QueueError>;

    /// Returns the workers that run and those that vanished within the last hour, sorted by identity.
    ///
    /// A worker is listed if it has announced itself, as a service of `queue-tokio` does. One that stops by request is removed.
    ///
    /// # Errors
    ///
    /// `Unsupported`, the default, if the queue does not store announcements.
    async fn workers(&self) -> Result<Vec<WorkerRecord>, QueueError> {
        Err(QueueError::unsupported("this queue does not store which workers run"))
    }

    /// Returns the number of attempts that ended in each step of a part of the last 24 hours: a row for each step, queue and kind of
    /// job with such an attempt, sorted by time, queue and name.
    ///
    /// An attempt is counted in the step that ends it, once, in the minute of its end by the backend's clock. So a job stays counted
    /// if it is not kept, is pruned or is deleted. A stale settlement counts nothing. Minutes that ended more than 24 hours ago are
    /// deleted.
    ///
    /// The cost depends on the history, not on the number of jobs: at most 1,441 minutes of each kind of job in each queue.
    ///
    /// # Errors
    ///
    /// `Unsupported`, the default, if the queue does not store a history.
    async fn history(&self, _request: &HistoryRequest) -> Result<Vec<HistoryRow>, QueueError> {
        Err(QueueError::unsupported("this queue does not store a history"))
    }

    /// Returns every reason why a job is not running now, or the worker that runs it. Each displays as a sentence with a remedy.
    ///
    /// It reads the job, then the workers, then the summary. If the state of the job changes meanwhile, a reason may be outdated.
    async fn explain(&self, id: JobId) -> Result<Vec<Reason>, QueueError> {
        let job = self.get(id).await?.ok_or_else(|| QueueError::unknown_job(id))?;
        let workers = match self.workers().await {
            Ok(workers) => Some(workers),
            Err(error) if error.kind() == QueueErrorKind::Unsupported => None,
            Err(error) => return Err(error),
        };
        let summaries = self.summary().await?;
        let summary = summaries.iter().find(|summary| summary.queue == job.queue);
        let reasons = Reason::of(&job, summary, workers.as_deref());
        Ok(Reason::with_limits(reasons, self.limits_that_hold(&job).await?))
    }

    /// Returns the limits that keep a ready job from starting, for [`explain`](Self::explain), which has the same errors. No limit
    /// holds a job in another state.
    async fn limits_that_hold(&self, job: &JobRecord) -> Result<Vec<Reason>, QueueError> {
        if job.state != State::Available {
            return Ok(Vec::new());
        }
        let request = UsageRequest::of(&job.queue).partition(&job.partition).limit(1);
        let usage = match self.usage(&request).await {
            Ok(usage) => usage,
            Err(error) if error.kind() == QueueErrorKind::Unsupported => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut reasons = Reason::of_usage(&usage);
        for reason in &mut reasons {
            if let Some(filter) = reason.filter_of_holders() {
                let holders = self.list(&filter, &PageRequest::first(Reason::MOST_HOLDERS)).await?.jobs;
                reason.add_holders(holders);
            }
        }
        Ok(reasons)
    }

    /// Cancels a waiting job immediately, and asks an executing job to stop.
    ///
    /// An executing job learns of the request at its worker's next renewal. If it then completes or is discarded, that result
    /// stands; any other result, including a lost lease, leaves it cancelled.
    async fn cancel(&self, id: JobId, reason: &str) -> Result<Cancellation, QueueError>;

    /// Returns a finished job to the available state, with at least one attempt left. A waiting job becomes available now.
    ///
    /// # Errors
    ///
    /// `Conflict` if the job is executing, or if another unfinished job holds its unique key now.
    async fn retry(&self, id: JobId) -> Result<(), QueueError>;

    /// Deletes a job.
    ///
    /// # Errors
    ///
    /// `Conflict` if the job is executing.
    async fn delete(&self, id: JobId) -> Result<(), QueueError>;

    /// Returns the ids of all jobs that match the filter at one instant, in push order.
    async fn matching(&self, filter: &Filter) -> Result<Vec<JobId>, QueueError>;

    /// Changes those of the given jobs that match the filter, and returns their number. All are changed in one step, or none.
    ///
    /// Jobs that do not allow the change stay as they are: a cancellation skips finished jobs, a retry and a deletion skip executing
    /// jobs, and a retry skips a job whose unique key another job holds. Pass at most a few hundred ids, and each of them once, as
    /// [`AdminExt`](crate::AdminExt) does.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, all of the jobs are changed or none.
    async fn change(&self, ids: &[JobId], filter: &Filter, change: &Change) -> Result<u64, QueueError>;

    /// Stores jobs as they were in another store, and returns for each, in order, whether it was stored.
    ///
    /// A job keeps its id, name, queue, payload, meta, priority, attempts, errors, number of claims, `on_discard`, unique key with
    /// its window, the time of its push, and its `run_at`. It is behind the stored jobs in push order, has at least one attempt
    /// left, and never waits for capacity. A job whose `run_at` is in the future of this queue's clock waits as it did before: scheduled
    /// or retryable. Any other job is available, and its old `run_at` decides its place among the ready jobs.
    ///
    /// It may be repeated: if the queue has a job of this id, the answer is [`Present`](Imported::Present), and nothing changes. If
    /// another job holds the unique key, the answer is [`KeyHeld`](Imported::KeyHeld), and the job is not stored. A record that does not hold its key
    /// (see [`JobRecord::unique_until`]) needs no free key.
    ///
    /// [`JobMove`](crate::admin::JobMove) moves the jobs of a queue with it, and [`JobRecord::import`] reads a job from JSON.
    ///
    /// # Errors
    ///
    /// `Invalid` for a job that is executing or finished or exceeds a limit; then no job is stored. `Unsupported`, the default, if
    /// the queue has no import. `Unavailable`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, either all jobs are imported or none.
    async fn import(&self, jobs: Vec<JobRecord>) -> Result<Vec<Imported>, QueueError> {
        drop(jobs);
        Err(QueueError::unsupported("this queue has no import: push the jobs as new ones"))
    }

    /// Stops deliveries from a queue, as in `queue.pause(&"mail".into())`. Pushes and running jobs continue.
    async fn pause(&self, queue: &QueueName) -> Result<(), QueueError>;

    /// Resumes deliveries from a queue, as in `queue.resume(&"mail".into())`, and wakes waiting claimers.
    async fn resume(&self, queue: &QueueName) -> Result<(), QueueError>;

    /// Returns the limits of a queue: those that programs declare, and those that operators have set. The queue's own is first, then
    /// that of each partition, then those of partitions by name.
    ///
    /// # Errors
    ///
    /// `Unsupported`, the default, if the queue has no limits.
    async fn limits(&self, _queue: &QueueName) -> Result<Vec<LimitRecord>, QueueError> {
        Err(QueueError::unsupported("this queue has no limits"))
    }

    /// Sets a limit, which is in force instead of the declared one until it is taken back with `None`.
    ///
    /// It binds all claims at once, and is remembered like a pause. Running jobs are not stopped: if more run than the limit allows,
    /// none starts until fewer run. A limit that allows more wakes waiting claimers. `Limit::running(0)` pauses a partition.
    ///
    /// # Errors
    ///
    /// `Invalid` for a limit that [`QueueLimits::check`](crate::QueueLimits::check) refuses. `Unsupported`, the default, if the
    /// queue has no limits.
    async fn set_limit(
        &self,
        _queue: &QueueName,
        _scope: &LimitScope,
        _limit: Option<Limit>,
    ) -> Result<(), QueueError> {
        Err(QueueError::unsupported("this queue has no limits"))
    }

    /// Returns how far a queue and its partitions use their limits, the fullest partitions first.
    ///
    /// At rest, the number of running jobs is the number of leases that last. An unused queue has no partitions.
    ///
    /// # Errors
    ///
    /// `Unsupported`, the default, if the queue has no limits.
    async fn usage(&self, _request: &UsageRequest) -> Result<QueueUsage, QueueError> {
        Err(QueueError::unsupported("this queue has no limits"))
    }

    /// Deletes finished jobs by age, at most `prune.limit` of them. Returns the number of deleted jobs.
    async fn prune(&self, prune: &Prune) -> Result<u64, QueueError>;

    /// Checks the store and its workers, and returns a finding for each problem, with its cure.
    ///
    /// It changes nothing. It reads all jobs, so it may take long if there are many.
    ///
    /// # Errors
    ///
    /// `Unavailable`. A check for which this program lacks a right is a finding, not an error.
    async fn diagnose(&self) -> Result<Vec<Finding>, QueueError> {
        let mut findings = self.diagnose_store().await?;
        let workers = match self.workers().await {
            Err(error) if error.kind() == QueueErrorKind::Unsupported => return Ok(findings),
            workers => workers?,
        };
        if workers.iter().any(|worker| !worker.is_live) {
            let executing = Filter::all().state(State::Executing);
            let executing = self.list(&executing, &PageRequest::first(Finding::MOST_LEASES)).await?.jobs;
            findings.extend(Finding::of_workers(&workers, &executing));
        }
        Ok(findings)
    }

    /// Checks all but the workers, for [`diagnose`](Self::diagnose), which has the same errors. The default finds nothing.
    async fn diagnose_store(&self) -> Result<Vec<Finding>, QueueError> {
        Ok(Vec::new())
    }

    /// Returns the clock of this queue if a test may move it. The default is `None`.
    ///
    /// A backend returns `Some` only if the queue was opened with a clock for tests.
    fn test_clock(&self) -> Option<Arc<dyn TestClock>> {
        None
    }
}

/// The number of jobs of a queue in each state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueCounts {
    /// The queue.
    pub queue: QueueName,
    /// Whether it is paused.
    pub paused: bool,
    counts: [u64; State::ALL.len()],
}

impl QueueCounts {
    /// Creates counts of zero for every state.
    #[must_use]
    pub const fn new(queue: QueueName, paused: bool) -> Self {
        Self { queue, paused, counts: [0; State::ALL.len()] }
    }

    /// Returns the number of jobs in a state.
    #[must_use]
    pub fn of(&self, state: State) -> u64 {
        self.counts.get(state as usize).copied().unwrap_or_default()
    }

    /// Sets the number of jobs in a state.
    pub fn set(&mut self, state: State, count: u64) {
        if let Some(slot) = self.counts.get_mut(state as usize) {
            *slot = count;
        }
    }

    /// Returns the number of unfinished jobs.
    #[must_use]
    pub fn unfinished(&self) -> u64 {
        State::ALL.into_iter().filter(|state| !state.is_finished()).map(|state| self.of(state)).sum()
    }
}

/// The result of cancelling a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cancellation {
    /// The job was waiting and is cancelled now.
    Cancelled,
    /// The job is executing, and learns of the request at its worker's next renewal.
    Requested,
    /// The job had finished already; nothing changed.
    Finished,
}

/// Selects the finished jobs to delete. Jobs in a state without an age are kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Prune {
    /// The minimum age of deleted completed jobs.
    pub completed: Option<Duration>,
    /// The minimum age of deleted discarded jobs.
    pub discarded: Option<Duration>,
    /// The minimum age of deleted cancelled jobs.
    pub cancelled: Option<Duration>,
    /// The maximum number of deleted jobs; those that finished first go first.
    pub limit: usize,
}

impl Prune {
    /// Deletes finished jobs of every state that are at least this old, at most 1,000 of them.
    #[must_use]
    pub const fn older_than(age: Duration) -> Self {
        Self { completed: Some(age), discarded: Some(age), cancelled: Some(age), limit: 1000 }
    }

    /// Deletes nothing, until ages are set.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { completed: None, discarded: None, cancelled: None, limit: 1000 }
    }

    /// Returns the minimum age for a state, or `None` if its jobs are kept.
    #[must_use]
    pub const fn age(&self, state: State) -> Option<Duration> {
        match state {
            State::Completed => self.completed,
            State::Discarded => self.discarded,
            State::Cancelled => self.cancelled,
            State::Scheduled | State::Available | State::Executing | State::Retryable => None,
        }
    }
}
