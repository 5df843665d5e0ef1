//! The storage contract.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::contract::announcement::Announcement;
use crate::contract::body::Body;
use crate::contract::clock::Timestamp;
use crate::contract::error::QueueError;
use crate::contract::expiry_feed::ExpiryFeed;
use crate::contract::id::JobId;
use crate::contract::job::{Meta, NewJob};
use crate::contract::lease::{Heartbeat, Lease, Renewal};
use crate::contract::name::{JobName, QueueName};
use crate::contract::on_discard::OnDiscard;
use crate::contract::partition::Partition;
use crate::contract::queue_limits::QueueLimits;
use crate::contract::record::JobRecord;
use crate::contract::settlement::{Settled, Settlement};
use crate::contract::stop::StopSignal;
use crate::contract::worker_id::WorkerId;

/// Stores, orders and leases jobs, and wakes waiting claimers.
///
/// A queue never decides on retries and never runs code: the caller computes the state after an attempt, and passes it as a
/// [`Settlement`]. Only an expired lease and a requested cancellation have fixed results:
/// [`State::after_expiry`](crate::State::after_expiry) is the state after an expiry, and a requested cancellation replaces a
/// retry, a snooze or a release. A queue delivers at least once.
///
/// # Requirements for implementers
///
/// Every method MUST be cancel-safe and MUST take effect as a whole or not at all.
/// An implementer MUST call [`Limits::check`](crate::Limits::check) on each batch before it stores anything.
/// Time MUST be the backend's own, so that machines whose clocks differ agree.
/// `queue_conformance::conformance!` tests an implementation against all of this, law by law.
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// Stores a batch, all of it or nothing, and returns one receipt for each job, in order.
    ///
    /// A job whose id the queue knows already is not stored again, and its receipt equals the receipt of the first push.
    /// A producer may therefore repeat a push whose answer was lost. An empty batch succeeds.
    ///
    /// # Errors
    ///
    /// `Invalid` names the job's index in the batch, the field, its size and the limit.
    /// `Unsupported` for a closure if the backend stores bytes. `Closed`. `Unavailable`.
    /// A bounded queue waits for capacity, and returns `Invalid` for a batch that is larger than its bound.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the whole batch is stored or none of it.
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError>;

    /// Stores the job as [`push`](Queue::push) does, if that needs no waiting.
    ///
    /// An implementer MUST take the job if it returns `Some`, and MUST leave the job if it returns `None`.
    /// This saves in-memory queues a boxed future and two `Vec`s per push. The default returns `None`.
    ///
    /// # Errors
    ///
    /// Those of [`push`](Queue::push).
    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        let _ = job;
        None
    }

    /// Waits until a job is ready in one of the demand's queues, then leases up to `demand.max` ready ones.
    ///
    /// Returns an empty list if `demand.wait` has passed or the claim was stopped. That is not an error.
    ///
    /// When [`demand.stop`](Demand::stop) fires, the claim MUST return without further waiting: with the jobs that it has leased
    /// already, or with none. A claim that begins later MUST lease nothing. A claimer that shuts down awaits this answer instead
    /// of dropping the future, so that it knows of every lease and can release it before it returns.
    /// An implementer waits for [`Demand::stopped`] along with everything else that the claim waits for, or checks
    /// [`Demand::is_stopped`] at least every few milliseconds. A decorator passes the demand on and needs to do nothing else.
    ///
    /// # Errors
    ///
    /// `Closed`, also for claims that are waiting when the queue is closed. `Unavailable`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no job is lost: jobs that were leased and not received are released, and their leases are not
    /// left to expire. The release may happen after the drop has returned.
    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError>;

    /// Extends the leases of running jobs, each by its own length from now, and returns for each whether it still holds.
    ///
    /// The progress in a heartbeat replaces the one that the job's record shows. When the lease ends, the progress is removed.
    ///
    /// # Errors
    ///
    /// `Unavailable`. A lost lease is an answer, not an error.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the leases may or may not be extended. Both are harmless.
    async fn renew(&self, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError>;

    /// Ends attempts. A settlement under a lost lease changes nothing and returns [`Settled::Stale`].
    ///
    /// Each transition and its followups are one atomic step; the settlements of a batch are independent of one another.
    /// Followups never wait for capacity. A followup whose unique key is held is not stored; that is not an error.
    ///
    /// A discard stores the job that the discarded one names by [`OnDiscard`], in the same step. The same holds for a discard by
    /// an expired lease, whichever call notices the expiry. [`OnDiscard::job_for`] creates that job.
    ///
    /// It MUST NOT wait for a transaction of an application, which may stay open for long. A settlement that needs a job or a key
    /// held by such a transaction returns [`Settled::Blocked`]; the others of the batch are settled.
    ///
    /// # Errors
    ///
    /// `Invalid` if a followup or a result exceeds a limit; then no settlement of the batch is applied.
    /// `Unavailable`: the caller may repeat the call, since a settlement that was applied already returns as stale.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, each settlement may or may not be applied, always as a whole.
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError>;

    /// Stores the announcement of a worker, for [`Admin::workers`](crate::Admin::workers). If `valid_for` is zero, removes the
    /// worker.
    ///
    /// The newest announcement of a worker replaces the earlier ones. A call of this method MUST NOT delay a claim, renewal or
    /// settlement of other callers for longer than any other write does.
    ///
    /// # Errors
    ///
    /// `Unsupported`, the default, if the queue does not store announcements. `Unavailable`: a service ignores it, and announces
    /// itself again later.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the announcement may or may not be stored.
    async fn announce(&self, announcement: &Announcement) -> Result<(), QueueError> {
        let _ = announcement;
        Err(QueueError::unsupported("this queue does not store which workers run"))
    }

    /// Stores the limits that a program declares for a queue, instead of those that were declared for it before. They bind all
    /// claims at once, and are remembered like a pause. Limits that an operator has set stay in force.
    ///
    /// # Errors
    ///
    /// `Unsupported`, the default, if the queue has no limits. `Invalid` for a limit that [`QueueLimits::check`] refuses; then
    /// nothing is stored. `Unavailable`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the limits may or may not be stored.
    async fn declare_limits(&self, queue: &QueueName, limits: &QueueLimits) -> Result<(), QueueError> {
        let _ = (queue, limits);
        Err(QueueError::unsupported("this queue has no limits"))
    }

    /// Returns the feed that reports the jobs which this handle finds discarded because their last lease has expired.
    ///
    /// An implementer MUST report each such job once, from whichever call notices the expiry. The default returns `None`: such
    /// discards are then not reported.
    fn expiry_feed(&self) -> Option<&ExpiryFeed> {
        None
    }

    /// Returns a description of the backend for log lines, with the failures that an acknowledged push survives: ``SQLite file
    /// `jobs.db`; an acknowledged push survives a power cut``.
    ///
    /// It MUST NOT contain a password. The default is the name of the type.
    fn description(&self) -> String {
        std::any::type_name::<Self>().to_owned()
    }
}

