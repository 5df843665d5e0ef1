//! When a schedule enqueues its job.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// When a schedule enqueues its job: its times, their time zone, and what becomes of a tick that is late or that finds an earlier job.
///
/// It is plain data that nothing has checked. `queue-schedules` checks it before the program starts, and enqueues by it.
///
/// ```
/// use queue_core::{CatchUp, Overlap, Recurrence};
/// use std::time::Duration;
///
/// let nightly = Recurrence::cron("0 2 * * *").zone("Europe/Berlin").catch_up(CatchUp::Skip { grace: Duration::from_secs(3600) });
/// let often = Recurrence::every(Duration::from_secs(900)).overlap(Overlap::Allow);
/// # let _ = (nightly, often);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Recurrence {
    /// The times.
    pub timing: Timing,
    /// The IANA name of the time zone of a cron expression, such as `Europe/Berlin`; `None` means UTC.
    #[serde(default)]
    pub zone: Option<Cow<'static, str>>,
    /// The rule for a tick that comes while an earlier job of the schedule is unfinished.
    #[serde(default)]
    pub overlap: Overlap,
    /// The rule for ticks that no process took in time.
    #[serde(default)]
    pub catch_up: CatchUp,
    /// How late a tick may be at most. `None` leaves it to [`catch_up`](Self::catch_up).
    #[serde(default)]
    pub within: Option<Duration>,
}

/// The times of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Timing {
    /// The times that match a cron expression.
    Cron(Cow<'static, str>),
    /// The instants `phase + n × interval` since the Unix epoch.
    ///
    /// They do not depend on when a process starts: a weekly interval comes weekly, in a program that is restarted each day, too.
    Every {
        /// The time between two ticks.
        interval: Duration,
        /// The time from the epoch to the first tick.
        phase: Duration,
    },
}

/// The rule for a tick that comes while an earlier job of its schedule is unfinished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Overlap {
    /// It enqueues nothing.
    #[default]
    Skip,
    /// At most one job of the schedule waits: while one does, the tick enqueues no other. It does not mind one that has started.
    Follow,
    /// It enqueues its job.
    Allow,
}

/// The rule for ticks that no process took in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CatchUp {
    /// The newest of them enqueues its job, however late it is.
    #[default]
    Latest,
    /// Each of them enqueues its job, the oldest first: the newest `at_most` of the last day, or of the time that
    /// [`Recurrence::within`] sets.
    All {
        /// The greatest number of jobs; 1 to [`CatchUp::MOST`].
        at_most: u32,
    },
    /// Those that are later than `grace` enqueue nothing.
    Skip {
        /// How late a tick may be.
        grace: Duration,
    },
}

impl CatchUp {
    /// The greatest number of ticks that are made up for at once.
    pub const MOST: u32 = 1000;
    /// The grace of `catch_up = "skip"`: a minute.
    pub const GRACE: Duration = Duration::from_secs(60);
}

impl Recurrence {
    /// Creates a recurrence at the times that match a cron expression, in UTC: `0 2 * * *` is 02:00 each day.
    #[must_use]
    pub fn cron(expression: impl Into<Cow<'static, str>>) -> Self {
        Self::of(Timing::Cron(expression.into()))
    }

    /// Creates a recurrence at the multiples of an interval since the Unix epoch.
    #[must_use]
    pub const fn every(interval: Duration) -> Self {
        Self::of(Timing::Every { interval, phase: Duration::ZERO })
    }

    const fn of(timing: Timing) -> Self {
        Self { timing, zone: None, overlap: Overlap::Skip, catch_up: CatchUp::Latest, within: None }
    }

    /// Sets the time zone of a cron expression by its IANA name; UTC by default.
    #[must_use]
    pub fn zone(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.zone = Some(name.into());
        self
    }

    /// Sets the time from the epoch to the first tick of an interval; zero by default. It has no effect on a cron expression.
    #[must_use]
    pub fn phase(mut self, offset: Duration) -> Self {
        if let Timing::Every { phase, .. } = &mut self.timing {
            *phase = offset;
        }
        self
    }

    /// Sets what a tick does while an earlier job of the schedule is unfinished.
    #[must_use]
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.overlap = overlap;
        self
    }

    /// Sets what becomes of ticks that no process took in time.
    #[must_use]
    pub fn catch_up(mut self, catch_up: CatchUp) -> Self {
        self.catch_up = catch_up;
        self
    }

    /// Sets how late a tick may be at most. A later one enqueues nothing.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = Some(limit);
        self
    }
}
