//! A schedule as it is stored: the payload of its tick.

use queue_core::{
    JobId, JobRecord, NewJob, Overlap, QueueError, QueueName, Recurrence, State, Tick, Timestamp, Unique,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::due::SkippedTicks;
use crate::job_template::{JobTemplate, Json};
use crate::tick_job::tick;
use crate::timetable::Timetable;

/// The version of the stored form.
const FORM: u32 = 1;

/// A paused tick waits until this instant, at the end of the year 9999.
const NEVER: Timestamp = Timestamp::from_micros(253_402_300_799_000_000);

/// The end of the name of the queue in which the ticks of schedules wait that were put at run time.
pub(crate) const PUT: &str = ":put";

/// The namespace of the identities of ticks' jobs.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d0c_5b3e_7a41_4f0e_9d53_2b8e_c1f7_a064);

/// A schedule with its state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredSchedule {
    pub(crate) form: u32,
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) recurrence: Recurrence,
    pub(crate) job: JobTemplate,
    /// Whether the program declares the schedule. Otherwise, it was put at run time.
    pub(crate) is_declared: bool,
    pub(crate) revision: u64,
    #[serde(default)]
    pub(crate) is_paused: bool,
    /// Whether the schedule was removed. It then keeps its key for as long as a tick of it may still be performed.
    #[serde(default)]
    pub(crate) is_removed: bool,
    /// The ticks up to this instant are decided. `None` means: those up to the push of the tick.
    pub(crate) after: Option<Timestamp>,
    /// The tick from which an operator has read `after`, if the schedule comes from one.
    #[serde(default)]
    pub(crate) read_from: Option<JobId>,
    /// The last tick that enqueued a job.
    #[serde(default)]
    pub(crate) last: Option<Timestamp>,
    #[serde(default)]
    pub(crate) skipped: Option<SkippedTicks>,
}

impl StoredSchedule {
    /// Creates a schedule whose first tick comes after its push.
    pub(crate) fn new(group: &str, name: &str, recurrence: Recurrence, job: JobTemplate) -> Self {
        Self {
            form: FORM,
            group: group.to_owned(),
            name: name.to_owned(),
            recurrence,
            job,
            is_declared: false,
            revision: 0,
            is_paused: false,
            is_removed: false,
            after: None,
            read_from: None,
            last: None,
            skipped: None,
        }
    }

    /// Reads the payload of a tick.
    ///
    /// # Errors
    ///
    /// `Corrupt`, also for a form that a newer program has written.
    pub(crate) fn read(text: &Json) -> Result<Self, QueueError> {
        let corrupt = |why: String| {
            QueueError::new(queue_core::QueueErrorKind::Corrupt, "a stored schedule can't be read")
                .with_source(why)
        };
        let read: Self = text.body().decode().map_err(|error| corrupt(error.to_string()))?;
        if read.form != FORM {
            return Err(corrupt(format!("it has the form {}, and this version reads {FORM}", read.form)));
        }
        Ok(read)
    }

