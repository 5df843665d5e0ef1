//! The storage contract.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::contract::body::Body;
use crate::contract::clock::Timestamp;
use crate::contract::error::QueueError;
use crate::contract::id::JobId;
use crate::contract::job::{Meta, NewJob};
use crate::contract::lease::{Lease, Renewal};
use crate::contract::name::{JobName, QueueName};
use crate::contract::record::JobRecord;
use crate::contract::settlement::{Settled, Settlement};
use crate::contract::stop::StopSignal;

/// Stores jobs, orders them, leases them and wakes those who wait for them.
///
/// A queue never decides on retries and never runs code: which state an attempt's end leads to is computed before,
/// and handed down as a [`Settlement`]. It delivers at least once.
///
/// # What an implementer holds to
///
/// Every method MUST be cancel-safe and MUST take effect as a whole or not at all.
/// An implementer MUST call [`Limits::check`](crate::Limits::check) on each batch before it stores anything.
/// Time MUST be the backend's own, so that machines whose clocks differ agree.
/// `queue_testkit::conformance!` holds an implementation to all of this, law by law.
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// Stores a batch, all of it or nothing, and answers with one receipt for each job, in order.
    ///
    /// A job whose id is known already is not stored again and its receipt says what the first one's said,
    /// so a push may be repeated after an answer was lost. An empty batch succeeds.
    ///
    /// # Errors
    ///
    /// `Invalid` names the job's place in the batch, the field, its size and the limit.
    /// `Unsupported` for a closure where bytes are stored. `Closed`. `Unavailable`.
    /// A bounded queue waits for room, and answers `Invalid` to a batch that is larger than its bound.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the whole batch stored or none of it.
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError>;

    /// Takes the job and stores it as [`push`](Queue::push) would, if that takes no waiting.
    ///
    /// It MUST take the job if it answers, and leave it where it is if it doesn't.
    /// It spares a queue in memory a future and two lists for each job. By default every job is left.
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
    /// An empty answer means that `demand.wait` passed, or that the claim was stopped; it is not an error.
    ///
    /// When [`demand.stop`](Demand::stop) fires, the claim MUST answer without waiting any longer: with the jobs that it has
    /// leased by then, or with none. A claim that begins after that MUST lease nothing. A claimer that ends awaits this
    /// answer instead of dropping the future, so that it knows of every lease and can release it before it returns.
    /// Wait for [`Demand::stopped`] beside everything else that the claim waits for, or check [`Demand::is_stopped`] at least
    /// every few milliseconds. A decorator passes the demand on and has nothing else to do.
    ///
    /// # Errors
    ///
    /// `Closed`, also for those who wait at that moment. `Unavailable`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: what was leased and never received is released, not left to expire.
    /// The release may happen after the drop has returned.
    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError>;

    /// Extends leases, each by its own length from now, and says of each whether it still holds.
    ///
    /// # Errors
    ///
    /// `Unavailable`. A lease that was lost is an answer, no error.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may or may not have extended them; both are harmless.
    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Renewal>, QueueError>;

    /// Ends attempts. A settlement under a lost lease changes nothing and comes back as [`Settled::Stale`].
    ///
    /// Each transition and its followups are one atomic step; the settlements of a batch are independent of one another.
    /// Followups never wait for room, and one whose unique key is taken is not stored; that is no error.
    ///
    /// It MUST NOT wait for a transaction of an application, which may stay open for long: a settlement that needs a job or a
    /// key which such a transaction holds is [`Settled::Blocked`], and the others of the batch are settled.
    ///
    /// # Errors
    ///
    /// `Invalid` if a followup is beyond a limit: then nothing of the batch was applied.
    /// `Unavailable`: the caller may repeat the call, since a settlement that was applied comes back as stale.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may or may not have applied them, each as a whole.
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError>;
}

/// A shared queue is a queue.
#[async_trait]
impl<Q: Queue + ?Sized> Queue for Arc<Q> {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        (**self).push(jobs).await
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        (**self).push_at_once(job)
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        (**self).claim(demand).await
    }

    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Renewal>, QueueError> {
        (**self).renew(leases).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        (**self).settle(settlements).await
    }
}

/// What became of a job that was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Receipt {
    /// It is stored.
    Stored(JobId),
    /// Nothing was stored: this job holds its unique key.
    Existing(JobId),
    /// Nothing was stored: this waiting job, which holds its unique key, was updated.
    Replaced(JobId),
}

impl Receipt {
    /// Gives the job that is stored now: the pushed one, or the one that was there.
    #[must_use]
    pub const fn id(self) -> JobId {
        match self {
            Self::Stored(id) | Self::Existing(id) | Self::Replaced(id) => id,
        }
    }
}

/// What a claimer asks for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Demand {
    /// The queues to take from, filled in this order.
    pub queues: Vec<QueueName>,
    /// How many jobs at most; at least one.
    pub max: usize,
    /// How long the leases are.
    pub lease: Duration,
    /// How long to wait for a job; `None` waits for ever, zero doesn't wait.
    pub wait: Option<Duration>,
    /// Ends the claim when it fires; `None` means that nothing does.
    pub stop: Option<StopSignal>,
}

impl Demand {
    /// Asks for up to `max` jobs of one queue, with a lease of 30 s, and waits for ever. A `max` of zero is taken as one.
    pub fn new(queue: impl Into<QueueName>, max: usize) -> Self {
        Self::of([queue.into()], max)
    }

    /// Asks for up to `max` jobs of several queues, in that order. A `max` of zero is taken as one.
    pub fn of(queues: impl IntoIterator<Item = QueueName>, max: usize) -> Self {
        let queues = queues.into_iter().collect();
        Self { queues, max: max.max(1), lease: Lease::DEFAULT_LENGTH, wait: None, stop: None }
    }

    /// Sets the length of the leases.
    #[must_use]
    pub fn lease(mut self, length: Duration) -> Self {
        self.lease = length;
        self
    }

    /// Bounds the wait.
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

    /// Returns whether the claimer has asked the claim to end.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|signal| {
            signal.note_listener();
            signal.has_fired()
        })
    }

    /// Waits until the claimer asks the claim to end; for ever, if the demand has no signal. The future owns what it needs.
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

/// A job in the hands of one worker, with the lease that makes it so.
#[derive(Clone)]
#[non_exhaustive]
pub struct Delivery {
    /// The right to work on it.
    pub lease: Lease,
    /// The kind of job.
    pub name: JobName,
    /// The queue it was in.
    pub queue: QueueName,
    /// What it carries.
    pub body: Body,
    /// Words that travel with it.
    pub meta: Meta,
    /// The attempt that this is, from 1.
    pub attempt: u32,
    /// How often it is tried at most.
    pub max_attempts: u32,
    /// Its priority.
    pub priority: i32,
    /// When it was stored.
    pub pushed_at: Timestamp,
    /// When it became ready.
    pub run_at: Timestamp,
    /// When it came to hand, by the worker's clock; whoever keeps it before it is worked on says so here.
    pub received_at: Option<Timestamp>,
}

impl Delivery {
    /// Delivers a stored job under a lease.
    #[must_use]
    pub fn new(record: JobRecord, lease: Lease) -> Self {
        Self {
            lease,
            name: record.name,
            queue: record.queue,
            body: record.body,
            meta: record.meta,
            attempt: record.attempt,
            max_attempts: record.max_attempts,
            priority: record.priority,
            pushed_at: record.pushed_at,
            run_at: record.run_at,
            received_at: None,
        }
    }

    /// Gives the job's identity.
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
