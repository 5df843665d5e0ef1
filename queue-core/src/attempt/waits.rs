//! The waits of an attempt for resources, which its timeout does not count.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::attempt::environment::Environment;
use crate::contract::clock::Timestamp;

/// The waits of one attempt. They may overlap.
#[derive(Default)]
pub(super) struct Waits(Mutex<Times>);

#[derive(Default)]
struct Times {
    /// The number of waits that are open now.
    open: usize,
    /// When the first of them began.
    since: Timestamp,
    /// The total time of finished waits.
    over: Duration,
}

/// A wait for a resource. It ends when this is dropped.
pub(super) struct Wait<'a> {
    waits: &'a Waits,
    environment: &'a Environment,
}

impl Waits {
    /// Begins a wait.
    pub(super) fn begin<'a>(&'a self, environment: &'a Environment) -> Wait<'a> {
        let now = environment.clock.now();
        let mut times = self.lock();
        if times.open == 0 {
            times.since = now;
        }
        times.open += 1;
        Wait { waits: self, environment }
    }

    /// Returns the total time of all waits until `now`, and whether one is open.
    pub(super) fn total(&self, now: Timestamp) -> (Duration, bool) {
        let times = self.lock();
        match times.open {
            0 => (times.over, false),
            _ => (times.over.saturating_add(now.since(times.since)), true),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Times> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let now = self.environment.clock.now();
        let mut times = self.waits.lock();
        times.open = times.open.saturating_sub(1);
        if times.open == 0 {
            times.over = times.over.saturating_add(now.since(times.since));
        }
    }
}
