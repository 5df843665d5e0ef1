//! A call of the queue by a hosted loop, as observers see it.

use std::time::Duration;

use crate::contract::queue::Delivery;

/// A call of the queue by a hosted loop.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueCall {
    /// The operation: `claim`, `renew` or `settle`.
    pub operation: &'static str,
    /// How long the call took.
    pub took: Duration,
    /// The number of jobs that were claimed, renewed or settled.
    pub jobs: usize,
    /// Whether the call failed. A settlement that the queue refuses has not failed.
    pub has_failed: bool,
    /// Whether the call may have waited for a job to become ready, as most claims of an idle service do. If so, `took` says
    /// nothing about the speed of the queue.
    pub has_waited: bool,
}

impl QueueCall {
    /// Creates a call that was answered.
    #[must_use]
    pub const fn new(operation: &'static str, took: Duration, jobs: usize) -> Self {
        Self { operation, took, jobs, has_failed: false, has_waited: false }
    }

    /// Creates a claim that was answered with these deliveries.
    ///
    /// The claim has not waited if one of the jobs had been ready, by the backend's clock, for at least as long as the claim
    /// took. If the leases never expire, the time of the claim is unknown, and the claim counts as one that has waited.
    #[must_use]
    pub fn claim(took: Duration, deliveries: &[Delivery]) -> Self {
        let ready_for = |job: &Delivery| Some(job.lease.claimed_at()?.since(job.run_at));
        let has_waited = !deliveries.iter().any(|job| ready_for(job).is_some_and(|ready| ready >= took));
        Self { has_waited, ..Self::new("claim", took, deliveries.len()) }
    }

    /// Marks the call as failed.
    #[must_use]
    pub const fn failed(mut self) -> Self {
        self.has_failed = true;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::body::Body;
    use crate::contract::clock::Timestamp;
    use crate::contract::id::JobId;
    use crate::contract::lease::{Fence, Lease};
    use crate::contract::name::JobName;
    use crate::contract::record::JobRecord;

    const SECOND: Duration = Duration::from_secs(1);

    /// Returns a delivery that was claimed at 100 s and had been ready for this long; without an end, its lease never expires.
    fn ready_for(ready: Duration, has_end: bool) -> Delivery {
        let claimed_at = Timestamp::EPOCH.saturating_add(100 * SECOND);
        let mut record = JobRecord::new(JobId::from_u128(1), JobName::from_static("job"), Body::NULL);
        record.run_at = claimed_at.saturating_sub(ready);
        let length = if has_end { 30 * SECOND } else { Duration::MAX };
        let lease = Lease::new(record.id, Fence(1), length, claimed_at.saturating_add(length));
        Delivery::new(record, lease)
    }

    #[test]
    fn a_claim_has_waited_unless_one_of_its_jobs_was_ready_from_its_beginning() {
        let has_waited = |deliveries: &[Delivery]| QueueCall::claim(2 * SECOND, deliveries).has_waited;

        assert!(!has_waited(&[ready_for(SECOND, true), ready_for(2 * SECOND, true)]));
        assert!(has_waited(&[ready_for(SECOND, true), ready_for(Duration::ZERO, true)]));
        assert!(has_waited(&[ready_for(9 * SECOND, false)]), "the time of the claim is unknown");
        assert!(has_waited(&[]));
    }
}
