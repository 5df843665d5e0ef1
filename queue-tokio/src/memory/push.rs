//! Pushes: one path for a batch and for one job, whether the caller waits for capacity or not.

use std::mem;

use queue_core::table::{JobTable, Reservation};
use queue_core::{JobId, NewJob, QueueError, QueueErrorKind, Receipt, Timestamp};

use super::inbox::{Inbox, RESERVATIONS};
use super::{LockedState, Shared};

/// The jobs of one push.
pub(super) trait Batch: Default {
    type Receipts;

    fn jobs(&self) -> &[NewJob];

    /// Stores the jobs, or refuses them. The caller has reserved their capacity.
    fn store(self, table: &mut JobTable, now: Timestamp) -> Result<Self::Receipts, QueueError>;
}

impl Batch for Vec<NewJob> {
    type Receipts = Vec<Receipt>;

    fn jobs(&self) -> &[NewJob] {
        self
    }

    fn store(self, table: &mut JobTable, now: Timestamp) -> Result<Vec<Receipt>, QueueError> {
        table.push(now, self)
    }
}

/// One job, which needs no list.
impl Batch for Option<NewJob> {
    type Receipts = Option<Receipt>;

    fn jobs(&self) -> &[NewJob] {
        self.as_slice()
    }

    fn store(self, table: &mut JobTable, now: Timestamp) -> Result<Option<Receipt>, QueueError> {
        self.map(|job| table.push_one(now, job)).transpose()
    }
}

impl Shared {
    /// Takes a job into the inbox, if it needs nothing of the table and a place is reserved.
    pub(super) fn push_to_inbox(&self, job: &mut Option<NewJob>) -> Option<JobId> {
        let suits =
            |job: &NewJob| Reservation::suits(job) && self.limits.check(std::slice::from_ref(job)).is_ok();
        job.as_ref().filter(|job| suits(job))?;
        let (id, is_short_of_places) = self.inbox.push(job, self.clock.now())?;
        if is_short_of_places {
            self.reserve();
        }
        if self.claimers.is_any() {
            // Stores the job, and wakes a claimer.
            self.locked(|_, _| ());
        }
        Some(id)
    }

    /// Reserves places for later pushes, unless a producer waits for capacity.
    pub(super) fn reserve(&self) {
        self.locked(|state, _| {
            if !state.is_closed && !self.producers.is_any() && self.inbox.needs_reservations() {
                state.reserve(self.bound, &self.inbox);
            }
        });
    }

    /// Stores a batch and takes it out of `batch`, or leaves it there and returns `None` if it has to wait for capacity.
    ///
    /// # Errors
    ///
    /// `Closed`, and the errors of [`JobTable::push`] apart from `Full`. A batch that is invalid is refused, not made to wait.
    pub(super) fn try_store<B: Batch>(&self, batch: &mut B) -> Result<Option<B::Receipts>, QueueError> {
        let stored = self.locked(|state, now| {
            let stored = state.try_store(self.bound, now, batch, 0)?;
            if stored.is_some() || !state.return_capacity(&self.inbox) {
                return Ok(stored);
            }
            state.try_store(self.bound, now, batch, 0)
        })?;
        if stored.is_none() {
            self.limits.check(batch.jobs())?;
        }
        Ok(stored)
    }

    /// Stores a batch, and waits for capacity as often as followups take it first.
    pub(super) async fn store_when_capacity_is_free(
        &self,
        mut batch: Vec<NewJob>,
    ) -> Result<Vec<Receipt>, QueueError> {
        let _waiting = self.producers.enter();
        loop {
            let (capacity, needed) = self.locked(|state, now| {
                state.return_reservations(&self.inbox);
                (state.capacity.semaphore(), state.table.room_needed(now, &batch))
            });
            // Unique keys freed meanwhile may have made the batch larger than the bound. Then it needs no permits: the table
            // refuses it.
            let fits_at_all = |needed: &u32| self.bound.is_none_or(|bound| *needed <= bound);
            let permits = u32::try_from(needed).ok().filter(fits_at_all).unwrap_or(0);
            let permit = tokio::select! {
                biased;
                permit = capacity.acquire_many_owned(permits) => permit.map_err(|_| QueueError::closed())?,
                never = self.drive_timer() => match never {},
            };
            let stored = self.locked(|state, now| {
                permit.forget();
                state.try_store(self.bound, now, &mut batch, permits as usize)
            })?;
            if let Some(receipts) = stored {
                return Ok(receipts);
            }
        }
    }

    /// Returns why a batch that was not stored has to wait.
    pub(super) fn full(&self, jobs: &[NewJob]) -> QueueError {
        self.locked(|state, now| {
            let (room, needed) = (state.table.room().unwrap_or(u64::MAX), state.table.room_needed(now, jobs));
            let text = if room >= needed as u64 {
                "the queue is full: earlier pushes are waiting for the remaining capacity".to_owned()
            } else {
                let (unfinished, bound) = (state.table.unfinished(), self.bound.unwrap_or(u32::MAX));
                format!("the queue is full: {unfinished} of {bound} jobs are unfinished")
            };
            QueueError::new(QueueErrorKind::Full, text)
        })
    }
}

impl LockedState {
    /// Stores a batch, or leaves it if it has to wait for capacity. `acquired` is the number of permits that the caller waited
    /// for.
    fn try_store<B: Batch>(
        &mut self,
        bound: Option<u32>,
        now: Timestamp,
        batch: &mut B,
        acquired: usize,
    ) -> Result<Option<B::Receipts>, QueueError> {
        self.capacity.consume(acquired);
        self.check_open()?;
        if self.try_reserve(bound, now, batch.jobs(), acquired) {
            return mem::take(batch).store(&mut self.table, now).map(Some);
        }
        Ok(None)
    }

    /// Reserves places for later pushes, as far as there is capacity for them.
    fn reserve(&mut self, bound: Option<u32>, inbox: &Inbox) {
        let count = match bound {
            Some(_) => self.capacity.try_acquire_up_to(RESERVATIONS),
            None => RESERVATIONS,
        };
        self.capacity.consume(count);
        inbox.add_reservations(self.table.reserve(count).into_iter());
    }

    /// Releases the capacity of reserved places. Returns whether there were any.
    fn return_capacity(&mut self, inbox: &Inbox) -> bool {
        let are_any = self.return_reservations(inbox);
        for permits in self.update_permits() {
            permits.release();
        }
        are_any
    }

    /// Reserves the capacity that jobs need. Returns `false` if they have to wait for it.
    fn try_reserve(&mut self, bound: Option<u32>, now: Timestamp, jobs: &[NewJob], acquired: usize) -> bool {
        let Some(bound) = bound else { return true };
        let needed = self.table.room_needed(now, jobs);
        // The table refuses a batch that never fits.
        if needed > bound as usize {
            return true;
        }
        if acquired == 0 {
            if !self.capacity.try_acquire_exactly(needed) {
                return false;
            }
            // If the table then refuses the batch, `update_permits` makes the capacity available again.
            self.capacity.consume(needed);
        }
        // A followup may have taken capacity for which there still are permits.
        self.table.room().is_none_or(|room| room >= needed as u64)
    }
}
