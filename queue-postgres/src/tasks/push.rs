//! Pushes: a lone one is stored by the caller's own task, and all others by the push tasks, where pushes that arrive while a
//! statement runs share the next one.
//!
//! # Tasks and shared state
//!
//! The [`Pusher`] decides by the [`PushTraffic`](crate::push_traffic::PushTraffic) which way a push takes. A push is lone if
//! neither it nor the one before it found another under way. [`direct`] has its connection and its rules.
//!
//! Two equal push tasks share one receiver of requests behind a mutex: while one waits for its commit, the other collects
//! the next batch. A third one, the [`BlockedPushTask`], takes the pushes that another transaction blocks. Each has its
//! own connection. All use [`Shared`], with the queues known to exist and the unique keys found locked.
//!
//! | who | wakes | when |
//! | --- | --- | --- |
//! | a caller | a push task | it pushes while other pushes are under way, or can't store its push directly |
//! | a push task | the task for blocked pushes | another transaction blocks a push, or has lately blocked its key |
//! | a direct push | a push task | another transaction blocks it, or its runtime ended before the answer |
//! | each of these | the claim task | jobs were stored, and a claim waits |
//! | each of these | the caller | its push was stored or refused |
//!
//! # Shutdown
//!
//! A push task ends when the queue's last handle is dropped and no direct push is under way, after it has stored all
//! requests sent before. The task
//! for blocked pushes ends when both push tasks have ended and none of its pushes waits any more.
//!
//! # Races
//!
//! - A queue that the server loses after it became known: the statement stores nothing and says so, and is sent again.
//! - A connection that breaks during a commit: the batch is sent once more, and ids tell which jobs are already stored.
//! - The callers of a batch call again at the same moment. The first of them finds no other push under way, but the push
//!   before it did, so it joins the next batch.
//!
//! **Invariant:** a shared statement waits for no lock of another transaction. A push that needs one goes to the
//! task for blocked pushes, where it delays no other push.

mod blocked;
mod connection;
mod direct;
mod pusher;

use std::sync::Arc;

use queue_core::backend::Linger;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

pub(crate) use blocked::BlockedPushTask;
pub(crate) use connection::PushOutcome;
pub(crate) use pusher::Pusher;

use crate::connection::CallError;
use crate::error::is_request_error;
use crate::requests::{PushRequest, answer_pushes, fail_pushes, refuse_push};
use crate::shared::Shared;
use crate::tasks::linger;
use connection::{PushConnection, lost_queue};

/// The approximate maximum number of jobs in one statement, and of their bytes.
const MAX_JOBS: usize = 10_000;
const MAX_BYTES: usize = 16 << 20;

/// A task that stores the pushes of many callers.
pub(crate) struct PushTask {
    requests: Arc<Mutex<UnboundedReceiver<PushRequest>>>,
    /// Receives the pushes that another transaction blocks.
    blocked: UnboundedSender<PushRequest>,
    connection: PushConnection,
    linger: Linger,
}

impl PushTask {
    pub(crate) fn new(
        requests: Arc<Mutex<UnboundedReceiver<PushRequest>>>,
        blocked: UnboundedSender<PushRequest>,
        shared: Arc<Shared>,
    ) -> Self {
        Self { requests, blocked, connection: PushConnection::new(shared), linger: Linger::default() }
    }

    /// Runs until all senders of requests are dropped.
    pub(crate) async fn run(mut self) {
        while let Some(batch) = self.collect_batch().await {
            self.push(batch).await;
        }
    }

    async fn collect_batch(&mut self) -> Option<Vec<PushRequest>> {
        let mut requests = self.requests.lock().await;
        let mut batch = Vec::new();
        let (mut jobs, mut bytes) = (0, 0);
        let mut next = Some(requests.recv().await?);
        let arrived = requests.len() + 1;
        let mut window = self.linger.begin(self.linger.last_batch().max(arrived));
        while jobs < MAX_JOBS && bytes < MAX_BYTES {
            match next.take().or_else(|| requests.try_recv().ok()) {
                Some(request) if self.shared().locked_keys.contains_any(request.jobs.iter()) => {
                    // The receiving task ends after this one.
                    drop(self.blocked.send(request));
                }
                Some(request) => {
                    jobs += request.jobs.len();
                    bytes += request.jobs.iter().map(|job| job.payload.len()).sum::<usize>();
                    batch.push(request);
                }
                None if !linger(&mut window, batch.len()).await => break,
                None => {}
            }
        }
        self.linger.end(window, batch.len());
        Some(batch)
    }

    /// Stores a batch and answers its requests. A request that can't be stored prevents no other from being stored.
    async fn push(&mut self, mut batch: Vec<PushRequest>) {
        while !batch.is_empty() {
            match self.connection.store(&batch).await {
                Ok(PushOutcome::Stored(receipts)) => return answer_pushes(batch, receipts),
                Ok(PushOutcome::DelayOverflow(index)) => refuse_push(&mut batch, index),
                Ok(PushOutcome::UnknownQueue) => return fail_pushes(batch, &lost_queue()),
                Err(failed) if failed.is_blocked => return self.push_unblocked_first(batch).await,
                Err(CallError { error, .. }) if batch.len() > 1 && is_request_error(&error) => {
                    // One of the requests is invalid: each is stored alone, the first one by this loop.
                    let rest = batch.split_off(1);
                    for request in rest {
                        Box::pin(self.push(vec![request])).await;
                    }
                }
                Err(CallError { error, .. }) => return fail_pushes(batch, &error),
            }
        }
    }

    /// Stores a batch that another transaction blocks in part: first the requests that can't be blocked, then each of the
    /// others alone. A blocked request that is alone is sent to the task for blocked pushes.
    async fn push_unblocked_first(&mut self, mut batch: Vec<PushRequest>) {
        if batch.len() == 1 {
            for request in batch {
                self.shared().locked_keys.add(request.jobs.iter());
                // The receiving task ends after this one.
                drop(self.blocked.send(request));
            }
            return;
        }
        let suspects: Vec<_> = batch.extract_if(.., |request| request.may_be_blocked()).collect();
        if suspects.is_empty() {
            // A whole table is locked, which can block each of the requests.
            batch.into_iter().for_each(|request| drop(self.blocked.send(request)));
            return;
        }
        Box::pin(self.push(batch)).await;
        for request in suspects {
            Box::pin(self.push(vec![request])).await;
        }
    }

    fn shared(&self) -> &Shared {
        &self.connection.shared
    }
}
