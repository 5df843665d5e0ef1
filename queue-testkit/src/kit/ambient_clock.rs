//! The clock of the runtime that the kit is built in.

use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::clock::VirtualClock;

/// Returns tokio's paused time inside a current-thread tokio runtime, and a new clock anywhere else.
pub(super) fn clock() -> VirtualClock {
    match Handle::try_current() {
        Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::CurrentThread => {
            if !is_paused() {
                tokio::time::pause();
            }
            VirtualClock::of_tokio()
        }
        Ok(_) | Err(_) => VirtualClock::new(),
    }
}

/// Returns whether tokio's time stands still while real time passes.
fn is_paused() -> bool {
    let (before, real) = (tokio::time::Instant::now(), Instant::now());
    while real.elapsed() < Duration::from_micros(2) {
        std::hint::spin_loop();
    }
    before == tokio::time::Instant::now()
}
