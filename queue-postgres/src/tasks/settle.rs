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
//! of each as it can and answers [`Blocked`](Settled::Blocked) for the others.

mod blocked;

use std::sync::Arc;
use std::time::Duration;

use queue_core::{QueueError, Settled};
use sqlx::postgres::PgRow;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

pub(crate) use blocked::BlockedSettleTask;

use crate::columns::{SettleMode, SettleOutcome, SettlementSlice, bind_settlements, delay_overflow};
use crate::connection::{CallError, Reconnecting};
use crate::error::{is_notification_queue_full, is_request_error, is_untranslatable, to_queue_error};
use crate::linger::Linger;
use crate::notification::NotifyArgs;
use crate::requests::SettleRequest;
use crate::shared::Shared;

/// The approximate maximum number of jobs in one statement, and of the bytes of its followups.
const MAX_JOBS: usize = 10_000;
const MAX_BYTES: usize = 16 << 20;

/// How long a statement lingers for the callers that the last one answered.
const LINGER: Duration = Duration::from_micros(50);

/// The maximum number of tries of a statement whose queues are lost in between.
const MAX_TRIES: usize = 3;

/// Sends settlements to the server over its own connection.
struct SettleConnection {
    connection: Reconnecting,
    shared: Arc<Shared>,
}

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
        let expected = self.linger.expected(1 + self.requests.len());
        let mut spin = self.linger.spin_wait();
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
                None if batch.len() >= expected || !spin.spin().await => break,
                None => {}
            }
        }
        self.linger.record(batch.len(), expected);
        Some(batch)
    }

    /// Settles a batch and answers its requests. A request that fails prevents no other from being settled.
    async fn settle(&mut self, mut batch: Vec<SettleRequest>) {
        while !batch.is_empty() {
            let slices: Vec<_> = batch.iter().map(SettleRequest::as_slice).collect();
            match self.connection.settle(&slices, false).await {
                Ok(SettleOutcome { delay_overflow: Some(index), .. }) => refuse(&mut batch, index),
                Ok(outcome) => return answer(batch, &outcome.applied),
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

impl SettleConnection {
    fn new(shared: Arc<Shared>) -> Self {
        Self { connection: Reconnecting::with_lock_timeout(shared.target.clone()), shared }
    }

    /// Settles `slices`, and wakes the claim task if jobs became ready. With `skip_locked`, leases locked by another
    /// transaction are skipped.
    async fn settle(
        &mut self,
        slices: &[SettlementSlice<'_>],
        skip_locked: bool,
    ) -> Result<SettleOutcome, CallError> {
        for _ in 0..MAX_TRIES {
            let followups = slices.iter().flat_map(|slice| slice.followups).flatten();
            let unknown = self.shared.unknown_queues(followups);
            self.shared.ensure_queues(&mut self.connection, unknown).await?;
            let outcome = self.settle_once(slices, skip_locked).await?;
            if !outcome.is_queue_unknown {
                if slices.iter().any(SettlementSlice::makes_jobs_ready) {
                    self.shared.wake();
                }
                return Ok(outcome);
            }
            self.shared.forget_queues();
        }
        Err(lost_queue().into())
    }

    async fn settle_once(
        &mut self,
        slices: &[SettlementSlice<'_>],
        skip_locked: bool,
    ) -> Result<SettleOutcome, CallError> {
        let changes = slices.iter().any(SettlementSlice::makes_jobs_ready);
        let mut notify = if changes { self.shared.notifier.jobs_unless_recent() } else { NotifyArgs::none() };
        let mut mode = SettleMode { skip_locked, ascii_only: false };
        let row = loop {
            match self.send(slices, mode, &notify).await {
                Ok(row) => break row,
                Err(CallError { error, .. }) if notify.is_some() && is_notification_queue_full(&error) => {
                    self.shared.notifier.mute();
                    notify = NotifyArgs::none();
                }
                // Commits that notify wait for one another in the whole server, so the notification is sent separately.
                Err(failed) if notify.is_some() && failed.is_blocked => notify = NotifyArgs::none(),
                Err(CallError { error, .. }) if !mode.ascii_only && is_untranslatable(&error) => {
                    mode.ascii_only = true;
                }
                Err(failed) => return Err(failed),
            }
        };
        if changes && !notify.is_some() {
            self.shared.notifier.notify_later();
        }
        SettleOutcome::from_row(&row).map_err(|error| to_queue_error(error, &self.shared.target).into())
    }

    async fn send(
        &mut self,
        slices: &[SettlementSlice<'_>],
        mode: SettleMode,
        notify: &NotifyArgs,
    ) -> Result<PgRow, CallError> {
        let sql = &self.shared.sql.settle;
        self.connection
            .call(&move |connection| {
                Box::pin(bind_settlements(sql.query(), slices, mode, notify).fetch_one(connection))
            })
            .await
    }
}

/// Answers each request. A settlement whose index is not in `applied` was stale.
fn answer(batch: Vec<SettleRequest>, applied: &[i32]) {
    let count: usize = batch.iter().map(|request| request.settlements.len()).sum();
    let mut settled = vec![Settled::Stale; count];
    mark(&mut settled, applied, Settled::Applied);
    let mut settled = settled.into_iter();
    for request in batch {
        let settled = settled.by_ref().take(request.settlements.len()).collect();
        request.answer(Ok(settled));
    }
}

/// Sets the answers at these indexes.
fn mark(settled: &mut [Settled], indexes: &[i32], answer: Settled) {
    for index in indexes {
        if let Some(settled) = usize::try_from(*index).ok().and_then(|index| settled.get_mut(index)) {
            *settled = answer;
        }
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

/// Returns the error of a settlement whose followup's queue was created at each try and was lost each time.
fn lost_queue() -> QueueError {
    QueueError::unavailable("the queue of a followup was removed meanwhile: the tables are being emptied")
}
