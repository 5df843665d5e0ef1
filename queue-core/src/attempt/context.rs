//! What a job may know of its own attempt, and say.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::attempt::interrupt::Interrupt;
use crate::attempt::observe::{Event, JobFacts, Observer};
use crate::attempt::runtime::Blocking;
use crate::contract::body::Body;
use crate::contract::clock::{Clock, Timestamp};
use crate::contract::id::JobId;
use crate::contract::job::{IntoJob, Meta, NewJob};
use crate::contract::lease::Fence;
use crate::contract::name::{JobName, QueueName};
use crate::contract::queue::{Delivery, Queue};
use crate::contract::settlement::{Settlement, Transition};

/// An attempt as its job sees it: take it with `#[inject] context: &JobContext`.
///
/// Cheap to clone; whoever keeps it keeps the job's payload, its queue and all services. So a service or a job in memory that
/// keeps one keeps itself, for ever.
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
pub struct JobContext(Arc<Shared>);

struct Shared {
    delivery: Delivery,
    /// In microseconds; [`NOT_YET`] until the attempt begins.
    started_at: AtomicI64,
    interrupt: Interrupt,
    followups: Mutex<Vec<NewJob>>,
    is_completing: AtomicBool,
    is_completed: AtomicBool,
    waits: Mutex<Waits>,
    /// Whether its services are being disposed.
    is_closing: AtomicBool,
    home: Arc<Home>,
}

/// The time that the attempt has waited for resources.
#[derive(Default)]
struct Waits {
    /// The number of waits that go on, and the beginning of the first of them.
    open: usize,
    since: Timestamp,
    /// The time of those that are over.
    over: Duration,
}

/// No attempt began at the beginning of time.
const NOT_YET: i64 = i64::MIN;

impl Shared {
    fn clear(&mut self) {
        self.delivery.body = Body::NULL;
        self.delivery.meta = Meta::new();
        self.started_at = AtomicI64::new(NOT_YET);
        self.interrupt = Interrupt::default();
        self.followups = Mutex::default();
        self.is_completing = AtomicBool::new(false);
        self.is_completed = AtomicBool::new(false);
        self.waits = Mutex::default();
        self.is_closing = AtomicBool::new(false);
    }
}

/// What all attempts of a runner share.
pub(crate) struct Home {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) environment: Environment,
    /// Whether middleware stands around the jobs.
    pub(crate) is_layered: bool,
}

/// What an attempt needs from outside: time, threads and someone who looks on.
#[derive(Clone)]
pub struct Environment {
    /// Tells the time and bounds attempts.
    pub clock: Arc<dyn Clock>,
    /// Runs blocking jobs.
    pub blocking: Arc<dyn Blocking>,
    /// Is told what happens, if anybody looks on.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Environment {
    /// Tells the observer, if there is one, a fact that is put together only then.
    ///
    /// An observer that panics is cut off from that fact and from nothing else.
    pub fn observe(&self, event: impl FnOnce() -> Event) {
        if let Some(observer) = &self.observer {
            let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| observer.observe(&event())));
            if told.is_err() {
                tracing::error!("an observer panicked");
            }
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

impl JobContext {
    /// Makes the context of an attempt at this delivery.
    pub(crate) fn new(delivery: Delivery, home: Arc<Home>) -> Self {
        Self(Arc::new(Shared {
            delivery,
            started_at: AtomicI64::new(NOT_YET),
            interrupt: Interrupt::default(),
            followups: Mutex::new(Vec::new()),
            is_completing: AtomicBool::new(false),
            is_completed: AtomicBool::new(false),
            waits: Mutex::default(),
            is_closing: AtomicBool::new(false),
            home,
        }))
    }

    /// Makes this the context of another attempt, in the same memory if nobody else holds it.
    pub(crate) fn reuse(&mut self, delivery: Delivery, home: &Arc<Home>) {
        match Arc::get_mut(&mut self.0) {
            Some(shared) if Arc::ptr_eq(&shared.home, home) => {
                shared.clear();
                shared.delivery = delivery;
            }
            _ => *self = Self::new(delivery, home.clone()),
        }
    }

