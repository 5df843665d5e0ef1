//! A schedule in a list.

use queue_core::{JobId, JobName, JobRecord, QueueError, QueueName, Recurrence, State, Timestamp};
use serde::Serialize;

use crate::cursor::ScheduleCursor;
use crate::due::SkippedTicks;
use crate::stored::StoredSchedule;
use crate::timetable::Timetable;

/// A schedule, as [`Schedules::list`](crate::Schedules::list) returns it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ScheduleRecord {
    /// The group of the schedule.
    pub group: String,
    /// The name within the group.
    pub name: String,
    /// The kind of the job that it enqueues.
    pub job: JobName,
    /// The queue of that job.
    pub queue: QueueName,
    /// When it enqueues the job.
    pub recurrence: Recurrence,
    /// Whether the program declares it. Otherwise, it was put at run time.
    pub is_declared: bool,
    /// The revision of the program that stored it.
    pub revision: u64,
    /// Whether it is paused.
    pub is_paused: bool,
    /// The last tick that enqueued a job, if there was one.
    pub last: Option<TickRun>,
    /// The ticks that were too late the last time that ticks were.
    pub skipped: Option<SkippedTicks>,
    words: String,
    /// The ticks up to this instant are decided.
    #[serde(skip)]
    decided: Timestamp,
    #[serde(skip)]
    timetable: Timetable,
}

/// A tick of a schedule, and what became of its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TickRun {
    /// The instant of the tick.
    pub at: Timestamp,
    /// The job.
    pub job: JobId,
    /// The state of the job. `None` if the queue does not keep the job any more, or has not stored it because an earlier job of the
    /// schedule was unfinished: see [`Overlap`](queue_core::Overlap).
    pub state: Option<State>,
}

/// A page of schedules.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SchedulePage {
    /// The schedules: first those that the program declares, then those that were put at run time, each by their next ticks.
    pub schedules: Vec<ScheduleRecord>,
    /// The start of the next page, if there may be one.
    pub next: Option<ScheduleCursor>,
}

impl ScheduleRecord {
    /// Reads the tick of a schedule. Returns `None` for a schedule that was removed.
    ///
    /// # Errors
    ///
    /// `Corrupt` or `Invalid` if a newer program has stored it.
    pub(crate) fn of(tick: &JobRecord) -> Result<Option<Self>, QueueError> {
        let stored = StoredSchedule::of(tick)?;
        if stored.is_removed {
            return Ok(None);
        }
        let timetable = stored.timetable()?;
        let last = stored.last.map(|at| TickRun { at, job: stored.id_of(at), state: None });
        Ok(Some(Self {
            words: timetable.words(&stored.recurrence),
            decided: stored.decided(tick.id, tick.pushed_at),
            timetable,
            last,
            group: stored.group,
            name: stored.name,
            job: stored.job.name,
            queue: stored.job.queue,
            recurrence: stored.recurrence,
            is_declared: stored.is_declared,
            revision: stored.revision,
            is_paused: stored.is_paused,
            skipped: stored.skipped,
        }))
    }

    /// Returns the times in words, with the time zone: `at 02:00 (Europe/Berlin)`.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.words
    }

    /// Returns the next `count` ticks. If a tick is overdue, it is the first one. A paused schedule has the ticks that it would have.
    #[must_use]
    pub fn next(&self, count: usize) -> Vec<Timestamp> {
        let mut after = self.decided;
        let next = std::iter::from_fn(|| {
            after = self.timetable.next(after)?;
            Some(after)
        });
        next.take(count).collect()
    }

    /// Returns the last `count` ticks, the oldest first. It does not know the states of their jobs.
    pub(crate) fn last_ticks(&self, count: usize) -> Vec<TickRun> {
        let Some(last) = self.last else { return Vec::new() };
        let key = StoredSchedule::key_of(&self.group, &self.name);
        let run = |at| TickRun { at, job: StoredSchedule::id_of_tick(&key, at), state: None };
        self.timetable.last_ticks(count, last.at).into_iter().map(run).collect()
    }
}
