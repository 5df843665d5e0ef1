//! The lock around the table, which loom can put in any order.

use std::sync::PoisonError;
#[cfg(not(loom))]
use std::sync::TryLockError;

#[cfg(loom)]
pub(super) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(loom))]
pub(super) use std::sync::{Mutex, MutexGuard};

/// How often to try before the thread goes to sleep: for some ten microseconds, longer than most operations take.
///
/// To put a thread to sleep and wake it costs both sides more than that. The pauses grow, so that the thread that has the
/// table's lines of the cache gets some more done before they have to go to another core.
#[cfg(not(loom))]
const TRIES: u32 = 16;

/// Locks. A thread that panicked while it held the lock was between whole steps of the table: its state stands.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    #[cfg(not(loom))]
    for tries in 0..TRIES {
        match mutex.try_lock() {
            Ok(guard) => return guard,
            Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => (0..1_u32 << tries.min(6)).for_each(|_| std::hint::spin_loop()),
        }
    }
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
