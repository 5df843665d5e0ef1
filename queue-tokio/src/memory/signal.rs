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
pub(super) struct Signal {
    permits: Arc<Semaphore>,
    granted: usize,
}

impl Signal {
    pub(super) fn new() -> Self {
        Self { permits: Arc::new(Semaphore::new(0)), granted: 0 }
    }

    /// Makes the permits match what there is: gives those that lack, to be handed out, and takes free ones away that are
    /// too many.
    pub(super) fn grant(&mut self, there_is: usize) -> Option<Grant> {
        let there_is = there_is.min(Semaphore::MAX_PERMITS);
        if there_is > self.granted {
            let grant = Grant { permits: self.permits.clone(), count: there_is - self.granted };
            self.granted = there_is;
            return Some(grant);
        }
        if there_is < self.granted {
            self.granted -= self.permits.forget_permits(self.granted - there_is);
        }
        None
    }

    /// Takes up to `max` free permits, without waiting; they are to be spent.
    pub(super) fn try_take(&self, max: usize) -> usize {
        loop {
            let free = self.permits.available_permits().min(max);
            if free == 0 || self.try_take_all(free) {
                return free;
            }
            if self.permits.is_closed() {
                return 0;
            }
            // Somebody who waits has taken one in between; then look again.
        }
    }

    /// Takes so many free permits, if there are as many; they are to be spent.
    pub(super) fn try_take_all(&self, count: usize) -> bool {
        let Ok(count) = u32::try_from(count) else { return false };
        let taken = self.permits.try_acquire_many(count);
        taken.map(SemaphorePermit::forget).is_ok()
    }

    /// Notes that permits were used up.
    pub(super) fn spend(&mut self, permits: usize) {
        self.granted = self.granted.saturating_sub(permits);
    }

    /// Waits for a permit, first come, first served.
    pub(super) fn permit(
        &self,
    ) -> impl Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send + use<> {
        self.permits.clone().acquire_owned()
    }

    /// Ends the waits of all who wait for permits, with an error.
    pub(super) fn close(&self) {
        self.permits.close();
    }

    /// The permits, to wait for several at once.
    pub(super) fn permits(&self) -> Arc<Semaphore> {
        self.permits.clone()
    }
}

/// Permits that are granted and wait to be handed out, which wakes those who wait for them.
#[must_use = "whoever waits for these permits waits on until they are handed out"]
pub(super) struct Grant {
    permits: Arc<Semaphore>,
    count: usize,
}

impl Grant {
    pub(super) fn hand_out(self) {
        self.permits.add_permits(self.count);
    }
}
