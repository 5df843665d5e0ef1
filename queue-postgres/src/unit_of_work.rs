//! Units of work: a job's writes and its completion in one commit.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::slice;

use queue_core::backend::UnitCompletion;
use queue_core::services::{Factory, Fallible, RecordsCompletion};
use queue_core::{JobContext, Meta, OutcomeKind, QueueError, Settled};
use sqlx::PgConnection;

use crate::columns::{SettleMode, SettleOutcome, SettlementSlice, bind_settlements};
use crate::error::to_queue_error;
use crate::notification::NotifyArgs;
use crate::pool::PooledTransaction;
use crate::queue::PostgresQueue;
use crate::storable::{check_storable, delay_overflow};

/// A job's transaction, which is committed together with the job's completion and its followups, or not at all.
///
/// It is for jobs whose effects are in the database of the queue: even if the process or the server dies, the effects
/// exist exactly once. It derefs to the connection, so that statements run on `&mut **tx`.
///
/// ```no_run
/// use queue_core::{JobError, Services, background_job};
/// use queue_postgres::{PostgresUnitOfWork, PostgresQueue};
///
/// #[background_job]
/// async fn pay(#[inject] tx: &mut PostgresUnitOfWork, order: i64) -> Result<(), JobError> {
///     sqlx::query("update orders set paid = paid + 1 where id = $1").bind(order).execute(&mut **tx).await?;
///     Ok(())
/// }
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let queue = PostgresQueue::connect("postgres://localhost/shop").await?;
/// let services = Services::builder().unit_of_work(queue.unit_of_work(), PostgresUnitOfWork::end).build()?;
/// # Ok(())
/// # }
/// ```
///
/// # How long it is open
///
/// It begins when the job's dependencies are created, and ends with the attempt. During that time it uses one connection
/// of the pool, holds the locks of its writes, and keeps the server from vacuuming. While other jobs use all connections,
/// a job waits for one; that time doesn't count towards its timeout. If a job fails or times out during a statement, the
/// statement is cancelled. A job that waits long for something else should do so in a separate job, which this one
/// follows. The queue ends the transaction: a job that sends `commit` or `rollback` as SQL separates its completion from
/// its writes.
///
/// A statement of the job waits for as long as the server takes, or for ever if the connection has died without being
/// closed: set a `timeout` for such a job.
///
/// # With other services that end with the outcome
///
/// Scopes are closed in reverse order, and a commit here is final. So inject this service first: another unit of work
/// then ends before it, and if that fails, nothing is written here.
pub struct PostgresUnitOfWork {
    queue: PostgresQueue,
    context: JobContext,
    tx: PooledTransaction,
}

impl PostgresQueue {
    /// Returns the first half of `.unit_of_work(queue.unit_of_work(), PostgresUnitOfWork::end)`: a factory that begins
    /// transactions.
    pub fn unit_of_work(
        &self,
    ) -> impl Factory<Fallible<(JobContext, RecordsCompletion)>, Service = PostgresUnitOfWork> + use<> {
        let queue = self.clone();
        move |context: JobContext, _: RecordsCompletion| {
            let queue = queue.clone();
            async move {
                let tx = queue.pool().begin(&context).await?;
                Ok::<_, QueueError>(PostgresUnitOfWork { queue, context, tx })
            }
        }
    }
}

impl PostgresUnitOfWork {
    /// Commits the writes and the completion after a success, and rolls the writes back after any other outcome.
    ///
    /// # Errors
    ///
    /// `Conflict` if the lease was lost, `Invalid` if a followup can't be stored, and other errors of the server. Then
    /// nothing was written; but if the connection broke during the commit, all or nothing was, and the job has completed
    /// if and only if its writes are there.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves everything written or nothing.
    pub async fn end(self, outcome: OutcomeKind) -> Result<(), QueueError> {
        let Self { queue, context, mut tx } = self;
        if !outcome.is_success() {
            tx.roll_back().await;
            return Ok(());
        }
        match settle(&queue, &context, &mut tx).await {
            Ok((completion, notifies_later)) => {
                tx.commit().await?;
                queue.shared().end_watches.wake([completion.settlement().lease.job]);
                completion.note_committed();
                queue.shared().dead_rows.add(1);
                queue.shared().wake();
                if notifies_later {
                    queue.shared().notifier.notify_later();
                }
                Ok(())
            }
            Err(error) => {
                tx.roll_back().await;
                Err(error)
            }
        }
    }
}

impl PostgresUnitOfWork {
    /// Returns the meta of the job.
    pub(crate) fn job_meta(&self) -> &Meta {
        self.context.meta()
    }
}

/// Settles the job as completed, in its transaction. Returns also whether other processes have to be notified after the commit.
async fn settle(
    queue: &PostgresQueue,
    context: &JobContext,
    tx: &mut PooledTransaction,
) -> Result<(UnitCompletion, bool), QueueError> {
    let shared = queue.shared();
    let (completion, jobs) = UnitCompletion::prepare(context, queue.intake())?;
    check_storable(&jobs)?;
    let may_notify = !jobs.is_empty() || shared.has_shared_queues();
    let notify = if may_notify { shared.notifier.jobs() } else { NotifyArgs::none() };
    let (settlements, followups) = (slice::from_ref(completion.settlement()), slice::from_ref(&jobs));
    for _ in 0..2 {
        queue.ensure_queues(&jobs).await?;
        let slices = [SettlementSlice { settlements, followups }];
        let settle = bind_settlements(shared.sql.settle_in.query(), &slices, SettleMode::default(), &notify);
        let row = tx.run(|connection| Box::pin(settle.fetch_one(connection))).await?;
        let outcome = SettleOutcome::from_row(&row).map_err(|error| to_queue_error(error, &shared.target))?;
        if let Some(index) = outcome.delay_overflow {
            return Err(delay_overflow(&jobs, usize::try_from(index).unwrap_or(0)));
        }
        if outcome.frees_places {
            shared.note_shared_queue();
        }
        if !outcome.is_queue_unknown {
            completion.check(if outcome.applied.is_empty() { Settled::Stale } else { Settled::Applied })?;
            return Ok((completion, outcome.frees_places && !notify.is_some()));
        }
        shared.forget_queues();
    }
    Err(QueueError::unavailable(
        "the queue of a followup was removed meanwhile: the tables are being emptied",
    ))
}

impl Deref for PostgresUnitOfWork {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.tx.connection()
    }
}

impl DerefMut for PostgresUnitOfWork {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.tx.connection_mut()
    }
}

impl fmt::Debug for PostgresUnitOfWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresUnitOfWork").field("queue", &self.queue).finish_non_exhaustive()
    }
}
