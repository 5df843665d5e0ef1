//! The kit: an inline executor over any queue, for deterministic tests of jobs.
//!
//! Jobs run on the caller's task. `executor.rs` claims, runs and settles one job at a time. `drive.rs` polls that work, and moves
//! the kit's clock whenever the work waits under virtual time. `timed.rs` moves the clock of the store after the kit's. `aside.rs`
//! has a thread that waits for real time, and that reads the store for the synchronous methods. `Progress` is behind
//! a mutex because job code may call the kit; no lock is held across an await or while job code runs.

mod ambient_clock;
mod aside;
mod blocking;
mod builder;
mod clock;
mod drive;
mod enqueued;
mod error;
mod executor;
mod held;
mod leases;
mod note;
mod records;
mod replay;
mod run;
mod source;
mod store;
mod timed;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use queue_core::backend::Subscription;
use queue_core::{Admin, AttemptRunner, Job, JobId, JobRecord, Jobs, QueueError, Tick, Timestamp};

pub use builder::TestKitBuilder;
pub use clock::KitClock;
pub use enqueued::Enqueued;
pub use error::KitError;
pub use store::KitQueue;

use aside::Aside;
use blocking::Threads;
use executor::AttemptLog;
use held::Held;

use crate::crash::Plan;
use crate::fault::Faults;
use crate::report::{AttemptReport, Run};

/// Runs jobs one at a time, on the caller's task, through the code that runs them in production.
///
/// A kit of [`new`](Self::new) has a queue of its own, and virtual time. A kit of [`over`](Self::over) uses any queue, such as that of
/// the application's database, and real time within an attempt.
///
/// The same seed gives the same run, byte for byte. Every payload is encoded when it is pushed and decoded when it runs.
///
/// ```
/// use queue_core::{background_job, jobs, JobError, QueueExt as _};
/// use queue_testkit::TestKit;
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use std::sync::Arc;
///
/// struct Outages(AtomicU32);
///
/// #[background_job]
/// async fn sync_stock(#[inject] outages: &Outages, sku: &str) -> Result<(), JobError> {
///     if outages.0.fetch_sub(1, Ordering::Relaxed) > 0 { Err("supplier is down")? }
///     Ok(())
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// # queue_testkit::block_on(async {
/// let kit = TestKit::new(jobs![sync_stock]).singleton(Outages(AtomicU32::new(2))).build()?;
/// kit.queue().enqueue(sync_stock::new("A-1")).await?;
///
/// let run = kit.run_until_idle().await?; // backoff passes in virtual time
///
/// assert_eq!(run.attempts_of::<sync_stock>(), 3);
/// kit.assert_completed(&sync_stock::new("A-1"));
/// # Ok(())
/// # })
/// # }
/// ```
///
/// # Time
///
/// Between attempts, the kit moves the time: backoff, delays, leases and schedules pass without waiting. A queue that is passed to
/// `over` must have been opened with a clock for tests: `SqliteQueue::builder(..).clock(VirtualClock::new())`, or
/// `PostgresQueue::builder(..).test_clock(..)`. With any other queue, the kit waits for real, and a wait that would be longer than its
/// [patience](TestKitBuilder::patience) fails the run.
///
/// Within an attempt of a kit of `over`, time is real, so a job may wait for a database or a socket.
/// In a kit of `new`, it is virtual: inside a current-thread tokio runtime the kit uses tokio's paused time (and pauses it, if
/// `start_paused` was not set), so `tokio::time` in a job agrees with the kit; anywhere else the kit has a clock of its own.
/// When a job waits, virtual time jumps to the next instant at which something is due. So under virtual time
/// a job with a timeout must not wait for a real event, because the timeout would be due at once.
/// [`virtual_time`](TestKitBuilder::virtual_time) and [`real_time`](TestKitBuilder::real_time) change the time within an attempt.
pub struct TestKit {
    queue: KitQueue,
    clock: KitClock,
    aside: Aside,
    threads: Threads,
    runner: AttemptRunner,
    jobs: Jobs,
    limit: usize,
    horizon: Duration,
    patience: Duration,
    seed: Option<u64>,
    log: Arc<AttemptLog>,
    /// The time at which the kit was built.
    began: Timestamp,
    state: Mutex<Progress>,
    /// Passes the jobs whose last lease has expired on to the observers.
    _expiries: Option<Subscription>,
}

/// The executor's state between steps.
struct Progress {
    random: fastrand::Rng,
    /// Jobs that were claimed together with the last one, as a fleet of workers would hold them.
    held: VecDeque<Held>,
    /// The job whose attempt runs.
    running: Option<Held>,
    /// When the leases are renewed next.
    renew_at: Timestamp,
    attempts: Vec<AttemptReport>,
    /// Records what runs pass and where the worker crashes, if an exploration set it.
    plan: Option<Arc<Plan>>,
}

impl Progress {
    fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            held: VecDeque::new(),
            running: None,
            renew_at: Timestamp::EPOCH,
            attempts: Vec::new(),
            plan: None,
        }
    }
}

