//! The statements that store jobs, over a connection of their own.

use std::slice;
use std::sync::Arc;

use queue_core::backend::Encoded;
use queue_core::{JobId, QueueError, Receipt};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::columns::{JobColumns, bind_one, has_defaults_only};
use crate::connection::{CallError, ReconnectingConnection};
use crate::error::{is_notification_queue_full, to_queue_error};
use crate::notification::NotifyArgs;
use crate::requests::PushRequest;
use crate::shared::Shared;
use crate::storable::delay_overflow;

/// The maximum number of tries of a push whose queues are lost in between.
const MAX_TRIES: usize = 3;

/// Stores jobs over its own connection.
pub(super) struct PushConnection {
    connection: ReconnectingConnection,
    pub(super) shared: Arc<Shared>,
}

/// The result of a push statement.
pub(crate) enum PushOutcome {
    Stored(Vec<Receipt>),
    /// The delay of the job at this index leads past the end of time; nothing was stored.
    DelayOverflow(usize),
    /// A queue doesn't exist; nothing was stored.
    UnknownQueue,
}

impl PushConnection {
    /// Creates a connection of the queue's thread.
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { connection: shared.connection().with_lock_timeout(), shared }
    }

    /// Creates a connection of the caller's runtime, which has a session of its own.
    pub(super) fn of_caller(shared: Arc<Shared>) -> Self {
        let connection = ReconnectingConnection::new(shared.target.clone(), Arc::default());
        Self { connection: connection.with_lock_timeout(), shared }
    }

    /// Stores the jobs of these requests, and wakes the claim task.
    pub(super) async fn store(&mut self, batch: &[PushRequest]) -> Result<PushOutcome, CallError> {
        let jobs: Vec<_> = batch.iter().flat_map(|request| &request.jobs).collect();
        let is_resend = batch.iter().any(|request| request.is_resend);
        let mut pushed = PushOutcome::UnknownQueue;
        for _ in 0..MAX_TRIES {
            let unknown = self.shared.unknown_queues(jobs.iter().copied());
            self.shared.ensure_queues(&mut self.connection, unknown).await?;
            pushed = self.store_once(&jobs, is_resend).await?;
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

    /// Stores the jobs of one push. Returns its answer, or `None` if another transaction blocks it.
    pub(super) async fn store_one(
        &mut self,
        request: &PushRequest,
    ) -> Option<Result<Vec<Receipt>, QueueError>> {
        let outcome = self.store(slice::from_ref(request)).await;
        let (jobs, locked_keys) = (&request.jobs, &self.shared.locked_keys);
        Some(match outcome {
            Ok(PushOutcome::Stored(receipts)) => {
                locked_keys.remove(jobs.iter());
                Ok(receipts)
            }
            Ok(PushOutcome::DelayOverflow(index)) => Err(delay_overflow(jobs, index)),
            Ok(PushOutcome::UnknownQueue) => Err(lost_queue()),
            Err(failed) if failed.is_blocked => {
                locked_keys.add(jobs.iter());
                return None;
            }
            Err(failed) => Err(failed.error),
        })
    }

    async fn store_once(&mut self, jobs: &[&Encoded], mut is_resend: bool) -> Result<PushOutcome, CallError> {
        let mut notify = self.shared.notifier.jobs_unless_recent();
        let mut notified = notify.is_some();
        // If the connection breaks during the call, the jobs are sent once more: those already stored are recognized by
        // their ids.
        let mut was_sent_again = false;
        let pushed = loop {
            match self.send(jobs, &notify, is_resend).await {
                Ok(pushed) => break pushed,
                Err(failed) if failed.outcome_unknown && !was_sent_again => {
                    (is_resend, was_sent_again) = (true, true);
                }
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

/// Returns the receipt of this kind.
fn read_receipt(kind: i16, job: Uuid) -> Receipt {
    let id = JobId::from(job);
    match kind {
        1 => Receipt::Existing(id),
        2 => Receipt::Replaced(id),
        _ => Receipt::Stored(id),
    }
}

/// Returns the error of a push whose queue was created and lost again at every try.
pub(super) fn lost_queue() -> QueueError {
    QueueError::unavailable(
        "the queue was removed while jobs were pushed to it: its tables are being emptied",
    )
}
