//! An observer that records events, and lets tests wait for the events they expect.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use queue_core::{Event, Job, Observer};
use tokio::sync::Notify;

/// An observer that records the events it receives. Cheap to clone; clones share one record.
///
/// With it a test waits for the event it expects instead of for a time.
#[derive(Clone, Debug)]
pub struct Recorder(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    events: Mutex<Vec<Event>>,
    arrived: Notify,
    deadline: Duration,
}

impl Recorder {
    /// Creates a recorder whose waits time out after 10 s of tokio's time, which is virtual while it is paused.
    #[must_use]
    pub fn new() -> Self {
        Self::with_deadline(Duration::from_secs(10))
    }

    /// Creates a recorder whose waits time out after `deadline` of tokio's time.
    #[must_use]
    pub fn with_deadline(deadline: Duration) -> Self {
        Self(Arc::new(Shared { events: Mutex::default(), arrived: Notify::new(), deadline }))
    }

    /// Returns the events recorded so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the number of recorded events that match.
    #[must_use]
    pub fn count(&self, fits: impl Fn(&Event) -> bool) -> usize {
        self.events().iter().filter(|event| fits(event)).count()
    }

    /// Waits until an event that matches is recorded, and returns the first one.
    ///
    /// # Panics
    ///
    /// If the deadline passes. The message lists the events that were recorded.
    pub async fn wait_for(&self, what: &str, fits: impl Fn(&Event) -> bool) -> Event {
        let mut events = self.wait_for_count(what, 1, fits).await;
        events.swap_remove(0)
    }

    /// Waits until `count` events that match are recorded, and returns them.
    ///
    /// # Panics
    ///
    /// If the deadline passes. The message lists the events that were recorded.
    #[expect(clippy::panic, reason = "a test that waits in vain fails by a panic")]
    pub async fn wait_for_count(
        &self,
        what: &str,
        count: usize,
        fits: impl Fn(&Event) -> bool,
    ) -> Vec<Event> {
        let mut over = pin!(tokio::time::sleep(self.0.deadline));
        loop {
            let mut arrived = pin!(self.0.arrived.notified());
            arrived.as_mut().enable();
            let fitting: Vec<_> = self.events().into_iter().filter(|event| fits(event)).collect();
            if fitting.len() >= count {
                return fitting;
            }
            if let Either::Right(_) = select(arrived, over.as_mut()).await {
                let happened: Vec<_> = self.events().iter().map(|event| format!("\n  {event:?}")).collect();
                panic!(
                    "waited {:?} for {what} ({} of {count} recorded); all events:{}",
                    self.0.deadline,
                    fitting.len(),
                    happened.concat()
                );
            }
        }
    }

    /// Waits until `count` attempts of job type `J` have ended.
    ///
    /// # Panics
    ///
    /// If the deadline passes. The message lists the events that were recorded.
    pub async fn wait_for_ended<J: Job>(&self, count: usize) -> Vec<Event> {
        let ended = |event: &Event| matches!(event, Event::Ended { job, .. } if job.name == J::NAME);
        self.wait_for_count(&format!("{count} ended attempts of `{}`", J::NAME), count, ended).await
    }

    /// Waits until `count` attempts of job type `J` have been settled.
    ///
    /// # Panics
    ///
    /// If the deadline passes. The message lists the events that were recorded.
    pub async fn wait_for_settled<J: Job>(&self, count: usize) -> Vec<Event> {
        let settled = |event: &Event| matches!(event, Event::Settled { job, .. } if job.name == J::NAME);
        self.wait_for_count(&format!("{count} settled attempts of `{}`", J::NAME), count, settled).await
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for Recorder {
    fn observe(&self, event: &Event) {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        self.0.arrived.notify_waiters();
    }
}
