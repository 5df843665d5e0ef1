//! Pushes in the application's own transaction.

use queue_core::{IntoJob, NewJob, Queue as _, QueueError, Receipt};
use rusqlite::Connection;

use crate::error::{OpError, TxError};
use crate::queue::SqliteQueue;
use crate::table::{Table, WriterCache};

impl SqliteQueue {
    /// Stores a job in a transaction of the application's own. The job exists if and only if that transaction commits.
    ///
    /// The connection must be one to the file that this queue has open. Pass a `rusqlite::Transaction` or `Savepoint` as `&tx`.
    ///
    /// Waiting claims of this process find the job within a millisecond or two of a commit that follows soon, otherwise within
    /// the [poll interval](crate::SqliteQueueBuilder::poll_interval), like those of other processes.
    /// [`poll_now`](Self::poll_now) after the commit wakes them at once.
    ///
    /// A job that a write of a [`SqliteUnitOfWork`](crate::SqliteUnitOfWork) stores inherits the meta of that unit's job, as a
    /// followup does.
    ///
    /// Begin the transaction with `TransactionBehavior::Immediate`. A transaction that begins by reading fails as busy if
    /// another connection writes before it does.
    ///
    /// ```
    /// # use queue_core::background_job;
    /// # use queue_sqlite::SqliteQueue;
    /// use queue_sqlite::rusqlite::{Connection, TransactionBehavior};
    ///
    /// #[background_job]
    /// async fn send_invoice(order: i64) {}
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("shop.db");
    /// let queue = SqliteQueue::open(&path).await?;
    /// let mut shop = Connection::open(&path)?;
    /// shop.execute_batch("create table orders (id integer primary key, item text)")?;
    ///
    /// let tx = shop.transaction_with_behavior(TransactionBehavior::Immediate)?;
    /// tx.execute("insert into orders (item) values (?1)", ["tea"])?;
    /// queue.enqueue_in(&tx, send_invoice::new(tx.last_insert_rowid()))?;
    /// tx.commit()?; // the order and its job, or neither
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `Invalid` if no transaction is open on the connection, and the errors of [`push`](queue_core::Queue::push).
    pub fn enqueue_in(&self, tx: &Connection, job: impl IntoJob) -> Result<Receipt, QueueError> {
        let receipts = self.push_in(tx, vec![job.into_job()])?;
        receipts
            .into_iter()
            .next()
            .ok_or_else(|| QueueError::invalid("a push of one job returned no receipt"))
    }

    /// Stores a batch in a transaction of the application's own, as [`enqueue_in`](Self::enqueue_in) stores one job.
    ///
    /// # Errors
    ///
    /// The errors of [`enqueue_in`](Self::enqueue_in). After an error of the database, roll the transaction back.
    pub fn push_in(&self, tx: &Connection, mut jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        self.check_open()?;
        if tx.is_autocommit() {
            return Err(QueueError::invalid(
                "no transaction is open on this connection: begin one, or use `enqueue`",
            ));
        }
        self.unit_meta().pass_on(&mut jobs);
        let jobs = self.intake().jobs(jobs)?;
        let mut cache = WriterCache::default();
        let mut table = Table::new(tx, self.clock().now(), &mut cache);
        // An expired lease on the last attempt frees a unique key. The writer may not have recorded that yet.
        let pushed = table.advance().map_err(OpError::from).and_then(|()| {
            let pushed = table.push(&jobs)?;
            table.write_partitions()?;
            Ok(pushed)
        });
        let receipts = pushed.map_err(|failure| match failure {
            OpError::Refused(error) => error,
            OpError::Database(error) => TxError::from(error).to_queue_error(self.path()),
            OpError::TransactionLost(why) => QueueError::unavailable(why),
        })?;
        drop(table);
        if let Some(feed) = self.expiry_feed() {
            // If the application rolls back, the expiry is noticed and reported again.
            cache.expired.iter().for_each(|job| feed.report(job));
        }
        self.writer().poll_faster();
        Ok(receipts)
    }
}
