//! What the kit asks of its queue without waiting.

use queue_core::admin::{Filter, PageRequest};
use queue_core::{JobRecord, Lease, QueueName, Renewal, Settlement, Timestamp, Transition};

use super::ModelQueue;

impl ModelQueue {
    /// Lists all jobs, finished ones too, in push order.
    pub(crate) fn records(&self) -> Vec<JobRecord> {
        self.read(|state, now| {
            state
                .table
                .list(now, &Filter::all(), &PageRequest::first(usize::MAX))
                .map_or_else(|_| Vec::new(), |page| page.jobs)
        })
    }

    /// Lists the queues that were ever pushed to, sorted.
    pub(crate) fn queues(&self) -> Vec<QueueName> {
        self.read(|state, now| state.table.counts(now)).into_iter().map(|counts| counts.queue).collect()
    }

    /// Tells when time next changes something.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.read(|state, _| state.table.next_due())
    }

    /// Gives jobs back behind their holder's back.
    pub(crate) fn release_now(&self, leases: &[Lease]) {
        let releases =
            leases.iter().map(|lease| Settlement::new(lease.clone(), Transition::Release)).collect();
        // A release has no followup that could be invalid.
        drop(self.change(|state, now| state.table.settle(now, releases)));
    }

    pub(crate) fn renew_now(&self, leases: &[Lease]) -> Vec<Renewal> {
        self.change(|state, now| state.table.renew(now, leases))
    }
}
