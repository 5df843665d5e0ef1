//! The semaphore signal: as many permits as there is to be had of something.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Permits for ready jobs, or for free room.
///
/// **Invariant:** `granted` counts the permits that are free, in somebody's hands, or about to be handed out. It is never less than what there is
/// to be had; where it's more, since something was taken away that somebody already held a permit for, that permit
/// finds nothing when it's spent.
#[derive(Debug)]
pub(super) struct Permits {
    semaphore: Arc<Semaphore>,
    granted: usize,
}

impl Permits {
    pub(super) fn new() -> Self {
        Self { semaphore: Arc::new(Semaphore::new(0)), granted: 0 }
    }

    /// Makes the permits match what there is: gives those that lack, to be handed out, and takes free ones away that are
    /// too many.
    pub(super) fn set_available(&mut self, available: usize) -> Option<PendingPermits> {
        let available = available.min(Semaphore::MAX_PERMITS);
        if available > self.granted {
            let pending =
                PendingPermits { semaphore: self.semaphore.clone(), count: available - self.granted };
            self.granted = available;
            return Some(pending);
        }
        if available < self.granted {
            self.granted -= self.semaphore.forget_permits(self.granted - available);
        }
        None
    }

    /// Takes up to `max` free permits, without waiting; they are to be spent.
    pub(super) fn try_acquire_up_to(&self, max: usize) -> usize {
        loop {
            let free = self.semaphore.available_permits().min(max);
            if free == 0 || self.try_acquire_exactly(free) {
                return free;
            }
            if self.semaphore.is_closed() {
                return 0;
            }
            // Somebody who waits has taken one in between; then look again.
        }
    }

    /// Takes so many free permits, if there are as many; they are to be spent.
    pub(super) fn try_acquire_exactly(&self, count: usize) -> bool {
        let Ok(count) = u32::try_from(count) else { return false };
        let acquired = self.semaphore.try_acquire_many(count);
        acquired.map(SemaphorePermit::forget).is_ok()
    }

    /// Notes that permits were used up.
    pub(super) fn consume(&mut self, permits: usize) {
        self.granted = self.granted.saturating_sub(permits);
    }

    /// Waits for a permit, first come, first served.
    pub(super) fn acquire(
        &self,
    ) -> impl Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send + use<> {
        self.semaphore.clone().acquire_owned()
    }

    /// Ends the waits of all who wait for permits, with an error.
    pub(super) fn close(&self) {
        self.semaphore.close();
    }

    /// The permits, to wait for several at once.
    pub(super) fn semaphore(&self) -> Arc<Semaphore> {
        self.semaphore.clone()
    }
}

/// Permits that are granted and wait to be handed out, which wakes those who wait for them.
#[must_use = "whoever waits for these permits waits on until they are handed out"]
pub(super) struct PendingPermits {
    semaphore: Arc<Semaphore>,
    count: usize,
}

impl PendingPermits {
    pub(super) fn release(self) {
        self.semaphore.add_permits(self.count);
    }
}
