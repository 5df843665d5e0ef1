//! Jobs that are stored as they were in another store.

use crate::contract::clock::Timestamp;
use crate::contract::encoded::{Encoded, encode};
use crate::contract::error::QueueError;
use crate::contract::id::JobId;
use crate::contract::job::NewJob;
use crate::contract::lease::Fence;
use crate::contract::limits::Limits;
use crate::contract::record::{AttemptError, JobRecord, State};
use crate::contract::unique::Unique;

/// The result of importing one job: see [`Admin::import`](crate::Admin::import).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Imported {
    /// The job is stored.
    Stored,
    /// The queue has a job with this id, in any state. Nothing changed.
    Present,
    /// The job was not stored: this job holds its unique key.
    KeyHeld(JobId),
}

/// The attempts and times that a job had before it was imported.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobPast {
    /// Its state while its `run_at` is in the future: scheduled or retryable.
    pub waiting: State,
    /// The number of counted attempts.
    pub attempt: u32,
    /// The number of claims: at least the number of attempts, and at least the number of errors.
    pub fence: Fence,
    /// When it was pushed.
    pub pushed_at: Timestamp,
    /// When it becomes or became ready.
    pub run_at: Timestamp,
    /// When it was claimed last; `None` if its fence is zero.
    pub claimed_at: Option<Timestamp>,
    /// Whether it holds its unique key.
    pub holds_key: bool,
    /// The errors of its attempts, oldest first; at most [`AttemptError::KEPT`], each within [`Limits::TEXT`].
    pub errors: Vec<AttemptError>,
}

impl JobPast {
    /// Returns the claim that failed with the error at `index`: errors have consecutive fences, and the last error has that of the
    /// last claim.
    #[must_use]
    pub fn fence_of_error(&self, index: usize) -> Fence {
        let later = self.errors.len().saturating_sub(index + 1) as u64;
        Fence(self.fence.0.saturating_sub(later))
    }

    fn of(record: &mut JobRecord) -> Self {
        let mut errors = std::mem::take(&mut record.errors);
        errors.drain(..errors.len().saturating_sub(AttemptError::KEPT));
        for error in &mut errors {
            error.message = Limits::cut(std::mem::take(&mut error.message));
        }
        let fence = record.fence.0.max(record.attempt.into()).max(errors.len() as u64);
        let last = || errors.last().map_or(record.pushed_at, |error| error.at);
        Self {
            waiting: if record.state == State::Retryable { State::Retryable } else { State::Scheduled },
            attempt: record.attempt,
            fence: Fence(fence),
            pushed_at: record.pushed_at,
            run_at: record.run_at,
            claimed_at: (fence > 0).then(|| record.claimed_at.unwrap_or_else(last)),
            holds_key: record.unique.is_some() && record.unique_until.is_some(),
            errors,
        }
    }
}

/// Returns the parts of each job, and checks the limits. A job that has used up its attempts gets one more, as from
/// [`Admin::retry`](crate::Admin::retry).
///
/// # Errors
///
/// `Invalid` for a job that is executing or finished, or exceeds a limit.
pub(crate) fn parts(
    records: Vec<JobRecord>,
    limits: &Limits,
) -> Result<(Vec<NewJob>, Vec<JobPast>), QueueError> {
    let mut records = records;
    let mut jobs = Vec::with_capacity(records.len());
    let mut pasts = Vec::with_capacity(records.len());
    for record in &mut records {
        check_state(record)?;
        pasts.push(JobPast::of(record));
        jobs.push(new_job(record));
    }
    limits.check(&jobs)?;
    Ok((jobs, pasts))
}

/// Encodes jobs that are imported, and checks the limits.
///
/// # Errors
///
/// `Unsupported` for a closure; `Invalid` for a job that is executing or finished, exceeds a limit or cannot be written as JSON.
pub fn encode_imports(
    records: Vec<JobRecord>,
    limits: &Limits,
) -> Result<Vec<(Encoded, JobPast)>, QueueError> {
    let (jobs, pasts) = parts(records, limits)?;
    Ok(encode(jobs, limits)?.into_iter().zip(pasts).collect())
}

fn check_state(record: &JobRecord) -> Result<(), QueueError> {
    if matches!(record.state, State::Scheduled | State::Available | State::Retryable) {
        return Ok(());
    }
    let text = format!("job {} is {}: only a job that waits can be imported", record.id, record.state);
    Err(QueueError::invalid(text).on_queue(record.queue.clone()))
}

/// Returns the job as a new one. The window of its key begins at its push.
fn new_job(record: &JobRecord) -> NewJob {
    let mut job = NewJob::new(record.name.clone(), record.body.clone()).id(record.id);
    job.queue = record.queue.clone();
    job.partition = record.partition.clone();
    job.priority = record.priority;
    // The limits refuse a maximum of zero.
    job.max_attempts = match record.max_attempts {
        0 => 0,
        attempts => attempts.max(record.attempt.saturating_add(1)),
    };
    job.meta = record.meta.clone();
    job.on_discard = record.on_discard.clone();
    job.unique = record.unique.clone().map(|key| {
        let until = record.unique_until.unwrap_or(record.pushed_at);
        Box::new(Unique::new(key).within(until.since(record.pushed_at)))
    });
    job
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::body::Body;

    fn record() -> JobRecord {
        JobRecord::new(JobId::from_u128(7), "send".into(), Body::stored("{}"))
    }

    #[test]
    fn errors_without_claims_get_fences_of_their_own() {
        let mut record = record();
        record.attempt = 1;
        record.errors =
            (1..=3).map(|n| AttemptError::new(n, Timestamp::from_micros(n.into()), "no")).collect();

        let (jobs, pasts) = parts(vec![record], &Limits::default()).unwrap();

        assert_eq!(pasts[0].fence, Fence(3));
        assert_eq!([0, 1, 2].map(|index| pasts[0].fence_of_error(index).0), [1, 2, 3]);
        assert_eq!(pasts[0].claimed_at, Some(Timestamp::from_micros(3)));
        assert_eq!(jobs[0].max_attempts, NewJob::MAX_ATTEMPTS);
    }

    #[test]
    fn a_job_without_attempts_left_gets_one() {
        let mut record = record();
        (record.attempt, record.max_attempts) = (5, 5);

        let (jobs, _) = parts(vec![record], &Limits::default()).unwrap();

        assert_eq!(jobs[0].max_attempts, 6);
    }

    #[test]
    fn a_job_that_runs_or_has_ended_is_refused() {
        for state in State::ALL {
            let mut record = record();
            record.state = state;
            let is_waiting = matches!(state, State::Scheduled | State::Available | State::Retryable);

            let refused = parts(vec![record], &Limits::default()).err();

            assert_eq!(refused.is_none(), is_waiting, "{state}: {refused:?}");
        }
    }
}
