//! The settle task: attempts that end while a statement runs share the next one.
//!
//! # Tasks and shared state
//!
//! The settle task collects the requests of all callers into statements. A second task, the [`BlockedSettleTask`], takes
//! those that another transaction blocks. Each has its own connection. Both use [`Shared`], with the queues known to
//! exist and the unique keys found locked.
//!
//! | who | wakes | when |
//! | --- | --- | --- |
//! | a caller | the settle task | it settles |
//! | the claim task | the settle task | jobs that no caller received are to be released |
//! | the settle task | the task for blocked settlements | another transaction blocks a statement, or lately blocked a key |
//! | either | the claim task | jobs may have become ready |
//! | either | the caller | its settlements were answered |
//!
//! # Shutdown
//!
//! The settle task ends when the queue's last handle is dropped, after it has sent all requests made before. The task
//! for blocked settlements ends after it, with its last request.
//!
//! # Races
//!
//! - A queue that the server loses after it became known: the statement does nothing and says so, and is sent again.
//! - A connection that breaks during a commit: the caller gets an error. A second try would find its own settlement
//!   stale.
//!
//! **Invariant:** a shared statement waits for no lock of another transaction. If another transaction blocks one, the
//! settle task sends the requests of that statement to the task for blocked settlements, which settles as many settlements
//! of each as it can and answers `Settled::Blocked` for the others.

mod blocked;
mod connection;

use std::sync::Arc;
use std::time::Duration;

use queue_core::QueueError;
use queue_core::backend::Linger;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

pub(crate) use blocked::BlockedSettleTask;

use crate::columns::SettleOutcome;
use crate::connection::CallError;
use crate::error::is_request_error;
use crate::requests::SettleRequest;
use crate::shared::Shared;
use crate::storable::delay_overflow;
use crate::tasks::linger;
use connection::SettleConnection;

/// The approximate maximum number of jobs in one statement, and of the bytes of its followups.
const MAX_JOBS: usize = 10_000;
const MAX_BYTES: usize = 16 << 20;

/// How long a statement lingers for the callers that the last one answered.
const LINGER: Duration = Duration::from_micros(50);

/// A task that settles for many callers.
pub(crate) struct SettleTask {
    requests: UnboundedReceiver<SettleRequest>,
    /// Receives the requests that another transaction blocks.
    blocked: UnboundedSender<SettleRequest>,
    connection: SettleConnection,
    linger: Linger,
}

impl SettleTask {
    pub(crate) fn new(
        requests: UnboundedReceiver<SettleRequest>,
        blocked: UnboundedSender<SettleRequest>,
        shared: Arc<Shared>,
    ) -> Self {
        Self { requests, blocked, connection: SettleConnection::new(shared), linger: Linger::new(LINGER) }
    }

    /// Runs until all senders of requests are dropped.
    pub(crate) async fn run(mut self) {
        while let Some(batch) = self.collect_batch().await {
            self.settle(batch).await;
        }
    }

    async fn collect_batch(&mut self) -> Option<Vec<SettleRequest>> {
        let mut next = Some(self.requests.recv().await?);
        let mut batch = Vec::new();
        let (mut weight, mut bytes) = (0, 0);
        let arrived = 1 + self.requests.len();
        let mut window = self.linger.begin(self.linger.last_batch().max(arrived));
        while weight < MAX_JOBS && bytes < MAX_BYTES {
            match next.take().or_else(|| self.requests.try_recv().ok()) {
                Some(request)
                    if self
                        .connection
                        .shared
                        .locked_keys
                        .contains_any(request.followups.iter().flatten()) =>
                {
                    self.pass_on(request);
                }
                Some(request) => {
                    weight += request.weight();
                    bytes += request.bytes();
                    batch.push(request);
                }
                None if !linger(&mut window, batch.len()).await => break,
                None => {}
            }
        }
        self.linger.end(window, batch.len());
        Some(batch)
    }

    /// Settles a batch and answers its requests. A request that fails prevents no other from being settled.
    async fn settle(&mut self, mut batch: Vec<SettleRequest>) {
        while !batch.is_empty() {
            let slices: Vec<_> = batch.iter().map(SettleRequest::as_slice).collect();
            match self.connection.settle(&slices, false).await {
                Ok(SettleOutcome { delay_overflow: Some(index), .. }) => refuse(&mut batch, index),
                Ok(outcome) => return answer(batch, &outcome),
                Err(failed) if failed.is_blocked => {
                    batch.into_iter().for_each(|request| self.pass_on(request));
                    return;
                }
                Err(CallError { error, .. }) if batch.len() > 1 && is_request_error(&error) => {
                    // One of the requests is invalid: each is settled alone, the first one by this loop.
                    let rest = batch.split_off(1);
                    for request in rest {
                        Box::pin(self.settle(vec![request])).await;
                    }
                }
                Err(CallError { error, .. }) => {
                    batch.into_iter().for_each(|request| request.answer(Err(error.clone())));
                    return;
                }
            }
        }
    }

    fn pass_on(&self, request: SettleRequest) {
        // The receiving task ends after this one.
        drop(self.blocked.send(request));
    }
}

/// Answers each request.
fn answer(batch: Vec<SettleRequest>, outcome: &SettleOutcome) {
    let count: usize = batch.iter().map(|request| request.settlements.len()).sum();
    let mut answers = outcome.answers(count).into_iter();
    for request in batch {
        let answers = answers.by_ref().take(request.settlements.len()).collect();
        request.answer(Ok(answers));
    }
}

/// Removes the request of the followup at this index, whose delay leads past the end of time, and answers it.
fn refuse(batch: &mut Vec<SettleRequest>, index: i32) {
    let mut index = usize::try_from(index).unwrap_or(0);
    for (at, request) in batch.iter().enumerate() {
        for followups in &request.followups {
            if index < followups.len() {
                let error = delay_overflow(followups, index);
                batch.remove(at).answer(Err(error));
                return;
            }
            index -= followups.len();
        }
    }
    // No followup has this index, so it is not known which request is invalid. All are answered with the error.
    let error = QueueError::invalid("a `delay` of a followup leads past the end of time");
    batch.drain(..).for_each(|request| request.answer(Err(error.clone())));
}
