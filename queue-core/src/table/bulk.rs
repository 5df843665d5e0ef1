//! Changes to all jobs that match a filter.

use super::JobTable;
use crate::contract::admin::Cancellation;
use crate::contract::change::Change;
use crate::contract::clock::Timestamp;
use crate::contract::filter::Filter;
use crate::contract::id::JobId;

impl JobTable {
    /// Returns the ids of all jobs that match, in push order.
    pub fn matching(&mut self, now: Timestamp, filter: &Filter) -> Vec<JobId> {
        self.advance(now);
        let matched = self.store.iter().filter(|(_, job)| self.passes(filter, job));
        let mut matched: Vec<_> = matched.map(|(_, job)| (job.sequence, job.id)).collect();
        matched.sort_unstable();
        matched.into_iter().map(|(_, id)| id).collect()
    }

    /// Changes those of these jobs that match and that allow the change. Returns their number.
    pub fn change(&mut self, now: Timestamp, ids: &[JobId], filter: &Filter, change: &Change) -> u64 {
        self.advance(now);
        let mut changed = 0;
        for id in ids {
            let matches = self.store.find(*id).is_some_and(|slot| self.passes(filter, &self.store[slot]));
            changed += u64::from(matches && self.change_one(now, *id, change));
        }
        changed
    }

    /// Changes a job. Returns whether it allowed the change.
    fn change_one(&mut self, now: Timestamp, id: JobId, change: &Change) -> bool {
        match change {
            Change::Cancel { reason } => {
                self.cancel(now, id, reason).is_ok_and(|cancellation| cancellation != Cancellation::Finished)
            }
            Change::Retry => self.retry(now, id).is_ok(),
            Change::Delete => self.delete(now, id).is_ok(),
        }
    }
}
