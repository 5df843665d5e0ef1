//! A semaphore whose permits mirror a count: of ready jobs, or of free capacity.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Permits for ready jobs, or for free capacity.
///
/// **Invariant:** `granted` = available + acquired + pending permits, and is at least the count that the permits mirror. It is
/// larger if the count fell after a permit was acquired, as when a job is cancelled: the holder of that permit finds nothing.
#[derive(Debug)]
pub(super) struct Permits {
    semaphore: Arc<Semaphore>,
    granted: usize,
}

impl Permits {
    pub(super) fn new() -> Self {
        Self { semaphore: Arc::new(Semaphore::new(0)), granted: 0 }
    }

    /// Adjusts the permits to `available`: returns missing permits for the caller to release, or removes surplus ones that are
    /// not acquired.
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

    /// Acquires up to `max` available permits, without waiting. The caller must `consume` them.
    pub(super) fn try_acquire_up_to(&self, max: usize) -> usize {
        loop {
            let free = self.semaphore.available_permits().min(max);
            if free == 0 || self.try_acquire_exactly(free) {
                return free;
            }
            if self.semaphore.is_closed() {
                return 0;
            }
            // A waiter has acquired a permit in between: try again.
        }
    }

    /// Acquires `count` permits if that many are available, without waiting. The caller must `consume` them.
    pub(super) fn try_acquire_exactly(&self, count: usize) -> bool {
        let Ok(count) = u32::try_from(count) else { return false };
        let acquired = self.semaphore.try_acquire_many(count);
        acquired.map(SemaphorePermit::forget).is_ok()
    }

    /// Removes acquired permits from the count of granted ones.
    pub(super) fn consume(&mut self, permits: usize) {
        self.granted = self.granted.saturating_sub(permits);
    }

    /// Waits for a permit, first come, first served.
    pub(super) fn acquire(
        &self,
    ) -> impl Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send + use<> {
        self.semaphore.clone().acquire_owned()
    }

    /// Ends all waits for permits with an error.
    pub(super) fn close(&self) {
        self.semaphore.close();
    }

    /// Returns the semaphore, to wait for several permits together.
    pub(super) fn semaphore(&self) -> Arc<Semaphore> {
        self.semaphore.clone()
    }
}

/// Permits that are granted but not yet released; releasing them wakes waiters.
#[must_use = "waiters are not woken until these permits are released"]
pub(super) struct PendingPermits {
    semaphore: Arc<Semaphore>,
    count: usize,
}

impl PendingPermits {
    pub(super) fn release(self) {
        self.semaphore.add_permits(self.count);
    }
}