impl TestKit {
    /// Creates the builder of a kit for these jobs, with a queue of its own and virtual time.
    #[expect(clippy::new_ret_no_self, reason = "a kit is set up in one expression that begins with its name")]
    pub fn new(jobs: Jobs) -> TestKitBuilder {
        TestKitBuilder::new(jobs)
    }

    /// Creates the builder of a kit over a queue: in memory, in SQLite, in PostgreSQL, or of any other backend.
    ///
    /// Jobs take real leases and real units of work. Pass the jobs to [`jobs`](TestKitBuilder::jobs).
    ///
    /// ```
    /// use queue_core::{QueueExt as _, background_job, jobs};
    /// use queue_testkit::{ModelQueue, TestKit};
    ///
    /// #[background_job(max_attempts = 2, backoff = fixed("1h"))]
    /// async fn flaky(#[inject] context: &queue_core::JobContext) -> Result<(), &'static str> {
    ///     if context.attempt() == 1 { Err("not yet") } else { Ok(()) }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// # queue_testkit::block_on(async {
    /// let queue = ModelQueue::new(); // or the queue of a database, opened with a clock for tests
    /// let kit = TestKit::over(queue.clone()).jobs(jobs![flaky]).build()?;
    /// queue.enqueue(flaky::new()).await?;
    ///
    /// let run = kit.run_until_idle().await?; // the hour passes without waiting
    ///
    /// assert_eq!(run.attempts().len(), 2);
    /// kit.assert_completed(&flaky::new());
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn over(queue: impl Admin) -> TestKitBuilder {
        TestKitBuilder::over(Arc::new(queue))
    }

    /// Returns the queue, to enqueue to or to pass to the code under test.
    #[must_use]
    pub fn queue(&self) -> &KitQueue {
        &self.queue
    }

    /// Returns the script of the faults to inject into the queue.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        self.queue.faults()
    }

    /// Returns the clock of this kit.
    #[must_use]
    pub fn clock(&self) -> &KitClock {
        &self.clock
    }

    /// Returns the present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.still()
    }

    /// Returns all jobs that the queue holds, in push order, finished jobs included.
    ///
    /// Over a real store, this blocks the calling thread until the store has answered.
    ///
    /// # Panics
    ///
    /// If the store can't be read.
    #[must_use]
    #[track_caller]
    pub fn jobs(&self) -> Vec<JobRecord> {
        self.records()
    }

    /// Returns the payloads of all unfinished jobs of type `J`, in push order.
    ///
    /// # Panics
    ///
    /// If the store can't be read.
    #[must_use]
    #[track_caller]
    pub fn all_enqueued<J: Job>(&self) -> Vec<J> {
        self.records()
            .iter()
            .filter(|record| record.name == J::NAME && !record.state.is_finished())
            .filter_map(|record| record.body.decode().ok())
            .collect()
    }

    /// Returns the report of everything that ran so far.
    ///
    /// # Panics
    ///
    /// If the store can't be read.
    #[must_use]
    #[track_caller]
    pub fn report(&self) -> Run {
        let attempts = self.progress().attempts.clone();
        let mut waiting = self.records();
        waiting.retain(|record| !record.state.is_finished() && !Tick::waits_in(&record.queue));
        Run::new(attempts, waiting)
    }

    /// Sets the plan that records the following runs and crashes them.
    pub(crate) fn follow(&self, plan: Arc<Plan>) {
        self.progress().plan = Some(plan);
    }

    /// Returns all jobs, and blocks the calling thread until the store has answered.
    #[track_caller]
    pub(crate) fn records(&self) -> Vec<JobRecord> {
        readable(self.queue.store().jobs_blocking())
    }

    /// Returns the note on the last attempt of a job.
    pub(crate) fn note_on_job(&self, id: JobId) -> Option<&'static str> {
        self.progress().attempts.iter().rev().find(|attempt| attempt.facts.id == id)?.note
    }

    /// Returns the unfinished jobs, without the ticks of schedules.
    async fn waiting(&self) -> Result<Vec<JobRecord>, KitError> {
        let unfinished = self.queue.store().unfinished().await;
        let mut unfinished =
            unfinished.map_err(|source| KitError::Queue { operation: "list the jobs", source })?;
        unfinished.retain(|job| !Tick::waits_in(&job.queue));
        Ok(unfinished)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the answer of a store.
#[track_caller]
#[expect(clippy::panic, reason = "a test whose store can't be read fails by a panic")]
fn readable<T>(answer: Result<T, QueueError>) -> T {
    match answer {
        Ok(answer) => answer,
        Err(error) => {
            panic!("the kit could not read its queue: {}", queue_core::backend::error_chain(&error))
        }
    }
}

impl Drop for TestKit {
    fn drop(&mut self) {
        if let Some(seed) = self.seed.filter(|_| std::thread::panicking()) {
            tell(&format!("this run had the seed {seed}: `.seed({seed})` on the kit repeats it"));
        }
    }
}

#[expect(clippy::print_stderr, reason = "a failing test shows what was printed")]
fn tell(text: &str) {
    eprintln!("{text}");
}

impl fmt::Debug for TestKit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestKit").field("jobs", &self.jobs).field("seed", &self.seed).finish_non_exhaustive()
    }
}