/// The result of pushing one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Receipt {
    /// The job is stored.
    Stored(JobId),
    /// The job was not stored: this job holds its unique key.
    Existing(JobId),
    /// The job was not stored: this waiting job, which holds its unique key, was updated.
    Replaced(JobId),
}

impl Receipt {
    /// Returns the id of the job that is stored now: the pushed job, or the existing one.
    #[must_use]
    pub const fn id(self) -> JobId {
        match self {
            Self::Stored(id) | Self::Existing(id) | Self::Replaced(id) => id,
        }
    }
}

/// The arguments of a claim.
///
/// ```
/// use queue_core::Demand;
/// use std::time::Duration;
///
/// let demand = Demand::new("mail", 10).lease(Duration::from_secs(60)).wait(Duration::from_secs(5));
///
/// assert_eq!(demand.max, 10);
/// assert_eq!(demand.wait, Some(Duration::from_secs(5)));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Demand {
    /// The queues to claim from, in order of preference.
    pub queues: Vec<QueueName>,
    /// The maximum number of jobs; at least one.
    pub max: usize,
    /// The maximum number of jobs from queues with limits: the number that can start at once. `None` sets no other maximum than
    /// `max`.
    pub startable: Option<usize>,
    /// The length of the leases.
    pub lease: Duration,
    /// How long to wait for a job. `None` waits for ever; zero does not wait.
    pub wait: Option<Duration>,
    /// The signal that ends the claim; `None` means that there is none.
    pub stop: Option<StopSignal>,
    /// The claimer: [`JobRecord::claimed_by`] of the leased jobs.
    pub worker: Option<WorkerId>,
    /// The job to store if one of the claimed jobs is discarded before it is claimed again, unless that job has its own setting.
    pub on_discard: Option<Arc<OnDiscard>>,
}

