//! A unit of work: the writes of a job and its completion in one commit.

use std::fmt;

use queue_core::backend::UnitCompletion;
use queue_core::services::{Factory, Fallible, RecordsCompletion};
use queue_core::{BoxError, JobContext, OutcomeKind, QueueError};
use rusqlite::Connection;

use crate::queue::SqliteQueue;
use crate::table::Write;

/// Collects the writes of a job, and commits them together with its completion and its followups, or not at all.
///
/// Use it for jobs whose effects are in the same database as the jobs: wherever the process dies, the effects happen
/// exactly once.
///
/// [`write`](Self::write) only adds a closure. The closures run after the job has succeeded. So the job holds no lock, however
/// long it runs, and a write that depends on stored data must read it in its SQL or in its closure.
///
/// ```
/// use queue_core::{Services, background_job};
/// use queue_sqlite::{SqliteQueue, SqliteUnitOfWork};
///
/// #[background_job]
/// async fn pay(#[inject] db: &mut SqliteUnitOfWork, order: i64) {
///     db.write(move |tx| tx.execute("update orders set paid = paid + 1 where id = ?1", [order]));
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let queue = SqliteQueue::open(":memory:").await?;
/// let services = Services::builder().unit_of_work(queue.unit_of_work(), SqliteUnitOfWork::end).build()?;
/// # Ok(())
/// # }
/// ```
///
/// # Rules for writes
///
/// A write runs on the queue's writer thread and connection, in a transaction that no other call shares. All pushes wait for
/// it meanwhile, so it should be short, and it must not wait for the queue itself. It must not end the transaction or begin
/// another. If a write fails or panics, the attempt fails and nothing of the job is written.
///
/// A write must not leave anything behind in the connection. The queue refuses pragmas that set something, `attach`, `detach`,
/// and temporary tables, views, indexes and triggers. Hooks and a busy timeout that a write sets through methods of the
/// connection end with the write.
///
/// # With other services that end with the outcome
///
/// Scopes close in reverse order of injection, and a commit can't be undone. So inject this unit of work first: other units of
/// work then end before it, and if one of them fails, this one writes nothing.
pub struct SqliteUnitOfWork {
    queue: SqliteQueue,
    context: JobContext,
    writes: Vec<Write>,
}

impl SqliteQueue {
    /// Returns the factory for `.unit_of_work(queue.unit_of_work(), SqliteUnitOfWork::end)`.
    pub fn unit_of_work(
        &self,
    ) -> impl Factory<Fallible<(JobContext, RecordsCompletion)>, Service = SqliteUnitOfWork> + use<> {
        let queue = self.clone();
        move |context: JobContext, _: RecordsCompletion| {
            let (queue, writes) = (queue.clone(), Vec::new());
            async move { Ok::<_, QueueError>(SqliteUnitOfWork { queue, context, writes }) }
        }
    }
}

impl SqliteUnitOfWork {
    /// Adds a write, which runs after the job has succeeded. Writes run in the order in which they were added.
    pub fn write<T, E: Into<BoxError>>(
        &mut self,
        write: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) {
        self.writes.push(Box::new(move |tx| write(tx).map(drop).map_err(Into::into)));
    }

    /// Commits the writes and the completion if `outcome` is a success; otherwise drops them.
    ///
    /// # Errors
    ///
    /// After an error, nothing was written.
    ///
    /// - `Conflict` if the lease was lost or a write failed.
    /// - `Invalid` if a followup can't be stored. The job is discarded then.
    /// - Any error of the file.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, either everything was written or nothing.
    pub async fn end(self, outcome: OutcomeKind) -> Result<(), QueueError> {
        if !outcome.is_success() {
            return Ok(());
        }
        let Self { queue, context, writes } = self;
        let (completion, followups) = UnitCompletion::prepare(&context, queue.intake())?;
        let settlement = completion.settlement().clone();
        let (unit_meta, meta) = (queue.unit_meta().clone(), context.meta().clone());
        let complete = queue.writer().call_exclusive(move |table| {
            unit_meta.write(meta, || table.complete_in_unit_of_work(&settlement, writes, &followups))
        });
        completion.check(complete.await?)?;
        completion.note_committed();
        Ok(())
    }
}

impl fmt::Debug for SqliteUnitOfWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteUnitOfWork").field("writes", &self.writes.len()).finish_non_exhaustive()
    }
}