    /// Lets go of what an attempt that has ended leaves: its payload, meta, followups and tokens.
    ///
    /// Then the context can be [used again](crate::AttemptRunner::context_in); until then it still tells the old job's
    /// names, identity and lease. `false` if somebody else still holds it, who keeps all that.
    pub fn clear(&mut self) -> bool {
        let shared = Arc::get_mut(&mut self.0);
        shared.map(Shared::clear).is_some()
    }

    /// What was delivered.
    #[must_use]
    pub fn delivery(&self) -> &Delivery {
        &self.0.delivery
    }

    /// The job's identity: the same for every attempt, so a good idempotency key.
    ///
    /// One that an in-memory queue gave differs from those of other runs of the program by 42 random bits; where keys
    /// are kept outside for long, push with an [`id`](NewJob::id) of your own.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.0.delivery.id()
    }

    /// The kind of job.
    #[must_use]
    pub fn name(&self) -> &JobName {
        &self.0.delivery.name
    }

    /// The queue it was in.
    #[must_use]
    pub fn queue(&self) -> &QueueName {
        &self.0.delivery.queue
    }

    /// The attempt that this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.delivery.attempt
    }

    /// How often the job is tried at most.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.0.delivery.max_attempts
    }

    /// How often the job was claimed, this time included.
    #[must_use]
    pub fn fence(&self) -> Fence {
        self.0.delivery.lease.fence
    }

    /// When the job was stored, by the backend's clock.
    #[must_use]
    pub fn pushed_at(&self) -> Timestamp {
        self.0.delivery.pushed_at
    }

    /// When the job became ready, by the backend's clock.
    #[must_use]
    pub fn run_at(&self) -> Timestamp {
        self.0.delivery.run_at
    }

    /// When this attempt began, by the worker's clock; before that, when the job came to hand.
    #[must_use]
    pub fn started_at(&self) -> Timestamp {
        self.begun_at().unwrap_or_else(|| self.received_at())
    }

    /// Notes that the attempt begins now, unless it has begun, and tells when it did.
    ///
    /// [`AttemptRunner::run`](crate::AttemptRunner::run) does this; whoever needs to know the time before does it first.
    pub fn start(&self) -> Timestamp {
        if let Some(begun) = self.begun_at() {
            return begun;
        }
        let now = self.now();
        self.0.started_at.store(now.as_micros(), Ordering::Relaxed);
        now
    }

    fn begun_at(&self) -> Option<Timestamp> {
        let at = self.0.started_at.load(Ordering::Relaxed);
        (at != NOT_YET).then(|| Timestamp::from_micros(at))
    }

    /// When the job came to hand, by the worker's clock.
    fn received_at(&self) -> Timestamp {
        self.0.delivery.received_at.or(self.begun_at()).unwrap_or_else(|| self.now())
    }

    /// The present instant, by the worker's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.home.environment.clock.now()
    }

    /// The words that were pushed with the job.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.0.delivery.meta
    }

    /// The token that fires when the job should stop: at shutdown, when it was cancelled, when its lease was lost.
    #[must_use]
    pub fn token(&self) -> &CancellationToken {
        self.0.interrupt.token()
    }

    /// Waits, by the clock that bounds this attempt, so that a test needn't wait.
    ///
    /// With `Duration::ZERO`, it ends at once. With `Duration::MAX`, it ends with the attempt: at its timeout, or when it is cut
    /// short.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any time.
    pub async fn sleep(&self, duration: Duration) {
        self.0.home.environment.clock.sleep(duration).await;
    }

    /// Waits for a resource, such as a connection of a pool, while the attempt's timeout stands still.
    ///
    /// A service that a job depends on uses it, so that a wait for other jobs is not taken for slow work of this one. It does
    /// not end the wait: bound it, and end it when the [`token`](Self::token) fires.
    ///
    /// # Cancel safety
    ///
    /// As `future`. The timeout goes on when the wait ends, whether it is over or dropped.
    pub async fn waiting<T>(&self, future: impl Future<Output = T>) -> T {
        let _wait = Wait::begin(self);
        future.await
    }

    /// Returns the time that the attempt has waited so far, and whether it waits now.
    pub(crate) fn waited(&self) -> (Duration, bool) {
        let waits = self.0.waits.lock().unwrap_or_else(PoisonError::into_inner);
        match waits.open {
            0 => (waits.over, false),
            _ => (waits.over.saturating_add(self.now().since(waits.since)), true),
        }
    }

    /// Has a job stored in the same atomic step as this one's completion, and not at all if this one fails.
    ///
    /// Use this rather than to enqueue from inside a job: it can neither lose nor double the next link of a chain,
    /// and it never waits for room in a bounded queue.
    pub fn then(&self, job: impl IntoJob) {
        self.0.followups.lock().unwrap_or_else(PoisonError::into_inner).push(job.into_job());
    }

    /// Tells whoever looks on how far the job is, in percent and in words. More than 100 is taken as 100.
    pub fn progress(&self, percent: u8, note: impl Into<String>) {
        let note = note.into();
        self.0.home.environment.observe(|| Event::Progressed {
            job: self.facts(),
            percent: percent.min(100),
            note,
        });
    }

    /// How this attempt is recorded if it succeeds, followups and all: for a unit of work that commits the job's effects
    /// and its completion at once, and then says so by [`note_completed`](Self::note_completed).
    #[must_use]
    pub fn completion(&self) -> Settlement {
        self.0.is_completing.store(true, Ordering::SeqCst);
        let (lease, followups) = (self.0.delivery.lease.clone(), self.followups());
        Settlement { lease, transition: Transition::Complete, followups }
    }

    /// Notes that a unit of work has recorded the [`completion`](Self::completion). It stands, whatever comes after.
    pub fn note_completed(&self) {
        self.0.is_completed.store(true, Ordering::SeqCst);
    }

    /// Notes whether the services of the attempt are being disposed.
    pub(crate) fn note_closing(&self, is_closing: bool) {
        self.0.is_closing.store(is_closing, Ordering::SeqCst);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.0.is_closing.load(Ordering::SeqCst)
    }

    /// Returns whether a unit of work has asked for the [`completion`](Self::completion), to record it.
    #[must_use]
    pub fn is_completing(&self) -> bool {
        self.0.is_completing.load(Ordering::SeqCst)
    }

    /// Returns whether a unit of work has recorded the [`completion`](Self::completion).
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.0.is_completed.load(Ordering::SeqCst)
    }

    /// The present instant by the backend's clock, as far as it can be known here: what its clock said at the claim, and
    /// what has passed since. So a worker whose clock is wrong by an hour retries no job an hour late.
    pub(crate) fn backend_now(&self) -> Timestamp {
        let (lease, now) = (&self.0.delivery.lease, self.now());
        if lease.expires_at == Timestamp::MAX {
            return now;
        }
        let claimed_at = lease.expires_at.saturating_sub(lease.length);
        claimed_at.saturating_add(now.since(self.received_at()))
    }

    /// Gives the followups, with identities that are the same however often they are asked for.
    pub(crate) fn followups(&self) -> Vec<NewJob> {
        let mut followups = self.0.followups.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (nth, followup) in followups.iter_mut().enumerate() {
            followup.id.get_or_insert_with(|| self.id().followup(self.fence().0, nth));
        }
        followups
    }

    /// The attempt's interrupt.
    #[must_use]
    pub fn interrupt(&self) -> &Interrupt {
        &self.0.interrupt
    }

    /// What's told about the job.
    pub(crate) fn facts(&self) -> JobFacts {
        JobFacts::from(&self.0.delivery)
    }

    pub(crate) fn home(&self) -> &Home {
        &self.0.home
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.0.home.environment
    }
}

/// A wait for a resource, which is over when this is dropped.
struct Wait<'a>(&'a JobContext);

impl<'a> Wait<'a> {
    fn begin(context: &'a JobContext) -> Self {
        let now = context.now();
        let mut waits = context.0.waits.lock().unwrap_or_else(PoisonError::into_inner);
        if waits.open == 0 {
            waits.since = now;
        }
        waits.open += 1;
        Self(context)
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let now = self.0.now();
        let mut waits = self.0.0.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.open = waits.open.saturating_sub(1);
        if waits.open == 0 {
            waits.over = waits.over.saturating_add(now.since(waits.since));
        }
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