impl Demand {
    /// Creates a demand for up to `max` jobs of one queue, with a lease of 30 s and no limit on the wait.
    ///
    /// A `max` of zero means one.
    pub fn new(queue: impl Into<QueueName>, max: usize) -> Self {
        Self::of([queue.into()], max)
    }

    /// Creates a demand for up to `max` jobs of several queues, in that order. A `max` of zero means one.
    pub fn of(queues: impl IntoIterator<Item = QueueName>, max: usize) -> Self {
        let queues = queues.into_iter().collect();
        Self {
            queues,
            max: max.max(1),
            startable: None,
            lease: Lease::DEFAULT_LENGTH,
            wait: None,
            stop: None,
            worker: None,
            on_discard: None,
        }
    }

    /// Sets the maximum number of jobs from queues with limits: a place under a limit is not for a job that waits in a buffer.
    /// Zero means one.
    #[must_use]
    pub fn startable(mut self, jobs: usize) -> Self {
        self.startable = Some(jobs.max(1));
        self
    }

    /// Returns the maximum number of jobs from a queue: `max`, or less if the queue has limits.
    #[must_use]
    pub fn max_from(&self, has_limits: bool) -> usize {
        self.startable.filter(|_| has_limits).map_or(self.max, |startable| startable.min(self.max))
    }

    /// Sets the length of the leases.
    #[must_use]
    pub fn lease(mut self, length: Duration) -> Self {
        self.lease = length;
        self
    }

    /// Sets the job to store if one of the claimed jobs is discarded before it is claimed again, unless that job has its own setting.
    #[must_use]
    pub fn on_discard(mut self, on_discard: Arc<OnDiscard>) -> Self {
        self.on_discard = Some(on_discard);
        self
    }

    /// Sets how long to wait for a job.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }

    /// Sets the signal that ends the claim.
    #[must_use]
    pub fn stop(mut self, signal: &StopSignal) -> Self {
        self.stop = Some(signal.clone());
        self
    }

    /// Sets the worker that claims.
    #[must_use]
    pub fn worker(mut self, worker: impl Into<WorkerId>) -> Self {
        self.worker = Some(worker.into());
        self
    }

    /// Returns whether the claimer has stopped the claim.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|signal| {
            signal.note_listener();
            signal.has_fired()
        })
    }

    /// Waits until the claimer stops the claim; for ever, if the demand has no signal. The future owns its data.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again at any time.
    pub fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let stopped = self.stop.as_ref().map(|signal| {
            signal.note_listener();
            signal.fired()
        });
        async move {
            match stopped {
                Some(stopped) => stopped.await,
                None => std::future::pending().await,
            }
        }
    }
}

/// A job that is leased to one worker.
#[derive(Clone)]
#[non_exhaustive]
pub struct Delivery {
    /// The lease under which the worker runs the job.
    pub lease: Lease,
    /// The kind of job.
    pub name: JobName,
    /// The queue it was in.
    pub queue: QueueName,
    /// The part of the queue to which it belongs.
    pub partition: Partition,
    /// The body.
    pub body: Body,
    /// The meta.
    pub meta: Meta,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// The maximum number of attempts.
    pub max_attempts: u32,
    /// The priority.
    pub priority: i32,
    /// When it was stored.
    pub pushed_at: Timestamp,
    /// When it became ready.
    pub run_at: Timestamp,
}

impl Delivery {
    /// Creates the delivery of a stored job under a lease.
    #[must_use]
    pub fn new(record: JobRecord, lease: Lease) -> Self {
        Self {
            lease,
            name: record.name,
            queue: record.queue,
            partition: record.partition,
            body: record.body,
            meta: record.meta,
            attempt: record.attempt,
            max_attempts: record.max_attempts,
            priority: record.priority,
            pushed_at: record.pushed_at,
            run_at: record.run_at,
        }
    }

    /// Returns the job's identity.
    #[must_use]
    pub const fn id(&self) -> JobId {
        self.lease.job
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("id", &self.id())
            .field("name", &self.name)
            .field("queue", &self.queue)
            .field("attempt", &self.attempt)
            .field("fence", &self.lease.fence)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}
