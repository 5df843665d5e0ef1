//! The locks and atomics of the queue, which loom can replace.

use std::sync::PoisonError;
#[cfg(not(queue_loom))]
use std::sync::TryLockError;

#[cfg(queue_loom)]
pub(super) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicUsize, Ordering},
};
#[cfg(not(queue_loom))]
pub(super) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicUsize, Ordering},
};

/// How often a thread tries to lock before it sleeps: for about ten microseconds, longer than most operations take.
///
/// Putting a thread to sleep and waking it costs both sides more than that.
#[cfg(not(queue_loom))]
const TRIES: u32 = 8;

/// Pauses before a try, in spin-loop hints of the processor.
///
/// Even a failed try takes the lock's cache line from its owner, and a successful one takes all cache lines of the table
/// that are in use. So the pause leaves the owner alone for about as long as a few pushes take.
#[cfg(not(queue_loom))]
fn pause(tries: u32) {
    for _ in 0..1_u32 << (tries + 4).min(7) {
        std::hint::spin_loop();
    }
}

/// Locks the mutex. A thread that panicked under the lock was between whole steps of the table, so the state is valid.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    #[cfg(not(queue_loom))]
    for tries in 0..TRIES {
        match mutex.try_lock() {
            Ok(guard) => return guard,
            Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => pause(tries),
        }
    }
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
