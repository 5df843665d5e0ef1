//! Delays that lead past the end of time.

use crate::contract::clock::Timestamp;
use crate::contract::error::QueueError;
use crate::contract::job::{NewJob, Schedule};
use crate::contract::limits::job_in_batch;

/// Checks that no job of a batch becomes ready after [`Timestamp::MAX`] if its delay begins at `now`.
///
/// # Errors
///
/// Those of [`delay_overflow`].
pub fn check_delays<'a>(
    jobs: impl IntoIterator<Item = &'a NewJob, IntoIter: ExactSizeIterator>,
    now: Timestamp,
) -> Result<(), QueueError> {
    let jobs = jobs.into_iter();
    let count = jobs.len();
    for (index, job) in jobs.enumerate() {
        if let Schedule::After(delay) = job.schedule
            && now.checked_add(delay).is_none()
        {
            return Err(delay_overflow(index, count, job));
        }
    }
    Ok(())
}

/// Returns the error for the job at `index` of a batch of `count` jobs, whose delay leads past the end of time. Its kind is
/// `Invalid`.
#[must_use]
pub fn delay_overflow(index: usize, count: usize, job: &NewJob) -> QueueError {
    let delay = match job.schedule {
        Schedule::After(delay) => delay,
        Schedule::Now | Schedule::At(_) => std::time::Duration::ZERO,
    };
    QueueError::invalid(format!(
        "{}: a `delay` of {delay:?} leads past the end of time",
        job_in_batch(index, count, &job.name)
    ))
    .on_queue(job.queue.clone())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Body, QueueErrorKind};

    fn job(delay: Duration) -> NewJob {
        NewJob::new("send_mail", Body::stored("{}")).delay(delay)
    }

    #[test]
    fn the_error_of_a_delay_that_is_too_long_names_the_job() {
        let jobs = [job(Duration::from_secs(1)), job(Duration::MAX)];

        let error = check_delays(&jobs, Timestamp::from_micros(0)).expect_err("a delay that is too long");

        assert_eq!(error.kind(), QueueErrorKind::Invalid);
        assert!(error.to_string().starts_with("job 1 of the batch (`send_mail`): a `delay` of"), "{error}");
    }

    #[test]
    fn a_delay_up_to_the_end_of_time_is_allowed() {
        let jobs = [job(Duration::from_micros(1))];

        assert!(check_delays(&jobs, Timestamp::MAX.saturating_sub(Duration::from_micros(1))).is_ok());
        assert!(check_delays(&jobs, Timestamp::MAX).is_err());
    }
}