    /// Reads the schedule of a tick's record.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    pub(crate) fn of(record: &JobRecord) -> Result<Self, QueueError> {
        let payload: tick = record.body.decode().map_err(|error| {
            QueueError::new(queue_core::QueueErrorKind::Corrupt, "a tick can't be read").with_source(error)
        })?;
        Self::read(&payload.schedule)
    }

    /// Returns the schedule as `group/name`: the unique key of its tick.
    pub(crate) fn key(&self) -> String {
        Self::key_of(&self.group, &self.name)
    }

    /// Returns the name of a schedule as `group/name`.
    pub(crate) fn key_of(group: &str, name: &str) -> String {
        format!("{group}/{name}")
    }

    /// Returns the queue of the ticks of a group. Declared schedules have one of their own, so that a program that starts reads only
    /// those.
    pub(crate) fn queue_of(group: &str, is_declared: bool) -> QueueName {
        QueueName::from(format!("{}{group}{}", Tick::QUEUES, if is_declared { "" } else { PUT }))
    }

    /// Returns the identity of the job of a tick.
    pub(crate) fn id_of(&self, at: Timestamp) -> JobId {
        Self::id_of_tick(&self.key(), at)
    }

    /// Returns the identity of the job of a tick of the schedule `group/name`.
    pub(crate) fn id_of_tick(key: &str, at: Timestamp) -> JobId {
        Uuid::new_v5(&NAMESPACE, format!("{key}@{}", at.as_micros()).as_bytes()).into()
    }

    /// Returns whether two schedules enqueue the same job at the same times, apart from their state.
    pub(crate) fn is_defined_as(&self, other: &Self) -> bool {
        !self.is_removed
            && !other.is_removed
            && self.recurrence == other.recurrence
            && self.job == other.job
            && self.is_declared == other.is_declared
    }

    /// Returns the instant up to which ticks are decided, if `tick`, which was pushed at `pushed_at`, carries the schedule.
    ///
    /// An operator reads a schedule, and pushes a changed one in its place. If a tick was performed in between, what was read is out of
    /// date, and the ticks up to that push are decided.
    pub(crate) fn decided(&self, tick: JobId, pushed_at: Timestamp) -> Timestamp {
        match (self.after, self.read_from) {
            (Some(after), None) => after,
            (Some(after), Some(read_from)) if read_from == tick => after,
            (Some(after), Some(_)) => after.max(pushed_at),
            (None, _) => pushed_at,
        }
    }

    /// Returns the same schedule with this state of the ticks.
    pub(crate) fn after(self, after: Timestamp) -> Self {
        Self { after: Some(after), read_from: None, ..self }
    }

    /// Returns this definition of a schedule that is paused if the stored one is.
    pub(crate) fn paused_as(self, stored: &Self) -> Self {
        Self { is_paused: stored.is_paused && !stored.is_removed, ..self }
    }

    /// Returns this definition with the state of the schedule that was read from a tick.
    fn in_place_of(self, stored: &Self, tick: &JobRecord) -> Self {
        let decided = stored.decided(tick.id, tick.pushed_at);
        let is_performed = tick.state == State::Executing;
        // A change does not end a tick that has started: it is performed, perhaps once more, and this one follows it. If it is being
        // performed, it decides on the ticks up to its own, otherwise on all up to this push. A pause ends it, so all are left.
        let performed = (is_performed && !self.is_paused).then_some(tick.run_at).filter(|at| *at > decided);
        let is_read = tick.attempt == 0 || !is_performed && !self.is_paused;
        Self {
            after: Some(performed.unwrap_or(decided)),
            read_from: is_read.then_some(tick.id),
            last: stored.last,
            skipped: stored.skipped,
            ..self
        }
    }

    /// Creates the tick of this definition, to be pushed in the place of the tick of another one.
    ///
    /// # Errors
    ///
    /// Those of [`tick`](Self::tick).
    pub(crate) fn replacing(self, stored: &Self, tick: &JobRecord) -> Result<NewJob, QueueError> {
        let key = Unique::new(self.key()).replace();
        let placed = if stored.is_removed { self } else { self.in_place_of(stored, tick) };
        placed.tick().map(|tick| tick.unique(key))
    }

    /// Creates the tick that carries the schedule.
    ///
    /// # Errors
    ///
    /// `Invalid` for a recurrence that is wrong, or that has no tick any more.
    pub(crate) fn tick(&self) -> Result<NewJob, QueueError> {
        let mut job = NewJob::from(tick::new(Json::of(self)?));
        job.queue = Self::queue_of(&self.group, self.is_declared);
        job.unique = Some(Box::new(Unique::new(self.key())));
        match self.after {
            _ if self.is_paused => Ok(job.at(NEVER)),
            _ if self.is_removed => Ok(job),
            None => Ok(job),
            Some(after) => {
                let next = self.timetable()?.next(after);
                next.map(|next| job.at(next)).ok_or_else(|| QueueError::invalid("the schedule has ended"))
            }
        }
    }

    /// Returns the checked recurrence.
    ///
    /// # Errors
    ///
    /// `Invalid`.
    pub(crate) fn timetable(&self) -> Result<Timetable, QueueError> {
        Timetable::of(&self.recurrence)
            .map_err(|error| QueueError::invalid(format!("the schedule `{}`: {error}", self.name)))
    }

    /// Creates the job of a tick.
    pub(crate) fn job_at(&self, at: Timestamp, skipped: u64) -> NewJob {
        let mut job = self.job_now().id(self.id_of(at)).meta(Tick::AT, at.as_micros().to_string());
        if skipped > 0 {
            job = job.meta(Tick::SKIPPED, skipped.to_string());
        }
        job
    }

    /// Creates the job of an earlier tick, whatever other jobs of the schedule are unfinished.
    pub(crate) fn backfilled(&self, at: Timestamp) -> NewJob {
        let mut job = self.job_at(at, 0);
        if !self.job.is_unique() {
            job.unique = None;
        }
        job
    }

    /// Creates a job that belongs to no tick.
    pub(crate) fn job_now(&self) -> NewJob {
        let job = self.job.job().meta(Tick::SCHEDULE, self.key());
        if self.job.is_unique() {
            return job;
        }
        match self.recurrence.overlap {
            Overlap::Skip => job.unique(self.key()),
            Overlap::Follow => job.unique(Unique::new(self.key()).replace()),
            _ => job,
        }
    }
}
