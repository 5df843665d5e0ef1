//! The push tasks: pushes that arrive while a statement runs share the next one.
//!
//! # Tasks and shared state
//!
//! Two equal push tasks share one receiver of requests behind a mutex: while one waits for its commit, the other collects
//! the next batch. A third one, the [`BlockedPushTask`], takes the pushes that another transaction blocks. Each has its
//! own connection. All use [`Shared`], with the queues known to exist and the unique keys found locked.
//!
//! | who | wakes | when |
//! | --- | --- | --- |
//! | a caller | a push task | it pushes |
//! | a push task | the task for blocked pushes | another transaction blocks a push, or has lately blocked its key |
//! | either | the claim task | jobs were stored |
//! | either | the caller | its push was stored or refused |
//!
//! # Shutdown
//!
//! A push task ends when the queue's last handle is dropped, after it has stored all requests sent before. The task
//! for blocked pushes ends when both push tasks have ended and none of its pushes waits any more.
//!
//! # Races
//!
//! - A queue that the server loses after it became known: the statement stores nothing and says so, and is sent again.
//! - A connection that breaks during a commit: the batch is sent once more, and ids tell which jobs are already stored.
//!
//! **Invariant:** a shared statement waits for no lock of another transaction. A push that needs one goes to the
//! task for blocked pushes, where it delays no other push.

mod blocked;

use std::sync::Arc;
use std::time::Duration;

use queue_core::backend::Encoded;
use queue_core::{JobId, QueueError, Receipt};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use uuid::Uuid;

pub(crate) use blocked::BlockedPushTask;

use crate::columns::{JobColumns, bind_one, delay_overflow, has_defaults_only};
use crate::connection::{CallError, Reconnecting};
use crate::error::{is_notification_queue_full, is_request_error, to_queue_error};
use crate::linger::Linger;
use crate::notification::NotifyArgs;
use crate::requests::PushRequest;
use crate::shared::Shared;

/// The approximate maximum number of jobs in one statement, and of their bytes.
const MAX_JOBS: usize = 10_000;
const MAX_BYTES: usize = 16 << 20;

/// How long a statement lingers for the callers that the last one answered.
const LINGER: Duration = Duration::from_micros(100);

/// The maximum number of tries of a push whose queues are lost in between.
const MAX_TRIES: usize = 3;

/// Stores jobs over its own connection.
pub(crate) struct PushConnection {
    connection: Reconnecting,
    shared: Arc<Shared>,
}

/// A task that stores the pushes of many callers.
pub(crate) struct PushTask {
    requests: Arc<Mutex<UnboundedReceiver<PushRequest>>>,
    /// Receives the pushes that another transaction blocks.
    blocked: UnboundedSender<PushRequest>,
    connection: PushConnection,
    linger: Linger,
}

/// The result of a push statement.
pub(crate) enum PushOutcome {
    Stored(Vec<Receipt>),
    /// The delay of the job at this index leads past the end of time; nothing was stored.
    DelayOverflow(usize),
    /// A queue doesn't exist; nothing was stored.
    UnknownQueue,
}

impl PushOutcome {
    /// Reads the rows that `push` returns.
    pub(crate) fn from_rows<'a>(
        jobs: impl Iterator<Item = &'a Encoded>,
        rows: &[PgRow],
    ) -> sqlx::Result<Self> {
        // A job without a row was stored.
        let mut receipts: Vec<_> = jobs.map(|job| Receipt::Stored(job.id)).collect();
        for row in rows {
            let (index, kind): (Option<i32>, i16) = (row.try_get(0)?, row.try_get(1)?);
            let index = index.and_then(|index| usize::try_from(index).ok()).unwrap_or(usize::MAX);
            match kind {
                -2 => return Ok(Self::UnknownQueue),
                -1 => return Ok(Self::DelayOverflow(index)),
                _ => {}
            }
            if let Some(receipt) = receipts.get_mut(index) {
                *receipt = read_receipt(kind, row.try_get(2)?);
            }
        }
        Ok(Self::Stored(receipts))
    }
}

