//! Decides which ticks enqueue jobs.

use std::time::Duration;

use queue_core::{CatchUp, Recurrence, Timestamp};
use serde::{Deserialize, Serialize};

use crate::timetable::Timetable;

/// The ticks that are due, by what the schedule says about late ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    /// The ticks that enqueue their jobs, oldest first.
    pub(crate) ticks: Vec<Timestamp>,
    /// The ticks before them that do not.
    pub(crate) skipped: Option<SkippedTicks>,
}

/// Ticks that enqueued nothing, because they were later than their schedule allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SkippedTicks {
    /// Their number. It is counted up to 1,000.
    pub count: u64,
    /// The instant of the first one.
    pub first: Timestamp,
    /// The instant of the last one.
    pub last: Timestamp,
}

/// Skipped ticks are counted up to this number.
const MAX_COUNTED: u64 = 1_000;

/// How late a tick may be if all are to be made up for, and the schedule does not say.
const A_DAY: Duration = Duration::from_secs(86_400);

impl Due {
    /// Decides on the ticks after `after` that are due by `now`.
    pub(crate) fn at(
        now: Timestamp,
        after: Timestamp,
        timetable: &Timetable,
        recurrence: &Recurrence,
    ) -> Self {
        let within = recurrence.within;
        let (most, limit) = match recurrence.catch_up {
            CatchUp::All { at_most } => (at_most, within.or(Some(A_DAY))),
            CatchUp::Skip { grace } => {
                (CatchUp::MOST, Some(within.map_or(grace, |within| grace.min(within))))
            }
            _ => (1, within),
        };
        // A tick may be exactly as late as the limit.
        let oldest = limit.map_or(after, |limit| {
            now.saturating_sub(limit).saturating_sub(Duration::from_micros(1)).max(after)
        });
        let ticks = newest(most, oldest, now, timetable);
        let skipped_until = ticks.first().map_or(now, |first| first.saturating_sub(Duration::from_micros(1)));
        Self { skipped: skipped(after, skipped_until, timetable), ticks }
    }
}

/// Returns the newest ticks of a span, oldest first.
fn newest(most: u32, after: Timestamp, until: Timestamp, timetable: &Timetable) -> Vec<Timestamp> {
    let mut until = until;
    let before = std::iter::from_fn(|| {
        let tick = timetable.last(after, until)?;
        until = tick.saturating_sub(Duration::from_micros(1));
        Some(tick)
    });
    let mut ticks: Vec<_> = before.take(most as usize).collect();
    ticks.reverse();
    ticks
}

/// Counts the ticks of a span.
fn skipped(after: Timestamp, until: Timestamp, timetable: &Timetable) -> Option<SkippedTicks> {
    let last = timetable.last(after, until)?;
    let first = timetable.next(after)?;
    let (mut count, mut tick) = (1, first);
    while tick < last && count < MAX_COUNTED {
        tick = timetable.next(tick)?;
        count += 1;
    }
    Some(SkippedTicks { count, first, last })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// Returns the minutes that enqueue, and the number, first and last of those that do not.
    fn due(recurrence: &Recurrence, after: i64, now: i64) -> (Vec<i64>, Option<(u64, i64, i64)>) {
        let at = |minutes: i64| Timestamp::from_micros(minutes * 60_000_000);
        let minutes = |at: Timestamp| at.as_micros() / 60_000_000;
        let timetable = Timetable::of(recurrence).unwrap();
        let due = Due::at(at(now), at(after), &timetable, recurrence);
        let skipped =
            due.skipped.map(|skipped| (skipped.count, minutes(skipped.first), minutes(skipped.last)));
        (due.ticks.into_iter().map(minutes).collect(), skipped)
    }

    /// H33: The newest tick that no process took in time enqueues its job, however late, or not later than the limit.
    #[test]
    fn the_newest_late_tick_is_made_up_for() {
        let every = Recurrence::every(10 * MINUTE);

        assert_eq!(due(&every, 0, 10), (vec![10], None));
        assert_eq!(due(&every, 0, 45), (vec![40], Some((3, 10, 30))));
        assert_eq!(due(&every, 0, 9), (vec![], None));
        assert_eq!(due(&every.clone().within(5 * MINUTE), 0, 45), (vec![40], Some((3, 10, 30))));
        assert_eq!(due(&every.within(4 * MINUTE), 0, 45), (vec![], Some((4, 10, 40))));
    }

    /// H33: All late ticks enqueue their jobs, the oldest first: not more than `at_most`, and none older than a day.
    #[test]
    fn all_late_ticks_are_made_up_for_within_bounds() {
        let all = Recurrence::every(10 * MINUTE)
            .overlap(queue_core::Overlap::Allow)
            .catch_up(CatchUp::All { at_most: 3 });

        assert_eq!(due(&all, 0, 25), (vec![10, 20], None));
        assert_eq!(due(&all, 0, 65), (vec![40, 50, 60], Some((3, 10, 30))));
        assert_eq!(due(&all.clone().within(15 * MINUTE), 0, 65), (vec![50, 60], Some((4, 10, 40))));
        let rare = Recurrence::every(600 * MINUTE).overlap(all.overlap).catch_up(all.catch_up);
        assert_eq!(due(&rare, 0, 2_000), (vec![600, 1_200, 1_800], None));
        assert_eq!(due(&rare, 0, 2_041), (vec![1_200, 1_800], Some((1, 600, 600))));
    }

    /// H33: A tick that is later than its grace enqueues nothing.
    #[test]
    fn late_ticks_are_skipped_after_their_grace() {
        let skip = Recurrence::every(10 * MINUTE).catch_up(CatchUp::Skip { grace: MINUTE });

        assert_eq!(due(&skip, 0, 11), (vec![10], None));
        assert_eq!(due(&skip, 0, 12), (vec![], Some((1, 10, 10))));
        assert_eq!(due(&skip, 0, 31), (vec![30], Some((2, 10, 20))));
    }

    #[test]
    fn skipped_ticks_are_counted_up_to_a_thousand() {
        let skip = Recurrence::every(MINUTE).catch_up(CatchUp::Skip { grace: Duration::ZERO });

        assert_eq!(due(&skip, 0, 5_000), (vec![5_000], Some((1_000, 1, 4_999))));
    }
}
