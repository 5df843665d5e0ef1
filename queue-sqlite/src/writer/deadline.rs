//! When the wait of a claim ends.

use std::task::Context;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, select};
use queue_core::{Clock, Demand};

/// The end of a claim's wait.
pub(crate) enum Deadline {
    /// The wait does not end.
    Never,
    /// The wait ends when this completes: when the time is over, or the stop signal fires.
    Timer(BoxFuture<'static, ()>),
    /// The wait has ended.
    Passed,
}

impl Deadline {
    /// Begins the wait of a demand. It begins now, not when the writer receives the claim.
    pub(crate) fn begin(demand: &Demand, clock: &dyn Clock) -> Self {
        if demand.wait.is_some_and(|wait| wait.is_zero()) {
            return Self::Passed;
        }
        let wait = demand.wait.map(|wait| clock.sleep(wait));
        let stopped = demand.stop.is_some().then(|| Box::pin(demand.stopped()));
        match (wait, stopped) {
            (None, None) => Self::Never,
            (Some(wait), None) => Self::Timer(wait),
            (None, Some(stopped)) => Self::Timer(stopped),
            (Some(wait), Some(stopped)) => Self::Timer(Box::pin(select(wait, stopped).map(drop))),
        }
    }

    /// Returns whether a timer is running.
    pub(super) fn is_running(&self) -> bool {
        matches!(self, Self::Timer(_))
    }

    /// Returns whether the wait had ended at the last poll.
    pub(super) fn has_passed(&self) -> bool {
        matches!(self, Self::Passed)
    }

    /// Polls the timer. Returns whether the wait has ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        if let Self::Timer(timer) = self
            && timer.poll_unpin(cx).is_ready()
        {
            *self = Self::Passed;
        }
        self.has_passed()
    }
}
