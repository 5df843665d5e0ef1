//! The crash explorer: crashes a job's worker at every possible point, and checks that the job tolerates it.
//!
//! A first run without a crash records the points that the jobs pass. Then each point gets a run of its own: the same set-up,
//! a crash at that point, and the redelivery up to the end. The invariant is checked after every run.

mod error;
mod verdict;

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use queue_core::BoxError;
use queue_core::backend::panic_message;

use crate::crash::Plan;

pub use crate::crash::CrashPoint;
pub use error::{Break, ExploreError};
pub use verdict::{HasKit, Verdict};

/// Runs jobs once for each point at which their worker can crash, crashes it there, and lets the redelivery run to its end.
///
/// `setup` creates a kit with everything that the jobs need and enqueues the jobs to explore. The invariant usually reads fakes
/// that `setup` returns beside the kit, or a database by [`check_async`](CrashEverywhere::check_async). `setup` is called for every
/// run, so it must create all state again. For a kit over a store, it must create a new store.
///
/// The worker crashes before and after each await point in the job's own body, even if that future was ready at once; at each
/// suspension in the functions that the body calls; before the job's units of work commit, and after; and when only the
/// settlement is missing. A crashed attempt is not settled, its units of work don't commit, and its leases expire as the kit moves
/// the time. Of a point that a loop passes many times, the first, the second and the last time are explored.
///
/// Unlike a killed process, a crash here leaves the job's spawned tasks and threads running, and drops the job's values as a
/// panic does. A job under exploration must not unwind in a destructor.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// use queue_core::{JobContext, QueueExt as _, background_job, jobs};
/// use queue_testkit::{TestKit, crash_everywhere};
///
/// #[derive(Default)]
/// struct Bank(std::sync::Mutex<std::collections::HashSet<String>>, AtomicU32);
///
/// impl Bank {
///     /// Charges once for each key.
///     async fn charge(&self, key: String) {
///         if self.0.lock().unwrap().insert(key) {
///             self.1.fetch_add(1, Ordering::SeqCst);
///         }
///     }
/// }
///
/// #[background_job]
/// async fn charge(#[inject] bank: &Bank, #[inject] context: &JobContext) {
///     bank.charge(context.id().to_string()).await;
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// # queue_testkit::block_on(async {
/// crash_everywhere(async || {
///     let bank = Arc::new(Bank::default());
///     let kit = TestKit::new(jobs![charge]).singleton_as(bank.clone()).build()?;
///     kit.queue().enqueue(charge::new()).await?;
///     Ok((kit, bank))
/// })
/// .check(|(_, bank)| assert_eq!(bank.1.load(Ordering::SeqCst), 1, "charged once"))
/// .await?;
/// # Ok(())
/// # })
/// # }
/// ```
pub fn crash_everywhere<S, W>(setup: S) -> CrashEverywhere<S>
where
    S: AsyncFn() -> Result<W, BoxError>,
    W: HasKit,
{
    CrashEverywhere { setup, only: None }
}

/// An exploration. Created by [`crash_everywhere`], run by [`check`](Self::check).
#[must_use = "an exploration is run by `check`"]
#[derive(Debug)]
pub struct CrashEverywhere<S> {
    setup: S,
    only: Option<String>,
}

/// The summary of an exploration that found nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explored {
    /// The number of points at which the worker crashed, one run each.
    pub crashes: usize,
}

impl<S> CrashEverywhere<S> {
    /// Explores a single point, by the name that a report printed, to debug its run.
    pub fn only(mut self, point: impl Into<String>) -> Self {
        self.only = Some(point.into());
        self
    }

    /// Explores the jobs, and checks the invariant at the end of each run. An error or a panic means that it is broken.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Broken`] lists the points at which a crash breaks the invariant. The other variants say why there was nothing
    /// to explore: the set-up failed, the invariant is broken without any crash, no job ran, or there is no such point.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the current run.
    pub async fn check<W, V>(self, invariant: impl Fn(&W) -> V) -> Result<Explored, ExploreError>
    where
        S: AsyncFn() -> Result<W, BoxError>,
        W: HasKit,
        V: Verdict,
    {
        self.check_async(async |world| invariant(world)).await
    }

    /// Explores the jobs as [`check`](Self::check) does, with an invariant that may wait, for example for a query of the database.
    ///
    /// # Errors
    ///
    /// Those of [`check`](Self::check).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the current run.
    pub async fn check_async<W, V>(self, invariant: impl AsyncFn(&W) -> V) -> Result<Explored, ExploreError>
    where
        S: AsyncFn() -> Result<W, BoxError>,
        W: HasKit,
        V: Verdict,
    {
        let (passed, ended) = self.run(None, &invariant).await?;
        ended.map_err(ExploreError::WithoutCrash)?;
        let points = self.chosen(sampled(passed))?;
        let mut breaks = Vec::new();
        let mut crashes = 0;
        for point in &points {
            match self.run(Some(point.clone()), &invariant).await {
                Ok((_, ended)) => {
                    crashes += 1;
                    breaks.extend(ended.err().map(|message| Break { point: point.clone(), message }));
                }
                // A thread or a server may have answered sooner this time, so that the job did not wait here.
                Err(ExploreError::NotReached(point)) if point.is_suspension() => {}
                Err(error) => return Err(error),
            }
        }
        if breaks.is_empty() {
            Ok(Explored { crashes })
        } else {
            Err(ExploreError::Broken { crashes, breaks })
        }
    }

    fn chosen(&self, points: Vec<CrashPoint>) -> Result<Vec<CrashPoint>, ExploreError> {
        if points.is_empty() {
            return Err(ExploreError::NothingRan);
        }
        let Some(only) = &self.only else { return Ok(points) };
        let names = points.iter().map(CrashPoint::name).collect();
        match points.into_iter().find(|point| point.name() == *only) {
            Some(point) => Ok(vec![point]),
            None => Err(ExploreError::NoSuchPoint { only: only.clone(), names }),
        }
    }

    /// Runs the set-up once. Returns the points that the run passed, and the invariant's verdict on its end.
    async fn run<W, V>(
        &self,
        target: Option<CrashPoint>,
        invariant: &impl AsyncFn(&W) -> V,
    ) -> Result<(Vec<CrashPoint>, Result<(), String>), ExploreError>
    where
        S: AsyncFn() -> Result<W, BoxError>,
        W: HasKit,
        V: Verdict,
    {
        let world = (self.setup)().await.map_err(ExploreError::SetUp)?;
        let plan = Arc::new(Plan::new(target.clone()));
        world.kit().follow(plan.clone());
        world.kit().run_until_idle().await.map_err(ExploreError::Kit)?;
        if let Some(point) = target.filter(|_| !plan.has_crashed()) {
            return Err(ExploreError::NotReached(point));
        }
        let verdict = AssertUnwindSafe(async { invariant(&world).await.verdict() }).catch_unwind().await;
        Ok((plan.passed(), verdict.unwrap_or_else(|panic| Err(panic_message(&*panic)))))
    }
}

/// Keeps the first, the second and the last occurrence of each moment.
fn sampled(points: Vec<CrashPoint>) -> Vec<CrashPoint> {
    let mut last: HashMap<CrashPoint, usize> = HashMap::new();
    let kind = |point: &CrashPoint| CrashPoint { nth: 0, ..point.clone() };
    for point in &points {
        last.insert(kind(point), point.nth);
    }
    let lasts: HashSet<_> = last.into_iter().map(|(kind, nth)| CrashPoint { nth, ..kind }).collect();
    points.into_iter().filter(|point| point.nth <= 2 || lasts.contains(point)).collect()
}
