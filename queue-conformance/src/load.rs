//! A load for tortures: clients that push, claim and settle at random, and record each call and its answer in a journal.
//!
//! Law D5 runs it in processes that it kills. A torture for one backend runs it beside faults of that backend.
//! Each process opens a [`Load`] and calls [`produce`] or [`work`]. At the end the events of all journals ([`read`]) and the
//! final states of all jobs are a [`History`](crate::history::History) to check.

mod clocks;
mod jobs;
mod journal;
mod producer;
mod worker;

use std::fmt;
use std::future::Future;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use queue_core::{Admin, BoxError, CancellationToken, NewJob, Partition, QueueError, QueueErrorKind};
use tokio::time::sleep;

use crate::history::{EventKind, KnownOutcome};

pub use jobs::batch;
pub use journal::{Call, Journal, Line, read};
pub use producer::produce;
pub use worker::work;

/// How often a call is repeated while its outcome is unknown.
const TRIES: u32 = 200;

/// A client of the queue that records its calls.
pub struct Load {
    /// The queue.
    pub queue: Arc<dyn Admin>,
    /// The calls and their answers.
    pub journal: Journal,
    /// Fires when the client should end.
    pub stop: CancellationToken,
    partitions: Vec<Partition>,
}

impl Load {
    /// Creates a client with a new journal.
    ///
    /// # Errors
    ///
    /// If the file of the journal exists or cannot be created.
    pub fn new(queue: Arc<dyn Admin>, journal: &Path, stop: CancellationToken) -> Result<Self, BoxError> {
        Ok(Self { queue, journal: Journal::create(journal)?, stop, partitions: Vec::new() })
    }

    /// Sets the partitions over which the client spreads its jobs; one that is listed twice gets twice as many. Some attempts then end
    /// by a throttle.
    #[must_use]
    pub fn partitions(self, partitions: impl IntoIterator<Item = impl Into<Partition>>) -> Self {
        Self { partitions: partitions.into_iter().map(Into::into).collect(), ..self }
    }

    /// Creates a batch of at most `most` random jobs, each in one of the partitions.
    ///
    /// # Errors
    ///
    /// If a payload cannot be created.
    pub fn batch(&self, random: &mut Rng, most: u32) -> Result<Vec<NewJob>, QueueError> {
        let mut jobs = jobs::batch(random, most)?;
        for job in &mut jobs {
            if let Some(partition) = random.choice(&self.partitions) {
                job.partition = partition.clone();
            }
        }
        Ok(jobs)
    }

    /// Returns whether the jobs are spread over partitions.
    fn has_partitions(&self) -> bool {
        !self.partitions.is_empty()
    }

    /// Records a call and its answer. Repeats the call a few times while its outcome is unknown.
    ///
    /// `intended` are the events that hold if no answer comes, `to_events` converts an answer to events. Returns `None` after the
    /// last try.
    async fn call<T, F>(
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

impl fmt::Debug for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Load").field("journal", &self.journal).finish_non_exhaustive()
    }
}

/// Returns a token that fires when the driver closes this process's input, or ends.
#[must_use]
pub fn stop_at_end_of_input() -> CancellationToken {
    let stop = CancellationToken::new();
    let ended = stop.clone();
    thread::spawn(move || {
        // The driver never writes to it. An error counts as its end.
        drop(std::io::stdin().read(&mut [0]));
        ended.cancel();
    });
    stop
}
