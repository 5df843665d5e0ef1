//! Whose time it is here.

use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::clock::VirtualClock;

/// Takes tokio's paused time inside a current-thread tokio runtime, and a clock of its own anywhere else.
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

/// Tells whether tokio's time stands still while real time goes on.
fn is_paused() -> bool {
    let (before, real) = (tokio::time::Instant::now(), Instant::now());
    while real.elapsed() < Duration::from_micros(2) {
        std::hint::spin_loop();
    }
    before == tokio::time::Instant::now()
}