impl PushTask {
    pub(crate) fn new(
        requests: Arc<Mutex<UnboundedReceiver<PushRequest>>>,
        blocked: UnboundedSender<PushRequest>,
        shared: Arc<Shared>,
    ) -> Self {
        Self { requests, blocked, connection: PushConnection::new(shared), linger: Linger::new(LINGER) }
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
        let expected = self.linger.expected(requests.len() + 1);
        let mut spin = self.linger.spin_wait();
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
                None if batch.len() >= expected || !spin.spin().await => break,
                None => {}
            }
        }
        self.linger.record(batch.len(), expected);
        Some(batch)
    }

    /// Stores a batch and answers its requests. A request that can't be stored prevents no other from being stored.
    async fn push(&mut self, mut batch: Vec<PushRequest>) {
        while !batch.is_empty() {
            match self.connection.store(&batch).await {
                Ok(PushOutcome::Stored(receipts)) => return answer(batch, receipts),
                Ok(PushOutcome::DelayOverflow(index)) => refuse(&mut batch, index),
                Ok(PushOutcome::UnknownQueue) => return fail_all(batch, &lost_queue()),
                Err(failed) if failed.is_blocked => return self.push_unblocked_first(batch).await,
                Err(CallError { error, .. }) if batch.len() > 1 && is_request_error(&error) => {
                    // One of the requests is invalid: each is stored alone, the first one by this loop.
                    let rest = batch.split_off(1);
                    for request in rest {
                        Box::pin(self.push(vec![request])).await;
                    }
                }
                Err(CallError { error, .. }) => return fail_all(batch, &error),
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

impl PushConnection {
    fn new(shared: Arc<Shared>) -> Self {
        Self { connection: Reconnecting::with_lock_timeout(shared.target.clone()), shared }
    }

    async fn store(&mut self, batch: &[PushRequest]) -> Result<PushOutcome, CallError> {
        let jobs: Vec<_> = batch.iter().flat_map(|request| &request.jobs).collect();
        let mut pushed = PushOutcome::UnknownQueue;
        for _ in 0..MAX_TRIES {
            let unknown = self.shared.unknown_queues(jobs.iter().copied());
            self.shared.ensure_queues(&mut self.connection, unknown).await?;
            pushed = self.store_once(&jobs).await?;
            match pushed {
                PushOutcome::UnknownQueue => self.shared.forget_queues(),
                PushOutcome::Stored(_) => {
                    self.shared.wake();
                    break;
                }
                PushOutcome::DelayOverflow(_) => break,
            }
        }
        Ok(pushed)
    }

    async fn store_once(&mut self, jobs: &[&Encoded]) -> Result<PushOutcome, CallError> {
        let mut notify = self.shared.notifier.jobs_unless_recent();
        let mut notified = notify.is_some();
        // If the connection breaks during the call, the jobs are sent once more: those already stored are recognized by
        // their ids.
        let mut is_resend = false;
        let pushed = loop {
            match self.send(jobs, &notify, is_resend).await {
                Ok(pushed) => break pushed,
                Err(failed) if failed.outcome_unknown && !is_resend => is_resend = true,
                Err(failed) if notify.is_some() && is_notification_queue_full(&failed.error) => {
                    self.shared.notifier.mute();
                    (notify, notified) = (NotifyArgs::none(), false);
                }
                // Commits that notify wait for one another in the whole server, so the notification is sent separately.
                Err(failed) if notify.is_some() && failed.is_blocked => {
                    (notify, notified) = (NotifyArgs::none(), false);
                }
                Err(failed) => return Err(failed),
            }
        };
        if !notified {
            self.shared.notifier.notify_later();
        }
        Ok(pushed)
    }

    async fn send(
        &mut self,
        jobs: &[&Encoded],
        notify: &NotifyArgs,
        is_resend: bool,
    ) -> Result<PushOutcome, CallError> {
        if let [job] = jobs
            && !notify.is_some()
            && !is_resend
            && has_defaults_only(job)
        {
            return self.send_one(job).await;
        }
        let sql = &self.shared.sql.push;
        let rows = self
            .connection
            .call(&move |connection| {
                let columns = JobColumns::of(jobs.iter().copied(), is_resend);
                let push = notify.bind(columns.bind(sql.query()));
                Box::pin(push.fetch_all(connection))
            })
            .await?;
        PushOutcome::from_rows(jobs.iter().copied(), &rows)
            .map_err(|error| to_queue_error(error, &self.shared.target).into())
    }

    async fn send_one(&mut self, job: &Encoded) -> Result<PushOutcome, CallError> {
        let sql = &self.shared.sql.push_one;
        let stored = self
            .connection
            .call(&move |connection| {
                let push = bind_one(sql.query(), job);
                Box::pin(async move { Ok(push.execute(connection).await?.rows_affected()) })
            })
            .await?;
        Ok(if stored == 0 {
            PushOutcome::UnknownQueue
        } else {
            PushOutcome::Stored(vec![Receipt::Stored(job.id)])
        })
    }
}

fn answer(batch: Vec<PushRequest>, receipts: Vec<Receipt>) {
    let mut receipts = receipts.into_iter();
    for request in batch {
        let receipts = receipts.by_ref().take(request.jobs.len()).collect();
        request.answer(Ok(receipts));
    }
}

fn fail_all(batch: Vec<PushRequest>, error: &QueueError) {
    batch.into_iter().for_each(|request| request.answer(Err(error.clone())));
}

/// Removes the request of the job at this index, whose delay leads past the end of time, and answers it.
fn refuse(batch: &mut Vec<PushRequest>, mut index: usize) {
    let at = batch.iter().position(|request| {
        let is_here = index < request.jobs.len();
        if !is_here {
            index -= request.jobs.len();
        }
        is_here
    });
    if let Some(at) = at {
        let request = batch.remove(at);
        let error = delay_overflow(&request.jobs, index);
        request.answer(Err(error));
    }
}

/// Returns the error of a push whose queue was created at each try and was lost each time.
fn lost_queue() -> QueueError {
    QueueError::unavailable(
        "the queue was removed while jobs were pushed to it: its tables are being emptied",
    )
}

/// Returns the receipt of this kind.
fn read_receipt(kind: i16, job: Uuid) -> Receipt {
    let id = JobId::from(job);
    match kind {
        1 => Receipt::Existing(id),
        2 => Receipt::Replaced(id),
        _ => Receipt::Stored(id),
    }
}
