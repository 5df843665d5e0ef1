//! Checks of requests that a backend cannot serve.

use crate::contract::encoded::Encoded;
use crate::contract::error::QueueError;
use crate::contract::job::Schedule;
use crate::contract::queue::Demand;
use crate::contract::settlement::{Settlement, Transition};

/// Checks that a claim names a queue.
///
/// # Errors
///
/// `Invalid` if it names none: the claim would never find a job.
pub fn check_demand(demand: &Demand) -> Result<(), QueueError> {
    if demand.queues.is_empty() {
        return Err(QueueError::invalid("the claim names no queue: add at least one to its demand"));
    }
    Ok(())
}

/// Checks that a backend is not too old for a transition.
///
/// `is_supported` is the backend's own list, because queue-core may have more transitions than the backend was written for.
///
/// # Errors
///
/// `Unsupported` for a transition that is not in the list.
pub fn check_transitions(
    settlements: &[Settlement],
    is_supported: impl Fn(&Transition) -> bool,
) -> Result<(), QueueError> {
    let newer = settlements.iter().map(|settlement| &settlement.transition).find(|one| !is_supported(one));
    newer.map_or(Ok(()), |newer| {
        Err(QueueError::unsupported(format!("this backend is older than the transition `{newer}`")))
    })
}

/// Checks that a backend is not too old for a schedule.
///
/// `is_supported` is the backend's own list, because queue-core may have more schedules than the backend was written for.
///
/// # Errors
///
/// `Unsupported` for a schedule that is not in the list.
pub fn check_schedules(jobs: &[Encoded], is_supported: impl Fn(Schedule) -> bool) -> Result<(), QueueError> {
    let newer = jobs.iter().enumerate().find(|(_, new)| !is_supported(new.job.schedule));
    newer.map_or(Ok(()), |(index, Encoded { job, .. })| {
        let text =
            format!("job {index} of the batch (`{}`): this backend is older than its schedule", job.name);
        Err(QueueError::unsupported(text).on_queue(job.queue.clone()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::encode;
    use crate::{Body, Fence, JobId, Lease, Limits, NewJob, QueueErrorKind, Timestamp};

    #[test]
    fn a_claim_that_names_no_queue_is_invalid() {
        let error = check_demand(&Demand::of([], 1)).expect_err("no queue");

        assert_eq!(error.kind(), QueueErrorKind::Invalid);
        assert!(check_demand(&Demand::new("mail", 1)).is_ok());
    }

    #[test]
    fn a_transition_that_is_not_in_the_list_is_unsupported() {
        let lease = Lease::new(JobId::random(), Fence(1), Lease::DEFAULT_LENGTH, Timestamp::MAX);
        let settlements = [Transition::Release, Transition::complete()]
            .map(|transition| Settlement::new(lease.clone(), transition));

        let checked = check_transitions(&settlements, |one| matches!(one, Transition::Release));

        assert_eq!(checked.map_err(|error| error.kind()), Err(QueueErrorKind::Unsupported));
        assert!(check_transitions(&settlements, |_| true).is_ok());
    }

    #[test]
    fn the_error_of_a_schedule_that_is_not_in_the_list_names_the_job() {
        let now = NewJob::new("send_mail", Body::stored("{}"));
        let later = now.clone().delay(Lease::DEFAULT_LENGTH);
        let jobs = encode(vec![now, later], &Limits::default()).expect("two jobs");

        let checked = check_schedules(&jobs, |schedule| schedule == Schedule::Now);

        let error = checked.expect_err("a schedule that is not in the list");
        assert_eq!(error.kind(), QueueErrorKind::Unsupported);
        assert!(error.to_string().starts_with("job 1 of the batch (`send_mail`)"), "{error}");
    }
}
