//! The jobs that a block of code enqueues.

use std::collections::HashSet;

use queue_core::admin::Filter;
use queue_core::{Job, JobId, JobRecord};

use super::{TestKit, readable};

/// The jobs that a block of code enqueued.
#[derive(Debug)]
pub struct Enqueued<T> {
    /// The jobs, in push order.
    pub jobs: Vec<JobRecord>,
    /// The block's output.
    pub output: T,
}

impl<T> Enqueued<T> {
    /// Returns the payloads of the jobs of type `J`.
    #[must_use]
    pub fn of<J: Job>(&self) -> Vec<J> {
        let of_kind = self.jobs.iter().filter(|record| record.name == J::NAME);
        of_kind.filter_map(|record| record.body.decode().ok()).collect()
    }
}

impl TestKit {
    /// Runs the block and returns the unfinished jobs that it enqueued.
    ///
    /// # Panics
    ///
    /// If the store can't be read.
    pub async fn enqueued_by<F: Future>(&self, block: F) -> Enqueued<F::Output> {
        let store = self.queue.store();
        let before: HashSet<JobId> =
            readable(store.jobs(Filter::all()).await).iter().map(|record| record.id).collect();
        let output = self.drive(block).await;
        let mut jobs = readable(store.jobs(Filter::all().unfinished()).await);
        jobs.retain(|record| !before.contains(&record.id));
        Enqueued { jobs, output }
    }
}
