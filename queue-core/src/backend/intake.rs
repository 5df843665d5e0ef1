//! Checks and encodes requests before a backend stores them.

use super::push_hooks::PushHooks;
use super::supported_requests::SupportedRequests;
use crate::contract::encoded::{Encoded, encode, encode_followups};
use crate::contract::error::QueueError;
use crate::contract::import::{JobPast, encode_imports};
use crate::contract::job::NewJob;
use crate::contract::limits::{Limits, job_in_batch};
use crate::contract::queue::Demand;
use crate::contract::record::JobRecord;
use crate::contract::settlement::Settlement;

/// Checks requests against the limits of a queue and against what its backend supports, and encodes their jobs.
///
/// ```
/// use queue_core::backend::{Intake, SupportedRequests};
/// use queue_core::{Body, Limits, NewJob, QueueErrorKind, Schedule};
///
/// // A backend that stores no job for later.
/// let supported = SupportedRequests {
///     schedule: |schedule| matches!(schedule, Schedule::Now),
///     ..SupportedRequests::V1
/// };
/// let intake = Intake::new(Limits::default(), supported);
///
/// let job = NewJob::new("send_mail", Body::stored("{}"));
/// assert_eq!(intake.jobs(vec![job.clone()])?.len(), 1);
/// let later = job.delay(std::time::Duration::from_secs(60));
/// assert_eq!(intake.jobs(vec![later]).unwrap_err().kind(), QueueErrorKind::Unsupported);
/// # Ok::<(), queue_core::QueueError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Intake {
    limits: Limits,
    supported: SupportedRequests,
    hooks: PushHooks,
}

impl Intake {
    /// Creates the intake of a queue with these limits, whose backend supports these requests.
    #[must_use]
    pub fn new(limits: Limits, supported: SupportedRequests) -> Self {
        Self { limits, supported, hooks: PushHooks::default() }
    }

    /// Sets the functions that see each job of a push before it is checked.
    #[must_use]
    pub fn hooks(mut self, hooks: PushHooks) -> Self {
        self.hooks = hooks;
        self
    }

    /// Passes the jobs of a push to the hooks, then checks and encodes them.
    ///
    /// # Errors
    ///
    /// Those of [`encode`], and `Unsupported` for a schedule or a partition if the backend does not support them.
    pub fn jobs(&self, mut jobs: Vec<NewJob>) -> Result<Vec<Encoded>, QueueError> {
        self.hooks.run(&mut jobs);
        let jobs = encode(jobs, &self.limits)?;
        self.check_supported(&jobs)?;
        Ok(jobs)
    }

    /// Checks and encodes jobs that are imported. They are not pushed, so the hooks do not see them.
    ///
    /// # Errors
    ///
    /// Those of [`encode_imports`], and `Unsupported` for a partition if the backend has none.
    pub fn imports(&self, jobs: Vec<JobRecord>) -> Result<Vec<(Encoded, JobPast)>, QueueError> {
        let jobs = encode_imports(jobs, &self.limits)?;
        jobs.iter().try_for_each(|(job, _)| self.check_supported(std::slice::from_ref(job)))?;
        Ok(jobs)
    }

    /// Checks settlements and encodes their followups. Returns the settlements without followups, and a list of followups for
    /// each.
    ///
    /// # Errors
    ///
    /// Those of [`encode_followups`], and `Unsupported` for a transition or a schedule that the backend does not support.
    pub fn settlements(
        &self,
        mut settlements: Vec<Settlement>,
    ) -> Result<(Vec<Settlement>, Vec<Vec<Encoded>>), QueueError> {
        let mut transitions = settlements.iter().map(|settlement| &settlement.transition);
        if let Some(newer) = transitions.find(|transition| !(self.supported.transition)(transition)) {
            return Err(QueueError::unsupported(format!(
                "this backend is older than the transition `{newer}`"
            )));
        }
        let followups = encode_followups(&mut settlements, &self.limits)?;
        followups.iter().try_for_each(|followups| self.check_supported(followups))?;
        Ok((settlements, followups))
    }

    /// Checks and encodes the followups of one settlement, and takes them out of it.
    pub(super) fn followups(&self, settlement: &mut Settlement) -> Result<Vec<Encoded>, QueueError> {
        let followups = encode_followups(std::slice::from_mut(settlement), &self.limits)?;
        let followups = followups.into_iter().flatten().collect::<Vec<_>>();
        self.check_supported(&followups)?;
        Ok(followups)
    }

    fn check_supported(&self, jobs: &[Encoded]) -> Result<(), QueueError> {
        for (index, Encoded { job, .. }) in jobs.iter().enumerate() {
            let newer = if !(self.supported.schedule)(job.schedule) {
                "its schedule"
            } else if !self.supported.partitions && !job.partition.is_none() {
                "partitions"
            } else {
                continue;
            };
            let job_in_batch = job_in_batch(index, jobs.len(), &job.name);
            let text = format!("{job_in_batch}: this backend is older than {newer}");
            return Err(QueueError::unsupported(text).on_queue(job.queue.clone()));
        }
        Ok(())
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Body, Fence, JobId, Lease, QueueErrorKind, Schedule, Timestamp, Transition};

    /// The intake of a backend that is older than each schedule but one, and than each transition but one.
    fn old() -> Intake {
        let supported = SupportedRequests {
            partitions: false,
            schedule: |schedule| matches!(schedule, Schedule::Now),
            transition: |transition| matches!(transition, Transition::Complete { .. }),
        };
        Intake::new(Limits::default(), supported)
    }

    fn settlement(transition: Transition) -> Settlement {
        let lease = Lease::new(JobId::random(), Fence(1), Lease::DEFAULT_LENGTH, Timestamp::MAX);
        Settlement::new(lease, transition)
    }

    #[test]
    fn a_claim_that_names_no_queue_is_invalid() {
        let error = check_demand(&Demand::of([], 1)).expect_err("no queue");

        assert_eq!(error.kind(), QueueErrorKind::Invalid);
        assert!(check_demand(&Demand::new("mail", 1)).is_ok());
    }

    #[test]
    fn a_newer_transition_is_unsupported() {
        let settlements = vec![settlement(Transition::complete()), settlement(Transition::Release)];

        let taken = old().settlements(settlements);

        assert_eq!(taken.map_err(|error| error.kind()).err(), Some(QueueErrorKind::Unsupported));
    }

    #[test]
    fn the_error_of_a_newer_schedule_names_the_job() {
        let now = NewJob::new("send_mail", Body::stored("{}"));
        let later = now.clone().delay(Lease::DEFAULT_LENGTH);
        let completion = settlement(Transition::complete()).followups(vec![now.clone(), later.clone()]);

        let errors = [old().jobs(vec![now, later]).err(), old().settlements(vec![completion]).err()];

        for error in errors {
            let error = error.expect("a newer schedule");
            assert_eq!(error.kind(), QueueErrorKind::Unsupported);
            assert!(error.to_string().starts_with("job 1 of the batch (`send_mail`)"), "{error}");
        }
    }

    #[test]
    fn settlements_are_returned_without_their_followups() {
        let job = NewJob::new("send_mail", Body::stored("{}"));
        let settlements = vec![
            settlement(Transition::complete()),
            settlement(Transition::complete()).followups(vec![job.clone(), job]),
        ];

        let (settlements, followups) = old().settlements(settlements).expect("two completions");

        assert!(settlements.iter().all(|settlement| settlement.followups.is_empty()));
        assert_eq!(followups.iter().map(Vec::len).collect::<Vec<_>>(), [0, 2]);
    }
}
