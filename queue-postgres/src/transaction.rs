//! Pushes in the application's own transaction.

use queue_core::backend::Encoded;
use queue_core::{BoxFuture, IntoJob, NewJob, QueueError, Receipt};
use sqlx::{Connection as _, PgConnection};

use crate::columns::JobColumns;
use crate::error::to_queue_error;
use crate::queue::PostgresQueue;
use crate::shared::UnknownQueues;
use crate::storable::{check_storable, delay_overflow};
use crate::tasks::push::PushOutcome;

/// A connection with an open transaction: the argument of [`PostgresQueue::enqueue_in`].
///
/// It is implemented for `&mut` of a `sqlx::Transaction`, a [`PostgresUnitOfWork`](crate::PostgresUnitOfWork), and a
/// connection on which a transaction was begun. It cannot be implemented elsewhere: a type of the application's own that
/// wraps one of these is passed as `&mut **wrapper`.
///
/// It is not implemented for a pool, and the compiler says what to do: "begin a transaction: `let mut tx =
/// pool.begin().await?`, and pass `&mut tx`".
///
/// ```compile_fail,E0277
/// # use queue_core::{NewJob, QueueError};
/// # use queue_postgres::{PostgresQueue, sqlx::PgPool};
/// async fn push(queue: &PostgresQueue, pool: &PgPool, job: NewJob) -> Result<(), QueueError> {
///     queue.enqueue_in(pool, job).await?; // error: `&Pool<Postgres>` is not an open transaction
///     Ok(())
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an open transaction",
    label = "begin a transaction: `let mut tx = pool.begin().await?`, and pass `&mut tx`",
    note = "a `PostgresUnitOfWork` is passed as it is; to push outside of a transaction, use `enqueue` or `push`"
)]
pub trait InTransaction: connected::Connected + Send {}

#[diagnostic::do_not_recommend]
impl<T: connected::Connected + Send> InTransaction for T {}

mod connected {
    use queue_core::Meta;
    use sqlx::pool::PoolConnection;
    use sqlx::{PgConnection, Postgres, Transaction};

    use crate::unit_of_work::PostgresUnitOfWork;

    /// A type with access to a connection.
    pub trait Connected {
        fn connection(&mut self) -> &mut PgConnection;

        /// Returns the meta of the job whose unit of work this is.
        fn meta(&self) -> Option<&Meta> {
            None
        }
    }

    impl Connected for &mut PgConnection {
        fn connection(&mut self) -> &mut PgConnection {
            self
        }
    }

    impl Connected for &mut Transaction<'_, Postgres> {
        fn connection(&mut self) -> &mut PgConnection {
            self
        }
    }

    impl Connected for &mut PoolConnection<Postgres> {
        fn connection(&mut self) -> &mut PgConnection {
            self
        }
    }

    impl Connected for &mut PostgresUnitOfWork {
        fn connection(&mut self) -> &mut PgConnection {
            self
        }

        fn meta(&self) -> Option<&Meta> {
            Some(self.job_meta())
        }
    }

    impl<T: Connected> Connected for &mut T {
        fn connection(&mut self) -> &mut PgConnection {
            (**self).connection()
        }

        fn meta(&self) -> Option<&Meta> {
            (**self).meta()
        }
    }
}

