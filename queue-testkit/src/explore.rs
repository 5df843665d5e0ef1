//! The crash explorer: a job's worker dies at each point where it can, and the job must bear it.

mod error;
mod plan;
mod point;
mod verdict;

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use queue_core::BoxError;
use queue_core::error::panic_message;

pub use error::{Break, ExploreError};
pub(crate) use plan::Plan;
pub use point::CrashPoint;
pub use verdict::{HasKit, Verdict};

/// Runs jobs once for each point at which their worker can die, has it die there, and lets the redelivery run to its end.
///
/// `setup` makes a kit with everything that the jobs need, mostly with fakes that the invariant is then asked of, and
/// enqueues what is to be explored. It's called for each run, so it must make everything anew.
///
/// The worker dies before and after each await point of a job's own body, whether or not that had to wait; at each
/// suspension in what the body calls; before its units of work commit and after that; and when all is done but recorded.
/// What it held is not settled, its units of work don't commit, and its leases expire in virtual time. In a loop, a point's
/// first, second and last time stand for all.
///
/// Tasks and threads that a job has spawned go on, and what it holds is dropped as in a panic, which a killed process
/// wouldn't do. A job that is to be explored must not unwind in its destructors.
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

/// An exploration; made by [`crash_everywhere`], run by [`check`](Self::check).
#[must_use = "an exploration is run by `check`"]
#[derive(Debug)]
pub struct CrashEverywhere<S> {
    setup: S,
    only: Option<String>,
}

/// What an exploration went through without finding anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explored {
    /// At how many points the worker died, a run for each.
    pub crashes: usize,
}

impl<S> CrashEverywhere<S> {
    /// Has the worker die at one point alone, by the name that a report gives: to look at a run more closely.
    pub fn only(mut self, point: impl Into<String>) -> Self {
        self.only = Some(point.into());
        self
    }

    /// Explores, and holds the end of each run to an invariant: a panic or an error says that it's broken.
    ///
    /// # Errors
    ///
    /// [`ExploreError::Broken`] lists the points at which a crash breaks the invariant. The other kinds say why nothing could
    /// be explored: the set-up failed, the invariant is broken without any crash, no job ran, or there is no such point.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the run that is under way.
    pub async fn check<W, V>(self, invariant: impl Fn(&W) -> V) -> Result<Explored, ExploreError>
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
                // A thread may answer sooner or later, so that there is nothing to wait for.
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

    /// Makes one run; tells what it passed, and what the invariant says of its end.
    async fn run<W, V>(
        &self,
        target: Option<CrashPoint>,
        invariant: &impl Fn(&W) -> V,
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
        let verdict = catch_unwind(AssertUnwindSafe(|| invariant(&world).verdict()));
        Ok((plan.passed(), verdict.unwrap_or_else(|panic| Err(panic_message(&*panic)))))
    }
}

/// Takes the first, the second and the last time of each moment.
fn sampled(points: Vec<CrashPoint>) -> Vec<CrashPoint> {
    let mut last: HashMap<CrashPoint, usize> = HashMap::new();
    let kind = |point: &CrashPoint| CrashPoint { nth: 0, ..point.clone() };
    for point in &points {
        last.insert(kind(point), point.nth);
    }
    let lasts: HashSet<_> = last.into_iter().map(|(kind, nth)| CrashPoint { nth, ..kind }).collect();
    points.into_iter().filter(|point| point.nth <= 2 || lasts.contains(point)).collect()
}
