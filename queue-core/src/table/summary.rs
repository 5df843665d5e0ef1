//! The state of each queue, read from the indexes without a visit to any job.

use super::JobTable;
use super::store::QueueState;
use crate::contract::clock::Timestamp;
use crate::contract::record::State;
use crate::contract::summary::{Count, QueueSummary};

impl JobTable {
    /// Returns a summary of each queue, sorted by name, with counts up to a cap.
    pub fn summary(&mut self, now: Timestamp, cap: u64) -> Vec<QueueSummary> {
        self.advance(now);
        let used = (0..).zip(self.store.queues()).filter(|(_, queue)| queue.is_used);
        let mut summaries: Vec<_> = used.map(|(number, queue)| self.summary_of(number, queue, cap)).collect();
        summaries.sort_by(|a, b| a.queue.cmp(&b.queue));
        let workers = self.listed_workers();
        summaries.iter_mut().for_each(|summary| summary.add_workers(&workers));
        summaries
    }

    fn summary_of(&self, number: u32, queue: &QueueState, cap: u64) -> QueueSummary {
        let counts = queue.counts();
        let mut summary = QueueSummary::new(counts.queue.clone(), counts.paused, self.now);
        for state in State::ALL {
            summary.set(state, Count::up_to(cap, counts.of(state)));
        }
        summary.oldest_ready = queue.oldest_ready(cap);
        summary.next_due = self.store.next_due_of(number);
        summary
    }
}
