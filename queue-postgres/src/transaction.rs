//! Pushing in the application's own transaction.

use queue_core::encoded::{Encoded, encode};
use queue_core::{NewJob, QueueError, Receipt};
use sqlx::{Connection as _, PgConnection};

use crate::batch::{Columns, check_storable, past_the_end};
use crate::error::explained;
use crate::pushing::{Pushed, pushed};
use crate::queue::PostgresQueue;

impl PostgresQueue {
    /// Stores a job in a transaction of the application's own: it is there if and only if that commits, and wakes workers
    /// then.
    ///
    /// The transaction is one on the database of the queue. A `sqlx::Transaction` is passed as `&mut tx`,
    /// a [`PgUnitOfWork`](crate::PgUnitOfWork) as it is.
    ///
    /// A job with a unique key holds the key for as long as the transaction is open: others that push the key wait, and
    /// nobody else does.
    ///
    /// In a transaction that is `REPEATABLE READ` or `SERIALIZABLE`, the answer is that of its snapshot:
    /// [`Existing`](Receipt::Existing) may name a job that has finished since. Push with a unique key before the transaction
    /// reads anything, or in one that is `READ COMMITTED`.
    ///
    /// ```no_run
    /// # use queue_core::background_job;
    /// # use queue_postgres::PostgresQueue;
    /// #[background_job]
    /// async fn send_invoice(order: i64) {}
    ///
    /// # async fn example(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let queue = PostgresQueue::from_pool(pool.clone()).await?;
    ///
    /// let mut tx = pool.begin().await?;
    /// let order = sqlx::query_scalar("insert into orders (item) values ('tea') returning id").fetch_one(&mut *tx).await?;
    /// queue.enqueue_in(&mut tx, send_invoice::new(order)).await?;
    /// tx.commit().await?; // the order and its job, or neither
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `Invalid` if no transaction was begun through the driver, and what [`push`](queue_core::Queue::push) answers.
    /// After one that is the server's own, the transaction can only be rolled back.
    ///
    /// # Cancel safety
    ///
    /// None: if the future is dropped, roll the transaction back.
    pub async fn enqueue_in(
        &self,
        tx: &mut PgConnection,
        job: impl Into<NewJob>,
    ) -> Result<Receipt, QueueError> {
        let receipts = self.push_in(tx, vec![job.into()]).await?;
        receipts.into_iter().next().ok_or_else(|| QueueError::invalid("a push of one job gave no receipt"))
    }

    /// Stores a batch in a transaction of the application's own, as [`enqueue_in`](Self::enqueue_in) does a job.
    ///
    /// # Errors
    ///
    /// Those of [`enqueue_in`](Self::enqueue_in).
    ///
    /// # Cancel safety
    ///
    /// None: if the future is dropped, roll the transaction back.
    pub async fn push_in(
        &self,
        tx: &mut PgConnection,
        jobs: Vec<NewJob>,
    ) -> Result<Vec<Receipt>, QueueError> {
        self.check_open()?;
        if !tx.is_in_transaction() {
            return Err(QueueError::invalid(
                "no transaction was begun on this connection: begin one, or use `enqueue`",
            ));
        }
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let jobs = encode(jobs, self.limits())?;
        check_storable(&jobs)?;
        let server = self.server();
        for _ in 0..2 {
            self.enter(&jobs).await?;
            let push = Columns::of(jobs.iter(), false).bind(server.sql.push_in.query());
            let push = push.bind(server.place.channel()).bind(format!("{}+", server.word()));
            let rows = push.fetch_all(&mut *tx).await.map_err(|error| explained(error, &server.place))?;
            match pushed(jobs.iter(), &rows).map_err(|error| explained(error, &server.place))? {
                Pushed::Stored(receipts) => return Ok(receipts),
                Pushed::Refused(index) => return Err(past_the_end(&jobs, index)),
                Pushed::UnknownQueue => server.forget_queues(),
            }
        }
        Err(QueueError::unavailable(
            "a queue of this push was created after the transaction took its snapshot, which doesn't show it: roll back, \
             and begin again",
        ))
    }

    /// Creates the queues of these jobs that are new, apart from the caller's transaction: no other process that does so too
    /// waits for it.
    pub(crate) async fn enter(&self, jobs: &[Encoded]) -> Result<(), QueueError> {
        let server = self.server().clone();
        let unknown = server.unknown_queues(jobs.iter());
        if unknown.is_empty() {
            return Ok(());
        }
        let enter = async move {
            let mut desk = server.desk.lock().await;
            server.enter(&mut desk, unknown).await.map_err(|unanswered| unanswered.error)
        };
        self.io().run(enter).await
    }
}
