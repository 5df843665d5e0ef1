//! The time of the runtime that the kit is built in.

use std::time::{Duration, Instant};

use queue_core::Timestamp;
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::clock::VirtualClock;

/// Returns tokio's paused time inside a current-thread tokio runtime, and a new clock anywhere else. It starts at `start`.
pub(super) fn virtual_clock(start: Timestamp) -> VirtualClock {
    if !is_current_thread() {
        return VirtualClock::starting_at(start);
    }
    if !is_paused() {
        tokio::time::pause();
    }
    VirtualClock::of_tokio_at(start)
}

/// Returns whether tokio's time stands still while real time passes.
pub(super) fn is_paused() -> bool {
    if !is_current_thread() {
        return false;
    }
    let (before, real) = (tokio::time::Instant::now(), Instant::now());
    while real.elapsed() < Duration::from_micros(2) {
        std::hint::spin_loop();
    }
    before == tokio::time::Instant::now()
}

fn is_current_thread() -> bool {
    let runtime = Handle::try_current();
    runtime.is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::CurrentThread)
}
