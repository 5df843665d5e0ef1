//! The view that a job has of its own attempt.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::attempt::environment::Environment;
use crate::attempt::interrupt::{Interrupt, InterruptReason};
use crate::attempt::observe::{Event, JobFacts};
use crate::attempt::outcome::Outcome;
use crate::attempt::reports::JobReports;
use crate::attempt::waits::Waits;
use crate::contract::body::Body;
use crate::contract::clock::Timestamp;
use crate::contract::id::JobId;
use crate::contract::job::{IntoJob, Meta, NewJob};
use crate::contract::lease::Fence;
use crate::contract::name::{JobName, QueueName};
use crate::contract::progress::JobProgress;
use crate::contract::queue::{Delivery, Queue};
use crate::contract::result::StoredResult;

/// The context of an attempt. A job takes it with `#[inject] context: &JobContext`.
///
/// Cheap to clone. A clone keeps the payload, the queue and all services alive; storing it in a service, or in a job in memory,
/// creates a reference cycle that is never freed.
///
/// ```
/// use queue_core::{background_job, JobContext};
///
/// #[background_job]
/// async fn pack(order: u64) {}
///
/// #[background_job]
/// async fn pay(#[inject] context: &JobContext, order: u64) {
///     if context.attempt() == 1 {
///         context.progress(50, "paying");
///     }
///     context.then(pack::new(order)); // stored together with this job's completion, or not at all
/// }
/// ```
#[derive(Clone)]
pub struct JobContext(pub(super) Arc<Shared>);

/// The state of one attempt.
pub(super) struct Shared {
    pub(super) delivery: Delivery,
    /// When the worker received the job, by the worker's clock.
    pub(super) received_at: Timestamp,
    /// In microseconds; [`NOT_YET`] until the attempt begins.
    pub(super) started_at: AtomicI64,
    pub(super) interrupt: Interrupt,
    pub(super) reports: JobReports,
    /// Whether a unit of work has asked for the completion, in order to record it.
    pub(super) is_completing: AtomicBool,
    /// Whether a unit of work has recorded the completion.
    pub(super) is_completed: AtomicBool,
    waits: Waits,
    /// Whether its services are being disposed.
    is_closing: AtomicBool,
    pub(super) runner: Arc<RunnerState>,
}

/// Stands for an attempt that has not begun. No attempt begins at this instant.
pub(super) const NOT_YET: i64 = i64::MIN;

impl Shared {
    /// Drops payload, meta, reports and tokens.
    pub(super) fn clear(&mut self) {
        self.delivery.body = Body::NULL;
        self.delivery.meta = Meta::new();
        self.started_at = AtomicI64::new(NOT_YET);
        self.interrupt = Interrupt::default();
        self.reports = JobReports::default();
        self.is_completing = AtomicBool::new(false);
        self.is_completed = AtomicBool::new(false);
        self.waits = Waits::default();
        self.is_closing = AtomicBool::new(false);
    }
}

/// The state that all attempts of a runner share.
pub(crate) struct RunnerState {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) environment: Environment,
    /// Whether there is middleware around the jobs.
    pub(crate) is_layered: bool,
}

impl JobContext {
    /// Creates the context of an attempt at this delivery.
    pub(super) fn new(delivery: Delivery, received_at: Timestamp, runner: Arc<RunnerState>) -> Self {
        Self(Arc::new(Shared {
            delivery,
            received_at,
            started_at: AtomicI64::new(NOT_YET),
            interrupt: Interrupt::default(),
            reports: JobReports::default(),
            is_completing: AtomicBool::new(false),
            is_completed: AtomicBool::new(false),
            waits: Waits::default(),
            is_closing: AtomicBool::new(false),
            runner,
        }))
    }

    /// Returns the delivery.
    #[must_use]
    pub fn delivery(&self) -> &Delivery {
        &self.0.delivery
    }

