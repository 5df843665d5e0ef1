//! A schedule that a program declares, and the mistakes that can be found before it starts.

use queue_core::{Body, Limits, NewJob, QueueError, Recurrence, RecurringJob};

use crate::job_template::JobTemplate;
use crate::stored::StoredSchedule;
use crate::timetable::Timetable;

use super::Schedules;

/// A schedule that a program declares.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) recurrence: Recurrence,
    /// The job, or why there is none.
    pub(super) job: Result<NewJob, String>,
}

/// The longest name of a group, which becomes a part of the names of queues.
const LONGEST_GROUP: usize = 100;

/// The longest name of a schedule, which becomes a part of unique keys.
const LONGEST_NAME: usize = 150;

/// The room that the state of a schedule takes in its tick, in bytes.
const SPARE: usize = 1 << 10;

impl Declared {
    pub(super) fn of_job(job: RecurringJob) -> Self {
        Self { name: job.name.to_owned(), recurrence: job.recurrence, job: job.job }
    }
}

impl Schedules {
    /// Returns the mistakes in the declaration, each as a sentence that says what to do.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = self.mistakes.clone();
        problems.extend(check_group(&self.group).err());
        for (place, declared) in self.declared.iter().enumerate() {
            let name = &declared.name;
            if self.declared.iter().take(place).any(|earlier| earlier.name == *name) {
                problems.push(format!("the schedule `{name}` is declared twice: give one another name"));
            } else if let Err(error) = self.declared(declared) {
                problems.push(sentence(&error));
            }
        }
        problems
    }

    /// Returns a declared schedule as it is stored at first.
    ///
    /// # Errors
    ///
    /// `Invalid`, with what to change.
    pub(super) fn declared(&self, declared: &Declared) -> Result<StoredSchedule, QueueError> {
        let job = declared
            .job
            .clone()
            .map_err(|why| QueueError::invalid(format!("the schedule `{}`: {why}", declared.name)))?;
        let stored = self.stored(&declared.name, declared.recurrence.clone(), &job)?;
        Ok(StoredSchedule { is_declared: true, ..stored })
    }

    /// Returns a new schedule of this group as it is stored at first, if it is right.
    ///
    /// # Errors
    ///
    /// `Invalid`, with what to change.
    pub(super) fn stored(
        &self,
        name: &str,
        recurrence: Recurrence,
        job: &NewJob,
    ) -> Result<StoredSchedule, QueueError> {
        let invalid = |why: String| QueueError::invalid(format!("the schedule `{name}`: {why}"));
        check_group(&self.group).and_then(|()| check_name(name)).map_err(invalid)?;
        Timetable::of(&recurrence).map_err(invalid)?;
        let job = JobTemplate::of(job).map_err(|error| invalid(sentence(&error)))?;
        let stored = StoredSchedule {
            revision: self.revision,
            ..StoredSchedule::new(&self.group, name, recurrence, job)
        };
        // A tick that could not store its job, or the next tick, would be discarded, and the schedule with it.
        let job = stored.job_at(queue_core::Timestamp::MAX, u64::MAX);
        let mut tick = stored.tick()?;
        tick.body = Body::stored(tick.body.encode()?);
        let limits = Limits::default();
        limits
            .payload(limits.payload - SPARE)
            .check(&[job, tick])
            .map_err(|error| invalid(sentence(&error)))?;
        Ok(stored)
    }
}

pub(super) fn check_group(group: &str) -> Result<(), String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if group.is_empty() || group.len() > LONGEST_GROUP || !group.bytes().all(fits) {
        return Err(format!(
            "the group `{group}` has another name than 1 to {LONGEST_GROUP} of `A-Z a-z 0-9 _ . -`"
        ));
    }
    Ok(())
}

pub(super) fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > LONGEST_NAME || name.contains(char::is_control) {
        return Err(format!("a name has 1 to {LONGEST_NAME} bytes, and no control characters"));
    }
    Ok(())
}

/// Returns an error with its causes.
fn sentence(error: &QueueError) -> String {
    queue_core::backend::error_chain(error)
}
