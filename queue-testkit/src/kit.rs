//! The kit: an inline executor under virtual time, for deterministic tests of jobs.

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
use crate::explore::Plan;
use crate::fault::Faults;
use crate::report::{AttemptReport, Run};

/// Runs jobs one at a time, on the caller's task, under virtual time, through the very code that runs them in production.
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
/// Inside a current-thread tokio runtime the kit's time is tokio's paused time (and the kit pauses it, if
/// `start_paused` was not set), so `tokio::time` in a job agrees with it. Anywhere else the kit has a clock of its own,
/// and when a job waits, that clock jumps to the next thing that is due: a job there must not wait for anything real
/// while it has a timeout, since the timeout is due at once.
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

/// What the executor remembers between steps.
struct Progress {
    random: fastrand::Rng,
    /// Claimed together with the last job, as a fleet would have.
    held: VecDeque<Held>,
    /// The attempt that runs.
    running: Option<Held>,
    /// When leases are to be renewed.
    renew_at: Timestamp,
    attempts: Vec<AttemptReport>,
    /// Where the worker is to die, if it's explored.
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
    /// Starts to make a kit for these jobs.
    #[expect(clippy::new_ret_no_self, reason = "a kit is set up in one expression that begins with its name")]
    pub fn new(jobs: Jobs) -> TestKitBuilder {
        TestKitBuilder::new(jobs)
    }

    /// The queue: enqueue to it, or hand it to the code under test.
    #[must_use]
    pub fn queue(&self) -> &KitQueue {
        &self.queue
    }

    /// The faults that the queue is to have.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        self.queue.faults()
    }

    /// The clock of this kit.
    #[must_use]
    pub fn clock(&self) -> &VirtualClock {
        &self.clock
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Runs the next job that is ready; `None` if none is.
    ///
    /// # Errors
    ///
    /// The queue refused something for good.
    pub async fn step(&self) -> Result<Option<AttemptReport>, KitError> {
        self.drive(self.next_attempt()).await
    }

    /// Runs jobs, and lets time pass to the next that is due, until nothing is left to do within the horizon.
    ///
    /// # Errors
    ///
    /// The queue refused something for good, or the limit of attempts was reached, as by an endless chain.
    pub async fn run_until_idle(&self) -> Result<Run, KitError> {
        let end = self.now().saturating_add(self.horizon);
        self.run_to(end, false).await
    }

    /// Runs what becomes due in this time, and leaves the clock at its end.
    ///
    /// # Errors
    ///
    /// As [`run_until_idle`](Self::run_until_idle).
    pub async fn run_for(&self, time: Duration) -> Result<Run, KitError> {
        let end = self.now().saturating_add(time);
        self.run_to(end, true).await
    }

    /// Lets time pass without running anything.
    pub async fn advance(&self, by: Duration) {
        self.clock.pass(by).await;
    }

    /// Lists all jobs that the queue holds, finished ones too, in push order.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobRecord> {
        self.records()
    }

    /// Gives the payloads of all unfinished jobs of a kind, in push order.
    #[must_use]
    pub fn all_enqueued<J: Job>(&self) -> Vec<J> {
        self.records()
            .iter()
            .filter(|record| record.name == J::NAME && !record.state.is_finished())
            .filter_map(|record| record.body.decode().ok())
            .collect()
    }

    /// Runs the block and gives just the jobs that it enqueued and that are unfinished.
    pub async fn enqueued_by<F: Future>(&self, block: F) -> Enqueued<F::Output> {
        let before: HashSet<JobId> = self.records().iter().map(|record| record.id).collect();
        let output = self.drive(block).await;
        let mut jobs = self.records();
        jobs.retain(|record| !before.contains(&record.id) && !record.state.is_finished());
        Enqueued { jobs, output }
    }

    /// Everything that was run so far.
    #[must_use]
    pub fn report(&self) -> Run {
        let attempts = self.progress().attempts.clone();
        Run::new(attempts, self.waiting())
    }

    /// Has the runs that follow tell what they pass, and crash where the plan says.
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

    async fn run_to(&self, end: Timestamp, stay_until_end: bool) -> Result<Run, KitError> {
        let first = self.progress().attempts.len();
        loop {
            if self.step().await?.is_some() {
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
        if stay_until_end {
            self.clock.pass(end.since(self.now())).await;
        }
        let attempts = self.progress().attempts.get(first..).map(<[_]>::to_vec).unwrap_or_default();
        Ok(Run::new(attempts, self.waiting()))
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a block of code enqueued.
#[derive(Debug)]
pub struct Enqueued<T> {
    /// The jobs, in push order.
    pub jobs: Vec<JobRecord>,
    /// What the block gave.
    pub output: T,
}

impl<T> Enqueued<T> {
    /// Gives the payloads of those of a kind.
    #[must_use]
    pub fn of<J: Job>(&self) -> Vec<J> {
        let of_kind = self.jobs.iter().filter(|record| record.name == J::NAME);
        of_kind.filter_map(|record| record.body.decode().ok()).collect()
    }
}

impl Drop for TestKit {
    fn drop(&mut self) {
        if let Some(seed) = self.seed.filter(|_| std::thread::panicking()) {
            tell(&format!("this run had the seed {seed}: `TestKit::new(..).seed({seed})` makes it again"));
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
