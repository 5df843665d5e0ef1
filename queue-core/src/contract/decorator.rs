//! Queues around queues: what a decorator does not change is forwarded.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::contract::admin::{Admin, Cancellation, Prune, QueueCounts};
use crate::contract::announcement::{Announcement, WorkerRecord};
use crate::contract::change::Change;
use crate::contract::clock::TestClock;
use crate::contract::error::QueueError;
use crate::contract::expiry_feed::ExpiryFeed;
use crate::contract::filter::Filter;
use crate::contract::finding::Finding;
use crate::contract::history::{HistoryRequest, HistoryRow};
use crate::contract::id::JobId;
use crate::contract::import::Imported;
use crate::contract::job::NewJob;
use crate::contract::lease::{Heartbeat, Renewal};
use crate::contract::limit::{Limit, LimitScope};
use crate::contract::name::QueueName;
use crate::contract::page::{JobPage, PageRequest};
use crate::contract::queue::{Delivery, Demand, Queue, Receipt};
use crate::contract::queue_limits::{LimitRecord, QueueLimits};
use crate::contract::reason::Reason;
use crate::contract::record::JobRecord;
use crate::contract::settlement::{Settled, Settlement};
use crate::contract::summary::QueueSummary;
use crate::contract::usage::{QueueUsage, UsageRequest};

/// A queue around another queue. It overrides the methods that it changes; all others are forwarded.
///
/// Every `Decorator` is a [`Queue`]. A method that a later version adds to `Queue` is forwarded too, so a decorator cannot lose
/// it.
///
/// ```
/// use queue_core::backend::Decorator;
/// use queue_core::{NewJob, Queue, QueueError, QueueExt as _, Receipt};
///
/// /// Logs each batch that is pushed.
/// struct Logged<Q>(Q);
///
/// #[async_trait::async_trait]
/// impl<Q: Queue> Decorator for Logged<Q> {
///     type Inner = Q;
///
///     fn inner(&self) -> &Q {
///         &self.0
///     }
///
///     fn push_at_once(&self, _: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
///         None // so that each job passes through `push`
///     }
///
///     async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
///         println!("pushing {} jobs", jobs.len());
///         self.0.push(jobs).await
///     }
/// }
///
/// # async fn example(queue: impl Queue) -> Result<(), QueueError> {
/// Logged(queue).enqueue(NewJob::call(async |_| println!("at work"))).await?;
/// # Ok(())
/// # }
/// ```
///
/// Jobs reach a queue by `push`, and as followups in the settlements of `settle`. A durable queue also stores jobs in an
/// application's own transaction, which no decorator sees. The method `on_push` of a queue's builder adds a function that sees
/// the jobs of both.
///
/// # Errors and cancel safety
///
/// Each method has those of its counterpart in [`Queue`].
#[async_trait]
pub trait Decorator: Send + Sync + 'static {
    /// The inner queue.
    type Inner: Queue + ?Sized;

    /// Returns the inner queue, to which calls are forwarded.
    fn inner(&self) -> &Self::Inner;

    /// Stores the job without waiting, or leaves it: see [`Queue::push_at_once`].
    ///
    /// This method has no default, because it goes past [`push`](Self::push). A decorator that overrides `push` returns `None`
    /// here; any other decorator returns `self.inner().push_at_once(job)`.
    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>>;

    /// Stores a batch: see [`Queue::push`].
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        self.inner().push(jobs).await
    }

    /// Leases ready jobs: see [`Queue::claim`].
    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        self.inner().claim(demand).await
    }

    /// Extends the leases of running jobs: see [`Queue::renew`].
    async fn renew(&self, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        self.inner().renew(heartbeats).await
    }

    /// Ends attempts: see [`Queue::settle`].
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        self.inner().settle(settlements).await
    }

    /// Stores the announcement of a worker: see [`Queue::announce`].
    async fn announce(&self, announcement: &Announcement) -> Result<(), QueueError> {
        self.inner().announce(announcement).await
    }

    /// Stores the limits that a program declares: see [`Queue::declare_limits`].
    async fn declare_limits(&self, queue: &QueueName, limits: &QueueLimits) -> Result<(), QueueError> {
        self.inner().declare_limits(queue, limits).await
    }

    /// Returns the reports of expired jobs: see [`Queue::expiry_feed`].
    fn expiry_feed(&self) -> Option<&ExpiryFeed> {
        self.inner().expiry_feed()
    }

    /// Returns what the backend is: see [`Queue::description`].
    fn description(&self) -> String {
        self.inner().description()
    }
}

