//! The kit: an inline executor under virtual time, for deterministic tests of jobs.
//!
//! Everything runs on the caller's task: `executor.rs` claims, runs and settles one job at a time, `drive.rs` polls that work and
//! moves the kit's clock whenever it waits. `Progress` is behind a mutex because job code may call the kit; no lock is held
//! across an await or while job code runs.

mod ambient_clock;
mod builder;
mod drive;
mod error;
mod executor;
mod replay;
mod store;

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use queue_core::{AttemptRunner, Clock as _, Job, JobId, JobRecord, Jobs, Timestamp};

pub use builder::TestKitBuilder;
pub use error::KitError;
pub use store::KitQueue;

use executor::{AttemptLog, Held};

use crate::clock::VirtualClock;
use crate::crash::Plan;
use crate::fault::Faults;
use crate::report::{AttemptReport, Run};

/// Runs jobs one at a time, on the caller's task and under virtual time, through the code that runs them in production.
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
/// Inside a current-thread tokio runtime the kit uses tokio's paused time (and pauses it, if `start_paused` was not set), so
/// `tokio::time` in a job agrees with the kit. Anywhere else the kit has a clock of its own. When a job waits, that clock jumps
/// to the next instant at which something is due. So a job there must not wait for a real event while it has a timeout, because
/// the timeout would be due at once.
pub struct TestKit {
    queue: KitQueue,
    clock: VirtualClock,
    runner: AttemptRunner,
    jobs: Jobs,
    limit: usize,
    horizon: Duration,
    seed: Option<u64>,
    log: Arc<AttemptLog>,
    state: Mutex<Progress>,
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
    /// Starts a kit for these jobs.
    #[expect(clippy::new_ret_no_self, reason = "a kit is set up in one expression that begins with its name")]
    pub fn new(jobs: Jobs) -> TestKitBuilder {
        TestKitBuilder::new(jobs)
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
    pub fn clock(&self) -> &VirtualClock {
        &self.clock
    }

    /// Returns the present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Runs the next job that is ready. Returns `None` if there is none.
    ///
    /// # Errors
    ///
    /// If the queue refuses an operation permanently.
    pub async fn step(&self) -> Result<Option<AttemptReport>, KitError> {
        self.drive(self.next_attempt()).await
    }

    /// Runs jobs and moves the clock to the next due job, until no job is due within the horizon.
    ///
    /// # Errors
    ///
    /// If the queue refuses an operation permanently, a job's name is unknown to the kit, or the limit of attempts is reached, for
    /// example by an endless chain of jobs.
    pub async fn run_until_idle(&self) -> Result<Run, KitError> {
        let end = self.now().saturating_add(self.horizon);
        self.run_to(end, Until::Idle).await
    }

    /// Runs the jobs that become due within `time`, and leaves the clock at its end.
    ///
    /// # Errors
    ///
    /// Those of [`run_until_idle`](Self::run_until_idle), apart from an unknown name: such a job waits and is claimed again, as in
    /// production.
    pub async fn run_for(&self, time: Duration) -> Result<Run, KitError> {
        let end = self.now().saturating_add(time);
        self.run_to(end, Until::End).await
    }

    /// Moves the clock without running anything.
    pub async fn advance(&self, by: Duration) {
        self.clock.pass(by).await;
    }

    /// Returns all jobs that the queue holds, in push order, finished jobs included.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobRecord> {
        self.records()
    }

    /// Returns the payloads of all unfinished jobs of type `J`, in push order.
    #[must_use]
    pub fn all_enqueued<J: Job>(&self) -> Vec<J> {
        self.records()
            .iter()
            .filter(|record| record.name == J::NAME && !record.state.is_finished())
            .filter_map(|record| record.body.decode().ok())
            .collect()
    }

    /// Runs the block and returns the unfinished jobs that it enqueued.
    pub async fn enqueued_by<F: Future>(&self, block: F) -> Enqueued<F::Output> {
        let before: HashSet<JobId> = self.records().iter().map(|record| record.id).collect();
        let output = self.drive(block).await;
        let mut jobs = self.records();
        jobs.retain(|record| !before.contains(&record.id) && !record.state.is_finished());
        Enqueued { jobs, output }
    }

    /// Returns the report of everything that ran so far.
    #[must_use]
    pub fn report(&self) -> Run {
        let attempts = self.progress().attempts.clone();
        Run::new(attempts, self.waiting())
    }

    /// Sets the plan that records the following runs and crashes them.
    pub(crate) fn follow(&self, plan: Arc<Plan>) {
        self.progress().plan = Some(plan);
    }

    pub(crate) fn records(&self) -> Vec<JobRecord> {
        self.queue.records()
    }

    fn waiting(&self) -> Vec<JobRecord> {
        let mut jobs = self.records();
        jobs.retain(|record| !record.state.is_finished());
        jobs
    }

    async fn run_to(&self, end: Timestamp, until: Until) -> Result<Run, KitError> {
        let first = self.progress().attempts.len();
        loop {
            if let Some(report) = self.step().await? {
                if until == Until::Idle && report.is_of_unknown_job() {
                    return Err(KitError::Unknown { name: report.facts.name });
                }
                let ran = self.progress().attempts.len() - first;
                let waiting = if ran >= self.limit { self.waiting() } else { Vec::new() };
                if waiting.iter().any(|job| job.run_at <= end) {
                    return Err(KitError::endless(ran, &waiting));
                }
                continue;
            }
            match self.queue.next_due().filter(|due| *due <= end) {
                Some(due) => self.clock.pass(due.since(self.now())).await,
                None => break,
            }
        }
        if until == Until::End {
            self.clock.pass(end.since(self.now())).await;
        }
        let attempts = self.progress().attempts.get(first..).map(<[_]>::to_vec).unwrap_or_default();
        Ok(Run::new(attempts, self.waiting()))
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a run ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// When no job is due any more.
    Idle,
    /// At a fixed time.
    End,
}

/// The jobs that a block of code enqueued.
#[derive(Debug)]
pub struct Enqueued<T> {
    /// The jobs, in push order.
    pub jobs: Vec<JobRecord>,
    /// The block's output.
    pub output: T,
}

impl<T> Enqueued<T> {
    /// Returns the payloads of the jobs of type `J`.
    #[must_use]
    pub fn of<J: Job>(&self) -> Vec<J> {
        let of_kind = self.jobs.iter().filter(|record| record.name == J::NAME);
        of_kind.filter_map(|record| record.body.decode().ok()).collect()
    }
}

impl Drop for TestKit {
    fn drop(&mut self) {
        if let Some(seed) = self.seed.filter(|_| std::thread::panicking()) {
            tell(&format!("this run had the seed {seed}: `TestKit::new(..).seed({seed})` repeats it"));
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