    /// Returns the job's identity. It is the same for every attempt, so it can serve as an idempotency key.
    ///
    /// An identity that an in-memory queue created differs from those of other runs of the program by 42 random bits. If
    /// idempotency keys are kept outside for a long time, push with an [`id`](NewJob::id) of your own.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.0.delivery.id()
    }

    /// Returns the kind of job.
    #[must_use]
    pub fn name(&self) -> &JobName {
        &self.0.delivery.name
    }

    /// Returns the queue from which the job was claimed.
    #[must_use]
    pub fn queue(&self) -> &QueueName {
        &self.0.delivery.queue
    }

    /// Returns the number of this attempt, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.delivery.attempt
    }

    /// Returns the maximum number of attempts.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.0.delivery.max_attempts
    }

    /// Returns how many times the job was claimed, including this time.
    #[must_use]
    pub fn fence(&self) -> Fence {
        self.0.delivery.lease.fence
    }

    /// Returns when the job was stored, by the backend's clock.
    #[must_use]
    pub fn pushed_at(&self) -> Timestamp {
        self.0.delivery.pushed_at
    }

    /// Returns when the job became ready, by the backend's clock.
    #[must_use]
    pub fn run_at(&self) -> Timestamp {
        self.0.delivery.run_at
    }

    /// Returns when this attempt began, by the worker's clock. Before it begins, returns when the worker received the job.
    #[must_use]
    pub fn started_at(&self) -> Timestamp {
        self.begun_at().unwrap_or(self.0.received_at)
    }

    pub(super) fn begun_at(&self) -> Option<Timestamp> {
        let at = self.0.started_at.load(Ordering::Relaxed);
        (at != NOT_YET).then(|| Timestamp::from_micros(at))
    }

    /// Returns the current instant, by the worker's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.runner.environment.clock.now()
    }

    /// Returns the meta that was pushed with the job.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.0.delivery.meta
    }

    /// Returns the token that fires when the job must stop: at shutdown, when it is cancelled, or when its lease is lost.
    ///
    /// ```
    /// # use queue_core::{background_job, JobContext, JobError};
    /// #[background_job]
    /// async fn import(#[inject] context: &JobContext, rows: u32) -> Result<(), JobError> {
    ///     for _row in 0..rows {
    ///         if context.token().is_cancelled() {
    ///             return Err(JobError::transient("interrupted")); // this attempt is not counted
    ///         }
    ///         // … import the row
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn token(&self) -> &CancellationToken {
        self.0.interrupt.token()
    }

    /// Returns why the job must stop, once the [`token`](Self::token) has fired for a shutdown, a cancellation or a lost lease.
    ///
    /// At the attempt's own timeout the token fires without a reason.
    #[must_use]
    pub fn interrupt_reason(&self) -> Option<&InterruptReason> {
        self.0.interrupt.reason()
    }

    /// Waits by the clock that bounds this attempt, so that a test under virtual time does not really wait.
    ///
    /// With `Duration::ZERO`, it returns immediately. With `Duration::MAX`, it ends with the attempt: at its timeout, or when the
    /// attempt is aborted.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any time.
    pub async fn sleep(&self, duration: Duration) {
        self.0.runner.environment.clock.sleep(duration).await;
    }

    /// Waits for a resource, such as a connection of a pool, while the attempt's timeout is paused.
    ///
    /// Services use it while they wait for other jobs, so that the wait is not counted as slow work of this job. It does not end
    /// the wait: the caller must bound the wait, and end it when the [`token`](Self::token) fires.
    ///
    /// # Cancel safety
    ///
    /// The same as that of `future`. The timeout resumes when the wait ends, also when the future is dropped.
    pub async fn waiting<T>(&self, future: impl Future<Output = T>) -> T {
        let _wait = self.0.waits.begin(self.environment());
        future.await
    }

    /// Returns how long the attempt has waited so far, and whether it is waiting now.
    pub(crate) fn waited(&self) -> (Duration, bool) {
        self.0.waits.total(self.now())
    }

    /// Adds a followup: a job that is stored in the same atomic step as this job's completion, and is not stored if this job
    /// fails.
    ///
    /// Use this instead of enqueueing from inside a job. It neither loses nor duplicates the next job of a chain, and it never
    /// waits for capacity in a bounded queue.
    ///
    /// The followup inherits the [`meta`](Self::meta) of this job, such as a trace context or a tenant, apart from the keys that it
    /// sets itself: see [`Meta::inherit`].
    pub fn then(&self, job: impl IntoJob) {
        self.0.reports.add_followup(job.into_job());
    }

    /// Sets a meta key of all followups of this attempt that do not set it themselves, instead of the value that they would
    /// inherit from this job.
    ///
    /// It is meant for middleware. For example, `queue-otel` sets the trace context of the attempt, because the job's own meta has the
    /// trace context of its producer.
    pub fn set_followup_meta(&self, key: impl Into<String>, value: impl Into<String>) {
        self.0.reports.set_followup_meta(key.into(), value.into());
    }

    /// Reports the job's progress, in percent and in words. Values above 100 count as 100.
    ///
    /// Observers of this process receive each report at once. The next renewal of the job's lease stores the latest report, without an
    /// extra call of the queue. So [`Admin::get`](crate::Admin::get) shows it in any process within a renewal interval, which is a
    /// third of the lease, until the attempt ends.
    pub fn progress(&self, percent: u8, note: impl Into<String>) {
        let progress = JobProgress::new(percent, note);
        self.environment().observe(|| Event::Progressed {
            job: self.facts(),
            percent: progress.percent(),
            note: progress.note().to_owned(),
        });
        self.0.reports.set_progress(progress);
    }

    /// Passes an event about this attempt to the observers of its service. For code that extends the framework.
    pub fn observe(&self, event: impl FnOnce(JobFacts) -> Event) {
        self.environment().observe(|| event(self.facts()));
    }

    /// Notes whether the services of the attempt are being disposed.
    pub(crate) fn note_closing(&self, is_closing: bool) {
        self.0.is_closing.store(is_closing, Ordering::SeqCst);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.0.is_closing.load(Ordering::SeqCst)
    }

    /// Returns an estimate of the current instant by the backend's clock: the backend's time at the claim, plus the time since
    /// then. A worker whose clock is wrong by an hour therefore does not retry a job an hour late.
    pub(crate) fn backend_now(&self) -> Timestamp {
        let now = self.now();
        let claimed_at = self.0.delivery.lease.claimed_at();
        claimed_at.map_or(now, |claimed_at| claimed_at.saturating_add(now.since(self.0.received_at)))
    }

    /// Sets the result of the job, if the attempt returned one, and returns the attempt's outcome.
    pub(crate) fn returned(&self, (outcome, result): (Outcome, Option<StoredResult>)) -> Outcome {
        if let Some(result) = result {
            self.0.reports.set_result(result);
        }
        outcome
    }

    /// Returns the result and the followups, which are stored together with the job's completion. Each followup has the meta of
    /// this job, and an identity that is the same at every call.
    pub(crate) fn completion(&self) -> (Option<StoredResult>, Vec<NewJob>) {
        let (result, mut followups, mut meta) = self.0.reports.completion();
        if followups.is_empty() {
            return (result, followups);
        }
        meta.inherit(self.meta());
        for (nth, followup) in followups.iter_mut().enumerate() {
            followup.meta.inherit(&meta);
            followup.id.get_or_insert_with(|| self.id().followup(self.fence().0, nth));
        }
        (result, followups)
    }

    /// Returns the facts about the attempt that events carry.
    pub(crate) fn facts(&self) -> JobFacts {
        JobFacts::from(&self.0.delivery)
    }

    pub(crate) fn runner(&self) -> &RunnerState {
        &self.0.runner
    }

    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.0.interrupt
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.0.runner.environment
    }
}

impl fmt::Debug for JobContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobContext")
            .field("id", &self.id())
            .field("name", self.name())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}
