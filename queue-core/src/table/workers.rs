//! The workers that have announced themselves.

use std::collections::BTreeMap;

use super::JobTable;
use crate::contract::announcement::{Announcement, WorkerRecord};
use crate::contract::clock::Timestamp;
use crate::contract::worker_id::WorkerId;

/// The last announcement of each worker, with its instant.
#[derive(Debug, Default)]
pub(super) struct Announced(BTreeMap<WorkerId, (Announcement, Timestamp)>);

impl JobTable {
    /// Stores the announcement of a worker, or removes the worker if it has stopped. Removes workers that vanished long ago.
    pub fn announce(&mut self, now: Timestamp, announcement: &Announcement) {
        self.advance(now);
        let announced = &mut self.announced.0;
        if announcement.valid_for.is_zero() {
            announced.remove(&announcement.worker);
        } else {
            announced.insert(announcement.worker.clone(), (announcement.clone(), self.now));
        }
        if announced.len() > WorkerRecord::MAX_VANISHED {
            let listed = self.listed_workers();
            let is_listed =
                |worker: &WorkerId| listed.binary_search_by(|record| record.worker.cmp(worker)).is_ok();
            self.announced.0.retain(|worker, _| is_listed(worker));
        }
    }

    /// Returns the workers that run, and those that vanished within the last hour, sorted by identity.
    pub fn workers(&mut self, now: Timestamp) -> Vec<WorkerRecord> {
        self.advance(now);
        self.listed_workers()
    }

    pub(super) fn listed_workers(&self) -> Vec<WorkerRecord> {
        WorkerRecord::list(self.announced.0.values().cloned(), self.now)
    }
}
