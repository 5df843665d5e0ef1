//! The jobs in flight of one lane.

use std::sync::Arc;

use queue_core::{AttemptRunner, Delivery, Timestamp};

use super::job::InFlightJob;

/// The jobs in flight, each in a slot. The lane's lock guards it.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    slots: Vec<Option<Arc<InFlightJob>>>,
    free: Vec<FreeSlot>,
    jobs: usize,
    /// An empty list for the next batch of free slots. Large lists that are allocated for each batch are slow to free.
    spare: Vec<FreeSlot>,
}

/// A free slot, with the memory of the last job that was in it.
#[derive(Debug)]
pub(super) struct FreeSlot {
    slot: usize,
    spent: Option<Arc<InFlightJob>>,
}

impl InFlight {
    pub(super) fn is_empty(&self) -> bool {
        self.jobs == 0
    }

    /// Takes `count` free slots, new ones if there are too few.
    pub(super) fn take_free(&mut self, count: usize) -> Vec<FreeSlot> {
        let mut free = self.take_spare();
        let kept = self.free.len().saturating_sub(count);
        free.extend(self.free.drain(kept..));
        while free.len() < count {
            free.push(FreeSlot { slot: self.slots.len(), spent: None });
            self.slots.push(None);
        }
        free
    }

    /// Takes the empty list, for slots that are then [added](Self::add_free).
    pub(super) fn take_spare(&mut self) -> Vec<FreeSlot> {
        std::mem::take(&mut self.spare)
    }

    /// Adds free slots, and keeps their list for the next batch.
    pub(super) fn add_free(&mut self, mut free: Vec<FreeSlot>) {
        self.free.append(&mut free);
        self.spare = free;
    }

    /// Puts a job into its slot.
    pub(super) fn insert(&mut self, job: Arc<InFlightJob>) {
        let slot = job.slot();
        if let Some(place) = self.slots.get_mut(slot) {
            *place = Some(job);
            self.jobs += 1;
        }
    }

    /// Takes a job out of its slot.
    pub(super) fn remove(&mut self, job: &InFlightJob) {
        if self.slots.get_mut(job.slot()).is_some_and(|slot| slot.take().is_some()) {
            self.jobs -= 1;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<InFlightJob>> {
        self.slots.iter().flatten()
    }
}

impl FreeSlot {
    /// Creates it from a settled job. Keeps the job's memory, if nothing else refers to it.
    pub(super) fn of(mut job: Arc<InFlightJob>) -> Self {
        let slot = job.slot();
        let is_spent = Arc::get_mut(&mut job).is_some_and(InFlightJob::clear);
        Self { slot, spent: is_spent.then_some(job) }
    }

    /// Creates the job of a delivery, in this slot of a lane.
    pub(super) fn job(
        self,
        delivery: Delivery,
        lane: usize,
        runner: &AttemptRunner,
        now: Timestamp,
    ) -> Arc<InFlightJob> {
        if let Some(mut spent) = self.spent
            && let Some(job) = Arc::get_mut(&mut spent)
        {
            job.reuse(now, |attempt| runner.attempt_in(attempt, delivery, now));
            return spent;
        }
        Arc::new(InFlightJob::new(runner.attempt(delivery), lane, self.slot, now))
    }
}
