//! The calls that tests make on the queue without waiting.

use queue_core::admin::{Filter, PageRequest};
use queue_core::{JobRecord, Timestamp};

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

    /// Returns when a job is due or a lease expires next.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.read(|state, _| state.table.next_due())
    }
}
