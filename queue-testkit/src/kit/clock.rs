//! The clock of a kit. Time passes by itself, or only the kit moves it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::BoxFuture;
use queue_core::{Clock, Timestamp};

use super::aside::Aside;
use crate::clock::VirtualClock;

/// The clock of a [`TestKit`](crate::TestKit). Cheap to clone; clones are the same clock.
///
/// If the kit moves the queue's time, the time of the queue and of reports stands still while an attempt runs, unless the attempt
/// waits by this clock. So a report has the same times in every run. While an attempt runs in real time, [`now`](Clock::now) adds
/// the whole seconds that the attempt has taken.
#[derive(Clone)]
pub struct KitClock {
    time: VirtualClock,
    pace: Pace,
    aside: Aside,
    /// When the attempt that runs in real time began, by the kit's time and by the machine's.
    attempt: Arc<Mutex<Option<(Timestamp, Instant)>>>,
}

/// How time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Within an attempt, time jumps to the next wake-up. Between attempts, the kit moves it.
    Virtual,
    /// Within an attempt, a wait by the clock takes real time. Between attempts, the kit moves it.
    Real,
    /// Time is the machine's, because the queue has no clock that the kit could move.
    Machine,
}

impl KitClock {
    pub(super) fn new(time: VirtualClock, pace: Pace, aside: Aside) -> Self {
        Self { time, pace, aside, attempt: Arc::default() }
    }

    pub(super) fn pace(&self) -> Pace {
        self.pace
    }

    /// Returns the time that jumps or that the kit moves.
    pub(super) fn time(&self) -> &VirtualClock {
        &self.time
    }

    /// Returns the time of the queue and of reports, without the seconds that the running attempt has taken.
    pub(super) fn still(&self) -> Timestamp {
        match self.pace {
            Pace::Virtual | Pace::Real => self.time.now(),
            Pace::Machine => SystemTime::now().into(),
        }
    }

    /// Adds the seconds that an attempt takes to the time that the clock shows, from this call on.
    pub(super) fn begin_attempt(&self) {
        if self.pace == Pace::Real {
            *self.attempt() = Some((self.still(), Instant::now()));
        }
    }

    /// Ends what [`begin_attempt`](Self::begin_attempt) began.
    pub(super) fn end_attempt(&self) {
        *self.attempt() = None;
    }

    fn attempt(&self) -> MutexGuard<'_, Option<(Timestamp, Instant)>> {
        self.attempt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the kit itself moves the time while an attempt waits. Tokio's paused time moves by itself.
    pub(super) fn jumps(&self) -> bool {
        self.pace == Pace::Virtual && !self.time.is_tokio()
    }

    /// Moves the clock, or waits if it is the machine's.
    pub(super) async fn pass(&self, by: Duration) {
        match self.pace {
            Pace::Virtual | Pace::Real => self.time.pass(by).await,
            Pace::Machine => self.aside.sleep(by).await,
        }
    }

    /// Returns the clock by which injected delays wait. Its waits are over at once, except if the clock is the machine's.
    pub(super) fn of_faults(&self) -> FaultClock {
        FaultClock(self.clone())
    }
}

impl Clock for KitClock {
    fn now(&self) -> Timestamp {
        let (still, attempt) = (self.still(), *self.attempt());
        attempt.map_or(still, |(time, began)| {
            let taken = Duration::from_secs(began.elapsed().as_secs());
            still.max(time.saturating_add(taken))
        })
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        match self.pace {
            Pace::Virtual => self.time.sleep(duration),
            Pace::Real => {
                let (time, until) = (self.time.clone(), self.still().saturating_add(duration));
                let sleep = self.aside.sleep(duration);
                Box::pin(async move {
                    sleep.await;
                    time.advance_to(until);
                })
            }
            Pace::Machine => Box::pin(self.aside.sleep(duration)),
        }
    }
}

/// A kit's clock whose waits are over at once if the kit moves the time.
#[derive(Clone, Debug)]
pub(super) struct FaultClock(KitClock);

impl Clock for FaultClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        if self.0.pace != Pace::Real {
            return self.0.sleep(duration);
        }
        let time = self.0.time.clone();
        Box::pin(async move { time.advance(duration) })
    }
}

impl fmt::Debug for KitClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KitClock").field("now", &self.now()).field("pace", &self.pace).finish_non_exhaustive()
    }
}
