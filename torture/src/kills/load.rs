//! The parts that producers and workers share: a queue, a journal, and recorded calls.

use std::future::Future;
use std::io::Read as _;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use queue_conformance::history::{EventKind, KnownOutcome};
use queue_core::{Admin, BoxError, CancellationToken, QueueError, QueueErrorKind};
use tokio::time::sleep;

use crate::journal::Journal;
use crate::queue::Store;
use crate::settings::Role;

/// How often a call is repeated while its outcome is unknown.
const TRIES: u32 = 200;

/// A client of the queue that records its calls.
pub(super) struct Load {
    pub(super) queue: Arc<dyn Admin>,
    pub(super) store: Store,
    pub(super) journal: Journal,
    /// Fires when the process should end.
    pub(super) stop: CancellationToken,
}

impl Load {
    pub(super) async fn open(role: &Role) -> Result<Self, BoxError> {
        let stop = stop_at_end_of_input();
        let journal = Journal::create(&role.journal)?;
        let store = role.location.open_store().await?;
        Ok(Self { queue: store.admin(), store, journal, stop })
    }

    /// Records a call and its answer. Repeats the call a few times while its outcome is unknown.
    ///
    /// `intended` are the events that hold if no answer comes, `to_events` converts an answer to events. Returns `None` after the
    /// last try.
    pub(super) async fn call<T, F>(
        &self,
        intended: &[EventKind],
        make: impl Fn() -> F,
        to_events: impl Fn(&T) -> Vec<EventKind>,
    ) -> Result<Option<T>, BoxError>
    where
        F: Future<Output = Result<T, QueueError>>,
    {
        for _ in 0..TRIES {
            let call = self.journal.begin(intended.iter().cloned())?;
            match make().await {
                Ok(answer) => {
                    self.journal.end(call, to_events(&answer), None)?;
                    return Ok(Some(answer));
                }
                Err(error) => {
                    let kinds = intended.iter().map(|kind| failed(kind, &error));
                    self.journal.end(call, kinds, Some(queue_core::backend::error_chain(&error)))?;
                    if error.kind() != QueueErrorKind::Unavailable {
                        return Err(error.into());
                    }
                }
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(None)
    }
}

/// Returns the event of a call that failed.
fn failed(intended: &EventKind, error: &QueueError) -> EventKind {
    let mut kind = intended.clone();
    match &mut kind {
        EventKind::Pushed(pushed) => pushed.outcome = KnownOutcome::from(error),
        EventKind::Settled { outcome, .. } => *outcome = KnownOutcome::from(error),
        EventKind::Claimed { .. } | EventKind::EmptyClaim { .. } | EventKind::Renewed { .. } => {}
    }
    kind
}

/// Returns a token that fires when the driver closes this process's input, or ends.
pub(crate) fn stop_at_end_of_input() -> CancellationToken {
    let stop = CancellationToken::new();
    let ended = stop.clone();
    thread::spawn(move || {
        // The driver never writes to it. An error counts as its end.
        drop(std::io::stdin().read(&mut [0]));
        ended.cancel();
    });
    stop
}