#[async_trait]
impl<D: Decorator> Queue for D {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        Decorator::push(self, jobs).await
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        Decorator::push_at_once(self, job)
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        Decorator::claim(self, demand).await
    }

    async fn renew(&self, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        Decorator::renew(self, heartbeats).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        Decorator::settle(self, settlements).await
    }

    async fn announce(&self, announcement: &Announcement) -> Result<(), QueueError> {
        Decorator::announce(self, announcement).await
    }

    async fn declare_limits(&self, queue: &QueueName, limits: &QueueLimits) -> Result<(), QueueError> {
        Decorator::declare_limits(self, queue, limits).await
    }

    fn expiry_feed(&self) -> Option<&ExpiryFeed> {
        Decorator::expiry_feed(self)
    }

    fn description(&self) -> String {
        Decorator::description(self)
    }
}

/// A [`Decorator`] whose inner queue an operator can control. It overrides the methods that it changes; all others are
/// forwarded.
///
/// Every `AdminDecorator` is an [`Admin`].
///
/// # Errors and cancel safety
///
/// Each method has those of its counterpart in [`Admin`].
#[async_trait]
pub trait AdminDecorator: Decorator<Inner: Admin> {
    /// Returns one job: see [`Admin::get`].
    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        self.inner().get(id).await
    }

    /// Waits until a job has ended: see [`Admin::ended`].
    async fn ended(&self, ids: &[JobId], wait: Duration) -> Result<Vec<Option<JobRecord>>, QueueError> {
        self.inner().ended(ids, wait).await
    }

    /// Returns a page of jobs: see [`Admin::list`].
    async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError> {
        self.inner().list(filter, page).await
    }

    /// Counts the jobs: see [`Admin::counts`].
    async fn counts(&self) -> Result<Vec<QueueCounts>, QueueError> {
        self.inner().counts().await
    }

    /// Returns the state of each queue: see [`Admin::summary`].
    async fn summary(&self) -> Result<Vec<QueueSummary>, QueueError> {
        self.inner().summary().await
    }

    /// Returns the state of each queue, with counts up to a cap: see [`Admin::summary_up_to`].
    async fn summary_up_to(&self, cap: u64) -> Result<Vec<QueueSummary>, QueueError> {
        self.inner().summary_up_to(cap).await
    }

    /// Returns the workers: see [`Admin::workers`].
    async fn workers(&self) -> Result<Vec<WorkerRecord>, QueueError> {
        self.inner().workers().await
    }

    /// Returns what ended in each step of time: see [`Admin::history`].
    async fn history(&self, request: &HistoryRequest) -> Result<Vec<HistoryRow>, QueueError> {
        self.inner().history(request).await
    }

    /// Returns the reasons why a job is not running: see [`Admin::explain`].
    async fn explain(&self, id: JobId) -> Result<Vec<Reason>, QueueError> {
        self.inner().explain(id).await
    }

    /// Cancels a job: see [`Admin::cancel`].
    async fn cancel(&self, id: JobId, reason: &str) -> Result<Cancellation, QueueError> {
        self.inner().cancel(id, reason).await
    }

    /// Runs a finished job again: see [`Admin::retry`].
    async fn retry(&self, id: JobId) -> Result<(), QueueError> {
        self.inner().retry(id).await
    }

    /// Deletes a job: see [`Admin::delete`].
    async fn delete(&self, id: JobId) -> Result<(), QueueError> {
        self.inner().delete(id).await
    }

    /// Returns the ids of all jobs that match: see [`Admin::matching`].
    async fn matching(&self, filter: &Filter) -> Result<Vec<JobId>, QueueError> {
        self.inner().matching(filter).await
    }

    /// Changes those of these jobs that match: see [`Admin::change`].
    async fn change(&self, ids: &[JobId], filter: &Filter, change: &Change) -> Result<u64, QueueError> {
        self.inner().change(ids, filter, change).await
    }

    /// Stores jobs as they were in another store: see [`Admin::import`].
    async fn import(&self, jobs: Vec<JobRecord>) -> Result<Vec<Imported>, QueueError> {
        self.inner().import(jobs).await
    }

    /// Stops deliveries from a queue: see [`Admin::pause`].
    async fn pause(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.inner().pause(queue).await
    }

    /// Resumes deliveries from a queue: see [`Admin::resume`].
    async fn resume(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.inner().resume(queue).await
    }

    /// Returns the limits of a queue: see [`Admin::limits`].
    async fn limits(&self, queue: &QueueName) -> Result<Vec<LimitRecord>, QueueError> {
        self.inner().limits(queue).await
    }

    /// Sets a limit: see [`Admin::set_limit`].
    async fn set_limit(
        &self,
        queue: &QueueName,
        scope: &LimitScope,
        limit: Option<Limit>,
    ) -> Result<(), QueueError> {
        self.inner().set_limit(queue, scope, limit).await
    }

    /// Returns how far limits are used: see [`Admin::usage`].
    async fn usage(&self, request: &UsageRequest) -> Result<QueueUsage, QueueError> {
        self.inner().usage(request).await
    }

    /// Returns the limits that keep a ready job from starting: see [`Admin::limits_that_hold`].
    async fn limits_that_hold(&self, job: &JobRecord) -> Result<Vec<Reason>, QueueError> {
        self.inner().limits_that_hold(job).await
    }

    /// Deletes finished jobs by age: see [`Admin::prune`].
    async fn prune(&self, prune: &Prune) -> Result<u64, QueueError> {
        self.inner().prune(prune).await
    }

    /// Checks the store: see [`Admin::diagnose`].
    async fn diagnose(&self) -> Result<Vec<Finding>, QueueError> {
        self.inner().diagnose().await
    }

    /// Checks all but the workers: see [`Admin::diagnose_store`].
    async fn diagnose_store(&self) -> Result<Vec<Finding>, QueueError> {
        self.inner().diagnose_store().await
    }

    /// Returns the clock that a test may move: see [`Admin::test_clock`].
    fn test_clock(&self) -> Option<Arc<dyn TestClock>> {
        self.inner().test_clock()
    }
}

