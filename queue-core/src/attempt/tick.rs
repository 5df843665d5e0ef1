//! The tick of a schedule, as the job that it enqueued sees it.

use std::time::Duration;

use crate::attempt::context::JobContext;
use crate::contract::clock::Timestamp;
use crate::contract::job::Meta;
use crate::contract::name::QueueName;

/// The tick of a schedule that enqueued a job. A job takes it with `#[inject] tick: &Tick`.
///
/// A followup inherits the tick, as it inherits all meta. A job that no tick enqueued has one of its own: the instant at which it was
/// pushed.
///
/// ```
/// use queue_core::{Tick, background_job};
///
/// #[background_job]
/// async fn report(#[inject] tick: &Tick) {
///     println!("the report for {}, {:?} late", tick.at(), tick.late_by());
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    schedule: Option<String>,
    at: Timestamp,
    late_by: Duration,
    skipped: u64,
}

impl Tick {
    /// The meta key of the schedule, as `group/name`.
    pub const SCHEDULE: &'static str = "queue.schedule";
    /// The meta key of the instant of the tick, in microseconds since the epoch.
    pub const AT: &'static str = "queue.tick";
    /// The meta key of the number of skipped ticks.
    pub const SKIPPED: &'static str = "queue.skipped";
    /// The beginning of the names of the queues in which ticks wait.
    pub const QUEUES: &'static str = "schedule:";

    /// Returns whether the jobs of a queue are ticks.
    #[must_use]
    pub fn waits_in(queue: &QueueName) -> bool {
        queue.as_str().starts_with(Self::QUEUES)
    }

    /// Reads the tick from the meta of a job that was pushed at `pushed_at`.
    pub(crate) fn of(context: &JobContext) -> Self {
        Self::from_meta(context.meta(), context.pushed_at())
    }

    fn from_meta(meta: &Meta, pushed_at: Timestamp) -> Self {
        let number = |key: &str| meta.get(key).and_then(|text| text.parse().ok());
        let at = number(Self::AT).map_or(pushed_at, Timestamp::from_micros);
        let skipped = number(Self::SKIPPED).and_then(|count| u64::try_from(count).ok()).unwrap_or_default();
        let schedule = meta.get(Self::SCHEDULE).map(str::to_owned);
        Self { schedule, at, late_by: pushed_at.since(at), skipped }
    }

    /// Returns the schedule, as `group/name`. Returns `None` for a job that no schedule enqueued.
    #[must_use]
    pub fn schedule(&self) -> Option<&str> {
        self.schedule.as_deref()
    }

    /// Returns the instant for which the schedule enqueued the job. It does not change if the job is late or retried.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// Returns how late the job was enqueued.
    #[must_use]
    pub const fn late_by(&self) -> Duration {
        self.late_by
    }

    /// Returns the number of ticks before this one that enqueued nothing because they were late. Above 1,000, it is less than the
    /// true number.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_without_a_schedule_has_the_tick_of_its_push() {
        let tick = Tick::from_meta(&Meta::new(), Timestamp::from_micros(7));

        assert_eq!(
            (tick.schedule(), tick.at(), tick.late_by()),
            (None, Timestamp::from_micros(7), Duration::ZERO)
        );
    }

    #[test]
    fn meta_that_is_no_number_counts_as_missing() {
        let meta = [(Tick::AT, "noon"), (Tick::SKIPPED, "-1")].into_iter().collect();

        let tick = Tick::from_meta(&meta, Timestamp::from_micros(7));

        assert_eq!((tick.at(), tick.skipped()), (Timestamp::from_micros(7), 0));
    }
}
