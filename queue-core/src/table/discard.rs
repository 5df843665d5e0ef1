//! Discards a job, and stores its `on_discard` job.

use super::{JobTable, Slot};
use crate::contract::clock::Timestamp;
use crate::contract::job::NewJob;
use crate::contract::record::State;

impl JobTable {
    /// Discards a job at an instant: now, or when its last lease expired. Its last error is in its history already.
    pub(super) fn discard(&mut self, slot: Slot, at: Timestamp) {
        let on_discard_job = self.on_discard_job(slot);
        self.finish_at(slot, State::Discarded, at);
        if let Some(job) = on_discard_job {
            // The job has neither an identity nor a unique key, so it is always stored.
            let _: crate::contract::queue::Receipt = self.store(job);
        }
    }

    /// Returns the job to store if this one is discarded: the one that it names itself, otherwise the default of its last claim.
    fn on_discard_job(&self, slot: Slot) -> Option<NewJob> {
        let extras = self.store[slot].extras.as_ref()?;
        let on_discard = extras.on_discard.as_ref().or(extras.default_on_discard.as_ref())?;
        on_discard.job_for(self.store.record(slot))
    }
}
