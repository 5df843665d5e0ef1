//! The calls that the kit makes on its queue without waiting.

use queue_core::admin::{Filter, PageRequest};
use queue_core::{Heartbeat, JobRecord, Lease, QueueName, Renewal, Settlement, Timestamp, Transition};

use super::ModelQueue;

impl ModelQueue {
    /// Returns all jobs, in push order, finished jobs included.
    pub(crate) fn records(&self) -> Vec<JobRecord> {
        self.read(|state, now| {
            state
                .table
                .list(now, &Filter::all(), &PageRequest::first(usize::MAX))
                .map_or_else(|_| Vec::new(), |page| page.jobs)
        })
    }

    /// Returns the queues that were ever pushed to, sorted.
    pub(crate) fn queues(&self) -> Vec<QueueName> {
        self.read(|state, now| state.table.counts(now)).into_iter().map(|counts| counts.queue).collect()
    }

    /// Returns when a job is due or a lease expires next.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.read(|state, _| state.table.next_due())
    }

    /// Releases jobs although their holder did not ask for it.
    pub(crate) fn release_now(&self, leases: &[Lease]) {
        let releases =
            leases.iter().map(|lease| Settlement::new(lease.clone(), Transition::Release)).collect();
        // A release has no followup that could be invalid.
        drop(self.change(|state, now| state.table.settle(now, releases)));
    }

    pub(crate) fn renew_now(&self, leases: &[Lease]) -> Vec<Renewal> {
        self.change(|state, now| state.table.renew(now, &Heartbeat::of(leases)))
    }
}
