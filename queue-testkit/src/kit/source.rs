//! The queue of a kit, and how time passes in the kit.

use std::sync::Arc;
use std::time::Duration;

use queue_core::backend::error_chain;
use queue_core::services::ServiceKey;
use queue_core::{Admin, Jobs, Problem, QueueError, Services, TestClock, Timestamp};

use super::aside::Aside;
use super::clock::{KitClock, Pace};
use super::timed::Timed;
use super::{KitQueue, ambient_clock};
use crate::clock::VirtualClock;
use crate::model_queue::ModelQueue;

/// The queue that a kit is to use.
pub(super) enum Source {
    /// A queue of the kit's own, whose ids come from a seed.
    Own,
    Over(Arc<dyn Admin>),
}

/// The time within an attempt that a test asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Virtual,
    Real,
}

impl Source {
    /// Creates the kit's queue and its clock.
    pub(super) fn open(
        self,
        asked: Option<Asked>,
        seed: u64,
        patience: Duration,
        aside: &Aside,
    ) -> Result<(KitQueue, KitClock), Problem> {
        let test_clock = match &self {
            Self::Own => None,
            Self::Over(queue) => queue.test_clock(),
        };
        let pace = self.pace(asked, test_clock.is_some())?;
        if pace != Pace::Virtual && ambient_clock::is_paused() {
            return Err(paused());
        }
        let start = match &test_clock {
            Some(test_clock) => shown(test_clock, patience, aside).map_err(|error| unreadable(&error))?,
            None => VirtualClock::START,
        };
        let time = match pace {
            Pace::Virtual => ambient_clock::virtual_clock(start),
            Pace::Real | Pace::Machine => VirtualClock::starting_at(start),
        };
        let clock = KitClock::new(time.clone(), pace, aside.clone());
        let store = match self {
            Self::Own => Timed::model(ModelQueue::seeded(time, seed), clock.clone(), aside.clone()),
            Self::Over(queue) => Timed::real(queue, test_clock, clock.clone(), aside.clone(), patience),
        };
        Ok((KitQueue::new(store, &clock), clock))
    }

    /// Returns a problem for each unit of work that would record a job's completion in a queue other than the kit's own.
    pub(super) fn foreign_units(&self, jobs: &Jobs, services: &Services) -> Vec<Problem> {
        let units = match self {
            Self::Own => jobs.recorded_by_units(services),
            Self::Over(_) => Vec::new(),
        };
        let problem = |(job, unit): (&str, ServiceKey)| {
            Problem::new(format!(
                "job `{job}` takes the unit of work `{unit}`, which commits in the queue that it came from, and the kit of \
                 `TestKit::new` has another queue, which is in memory: use `TestKit::over(queue)` with the queue of the unit \
                 of work, or replace the unit of work with `.replace_unit_of_work(begin, end)`"
            ))
        };
        units.into_iter().map(problem).collect()
    }

    fn pace(&self, asked: Option<Asked>, has_test_clock: bool) -> Result<Pace, Problem> {
        match (self, asked) {
            (Self::Own, None | Some(Asked::Virtual)) => Ok(Pace::Virtual),
            (Self::Own, Some(Asked::Real)) => Ok(Pace::Real),
            (Self::Over(_), Some(Asked::Virtual)) if has_test_clock => Ok(Pace::Virtual),
            (Self::Over(_), Some(Asked::Virtual)) => Err(Problem::new(
                "`.virtual_time()` needs a queue whose clock the kit can move: open the queue with a clock for tests \
                 (`SqliteQueue::builder(..).clock(VirtualClock::new())`, `PostgresQueue::builder(..).test_clock(..)`)",
            )),
            (Self::Over(_), _) => Ok(if has_test_clock { Pace::Real } else { Pace::Machine }),
        }
    }
}

/// Returns the instant that the queue's clock shows, and blocks the calling thread meanwhile.
fn shown(
    test_clock: &Arc<dyn TestClock>,
    patience: Duration,
    aside: &Aside,
) -> Result<Timestamp, QueueError> {
    let test_clock = test_clock.clone();
    let shown = aside.run(patience, async move { test_clock.now().await });
    shown.unwrap_or_else(|| Err(QueueError::unavailable("the queue has not answered")))
}

fn unreadable(error: &QueueError) -> Problem {
    Problem::new(format!("the clock of the kit's queue can't be read: {}", error_chain(error)))
}

fn paused() -> Problem {
    Problem::new(
        "tokio's time is paused, and the jobs of this kit run in real time, so that they can wait for a database or a socket: \
         drop `start_paused = true` (`#[queue_testkit::test]` sets it, `#[tokio::test]` does not), or add `.virtual_time()` if \
         no job waits for something real",
    )
}