impl PostgresQueue {
    /// Stores a job in a transaction of the application. The job exists if and only if the transaction commits, which
    /// also wakes workers.
    ///
    /// A job that is pushed in a unit of work inherits the meta of that unit's job, as a followup does.
    ///
    /// The transaction must be on the database of the queue. A `sqlx::Transaction` is passed as `&mut tx`, a
    /// [`PostgresUnitOfWork`](crate::PostgresUnitOfWork) as it is, or as `&mut *tx` if it is used again afterwards.
    ///
    /// A job with a unique key locks the key while the transaction is open: other pushes of the key wait, and no other
    /// call does.
    ///
    /// In a transaction that is `REPEATABLE READ` or `SERIALIZABLE`, the receipt reflects its snapshot:
    /// [`Existing`](Receipt::Existing) may name a job that has finished since. Push with a unique key before the
    /// transaction reads anything, or in one that is `READ COMMITTED`.
    ///
    /// ```no_run
    /// # use queue_core::background_job;
    /// # use queue_postgres::PostgresQueue;
    /// #[background_job]
    /// async fn send_invoice(order: i64) {}
    ///
    /// # async fn example(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let queue = PostgresQueue::builder(pool.clone()).connect().await?;
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
    /// `Invalid` if no transaction was begun through the driver, and the errors of [`push`](queue_core::Queue::push).
    /// After an error of the server, the transaction can only be rolled back.
    ///
    /// # Cancel safety
    ///
    /// None: if the future is dropped, roll the transaction back.
    pub fn enqueue_in<'a>(
        &'a self,
        tx: impl InTransaction + 'a,
        job: impl IntoJob,
    ) -> BoxFuture<'a, Result<Receipt, QueueError>> {
        // Boxed: if `tx` were part of the future's type, rustc would report a `tx` of a wrong type three times.
        let pushing = self.push_in(tx, vec![job.into_job()]);
        Box::pin(async move {
            let receipt = pushing.await?.into_iter().next();
            receipt.ok_or_else(|| QueueError::invalid("a push of one job returned no receipt"))
        })
    }

    /// Stores a batch in a transaction of the application, as [`enqueue_in`](Self::enqueue_in) stores a job.
    ///
    /// # Errors
    ///
    /// Those of [`enqueue_in`](Self::enqueue_in).
    ///
    /// # Cancel safety
    ///
    /// None: if the future is dropped, roll the transaction back.
    pub fn push_in<'a>(
        &'a self,
        mut tx: impl InTransaction + 'a,
        mut jobs: Vec<NewJob>,
    ) -> BoxFuture<'a, Result<Vec<Receipt>, QueueError>> {
        if let Some(meta) = tx.meta() {
            jobs.iter_mut().for_each(|job| job.meta.inherit(meta));
        }
        Box::pin(async move { self.push_on(tx.connection(), jobs).await })
    }

    async fn push_on(&self, tx: &mut PgConnection, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        self.check_open()?;
        if !tx.is_in_transaction() {
            return Err(QueueError::invalid(
                "no transaction was begun on this connection: begin one, or use `enqueue`",
            ));
        }
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let jobs = self.intake().jobs(jobs)?;
        check_storable(&jobs)?;
        let shared = self.shared();
        for _ in 0..2 {
            self.ensure_queues(&jobs).await?;
            let push = JobColumns::of(jobs.iter(), false).bind(shared.sql.push_in.query());
            let push = shared.notifier.transaction_jobs().bind(push);
            let to_error = |error| to_queue_error(error, &shared.target);
            let rows = push.fetch_all(&mut *tx).await.map_err(to_error)?;
            match PushOutcome::from_rows(jobs.iter(), &rows).map_err(to_error)? {
                PushOutcome::Stored(receipts) => return Ok(receipts),
                PushOutcome::DelayOverflow(index) => return Err(delay_overflow(&jobs, index)),
                PushOutcome::UnknownQueue => shared.forget_queues(),
            }
        }
        Err(QueueError::unavailable(
            "a queue of this push was created after the transaction took its snapshot, which doesn't contain it: roll back, \
             and begin again",
        ))
    }

    /// Creates the unknown queues of these jobs outside of the caller's transaction, so that other processes that create
    /// them don't wait for it.
    pub(crate) async fn ensure_queues(&self, jobs: &[Encoded]) -> Result<(), QueueError> {
        self.create_queues(self.shared().unknown_queues(jobs.iter())).await
    }

    /// Creates queues that may not exist, in a transaction of their own.
    pub(crate) async fn create_queues(&self, unknown: UnknownQueues) -> Result<(), QueueError> {
        if unknown.is_empty() {
            return Ok(());
        }
        let shared = self.shared().clone();
        let ensure = async move {
            let mut connection = shared.admin_connection.lock().await;
            shared.ensure_queues(&mut connection, unknown).await.map_err(QueueError::from)
        };
        self.thread().run(ensure).await
    }
}
