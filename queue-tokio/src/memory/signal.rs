//! The semaphore signal: as many permits as there is to be had of something.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// Permits for ready jobs, or for free room.
///
/// **Invariant:** `granted` counts the permits that are free or in somebody's hands. It is never less than what there is
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

    /// Makes the permits match what there is: adds what lacks, and takes free ones away that are too many.
    pub(super) fn grant(&mut self, there_is: usize) {
        let there_is = there_is.min(Semaphore::MAX_PERMITS);
        if there_is > self.granted {
            self.permits.add_permits(there_is - self.granted);
            self.granted = there_is;
        } else if there_is < self.granted {
            self.granted -= self.permits.forget_permits(self.granted - there_is);
        }
    }

    /// Takes up to `max` free permits, without waiting; they are to be spent or given back.
    pub(super) fn try_take(&self, max: usize) -> usize {
        loop {
            let free = self.permits.available_permits().min(max);
            let Ok(wanted) = u32::try_from(free) else { return 0 };
            if wanted == 0 {
                return 0;
            }
            // Somebody who waits may have taken one in between; then look again.
            if let Ok(permits) = self.permits.try_acquire_many(wanted) {
                permits.forget();
                return free;
            }
        }
    }

    /// Gives permits back that were taken.
    pub(super) fn give_back(&self, permits: usize) {
        self.permits.add_permits(permits);
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

    /// The permits, to wait for several at once.
    pub(super) fn permits(&self) -> Arc<Semaphore> {
        self.permits.clone()
    }
}