#[async_trait]
impl<D: AdminDecorator> Admin for D {
    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        AdminDecorator::get(self, id).await
    }

    async fn ended(&self, ids: &[JobId], wait: Duration) -> Result<Vec<Option<JobRecord>>, QueueError> {
        AdminDecorator::ended(self, ids, wait).await
    }

    async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError> {
        AdminDecorator::list(self, filter, page).await
    }

    async fn counts(&self) -> Result<Vec<QueueCounts>, QueueError> {
        AdminDecorator::counts(self).await
    }

    async fn summary(&self) -> Result<Vec<QueueSummary>, QueueError> {
        AdminDecorator::summary(self).await
    }

    async fn summary_up_to(&self, cap: u64) -> Result<Vec<QueueSummary>, QueueError> {
        AdminDecorator::summary_up_to(self, cap).await
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>, QueueError> {
        AdminDecorator::workers(self).await
    }

    async fn history(&self, request: &HistoryRequest) -> Result<Vec<HistoryRow>, QueueError> {
        AdminDecorator::history(self, request).await
    }

    async fn explain(&self, id: JobId) -> Result<Vec<Reason>, QueueError> {
        AdminDecorator::explain(self, id).await
    }

    async fn cancel(&self, id: JobId, reason: &str) -> Result<Cancellation, QueueError> {
        AdminDecorator::cancel(self, id, reason).await
    }

    async fn retry(&self, id: JobId) -> Result<(), QueueError> {
        AdminDecorator::retry(self, id).await
    }

    async fn delete(&self, id: JobId) -> Result<(), QueueError> {
        AdminDecorator::delete(self, id).await
    }

    async fn matching(&self, filter: &Filter) -> Result<Vec<JobId>, QueueError> {
        AdminDecorator::matching(self, filter).await
    }

    async fn change(&self, ids: &[JobId], filter: &Filter, change: &Change) -> Result<u64, QueueError> {
        AdminDecorator::change(self, ids, filter, change).await
    }

    async fn import(&self, jobs: Vec<JobRecord>) -> Result<Vec<Imported>, QueueError> {
        AdminDecorator::import(self, jobs).await
    }

    async fn pause(&self, queue: &QueueName) -> Result<(), QueueError> {
        AdminDecorator::pause(self, queue).await
    }

    async fn resume(&self, queue: &QueueName) -> Result<(), QueueError> {
        AdminDecorator::resume(self, queue).await
    }

    async fn limits(&self, queue: &QueueName) -> Result<Vec<LimitRecord>, QueueError> {
        AdminDecorator::limits(self, queue).await
    }

    async fn set_limit(
        &self,
        queue: &QueueName,
        scope: &LimitScope,
        limit: Option<Limit>,
    ) -> Result<(), QueueError> {
        AdminDecorator::set_limit(self, queue, scope, limit).await
    }

    async fn usage(&self, request: &UsageRequest) -> Result<QueueUsage, QueueError> {
        AdminDecorator::usage(self, request).await
    }

    async fn limits_that_hold(&self, job: &JobRecord) -> Result<Vec<Reason>, QueueError> {
        AdminDecorator::limits_that_hold(self, job).await
    }

    async fn prune(&self, prune: &Prune) -> Result<u64, QueueError> {
        AdminDecorator::prune(self, prune).await
    }

    async fn diagnose(&self) -> Result<Vec<Finding>, QueueError> {
        AdminDecorator::diagnose(self).await
    }

    async fn diagnose_store(&self) -> Result<Vec<Finding>, QueueError> {
        AdminDecorator::diagnose_store(self).await
    }

    fn test_clock(&self) -> Option<Arc<dyn TestClock>> {
        AdminDecorator::test_clock(self)
    }
}

/// Forwards every call to the queue that the `Arc` points to.
impl<Q: Queue + ?Sized> Decorator for Arc<Q> {
    type Inner = Q;

    fn inner(&self) -> &Q {
        self
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        self.inner().push_at_once(job)
    }
}

/// Forwards every call to the queue that the `Arc` points to.
impl<Q: Admin + ?Sized> AdminDecorator for Arc<Q> {}
