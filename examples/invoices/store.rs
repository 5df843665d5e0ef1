//! The database of the service, in which the queue is, too.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use queue_core::{Admin, BoxError, ServicesBuilder};
use queue_postgres::sqlx::{self, PgPool};
use queue_postgres::{PostgresQueue, PostgresUnitOfWork};
use queue_sqlite::rusqlite::{self, Connection, TransactionBehavior};
use queue_sqlite::{SqliteQueue, SqliteUnitOfWork};
use tokio::task::spawn_blocking;

use crate::books::{ADD_ORDER, Books, Wrap};
use crate::jobs::bill_order;
use crate::order::Order;

/// One of the two databases that the service can use.
#[derive(Clone, Debug)]
pub(crate) enum Store {
    Sqlite { queue: SqliteQueue, path: PathBuf },
    Postgres { queue: PostgresQueue, pool: PgPool },
}

const SCHEMA: &str = include_str!("schema.sql");
const ORDER: &str = "select number, customer, cents from orders where number = $1";
const CUSTOMERS: &str = "select distinct customer from orders order by customer";

impl Store {
    /// Opens the queue and the tables in a file.
    pub(crate) async fn open_sqlite(path: PathBuf) -> Result<Self, BoxError> {
        Ok(Self::Sqlite { queue: SqliteQueue::open(&path).await?, path })
    }

    /// Opens the queue and the tables in a database.
    pub(crate) async fn open_postgres(url: &str) -> Result<Self, BoxError> {
        let pool = PgPool::connect(url).await?;
        Ok(Self::Postgres { queue: PostgresQueue::builder(pool.clone()).connect().await?, pool })
    }

    pub(crate) async fn create_tables(&self) -> Result<(), BoxError> {
        match self {
            Self::Sqlite { path, .. } => with(path, |connection| connection.execute_batch(SCHEMA)).await,
            Self::Postgres { pool, .. } => {
                sqlx::raw_sql(SCHEMA).execute(pool).await?;
                Ok(())
            }
        }
    }

    pub(crate) fn queue(&self) -> Arc<dyn Admin> {
        match self {
            Self::Sqlite { queue, .. } => Arc::new(queue.clone()),
            Self::Postgres { queue, .. } => Arc::new(queue.clone()),
        }
    }

    /// Registers the unit of work of the jobs.
    pub(crate) fn register_books(&self, services: ServicesBuilder) -> ServicesBuilder {
        match self {
            Self::Sqlite { queue, .. } => {
                let wrap: fn(SqliteUnitOfWork) -> Books = Books::Sqlite;
                services.unit_of_work(Wrap { begin: queue.unit_of_work(), wrap }, Books::end)
            }
            Self::Postgres { queue, .. } => {
                let wrap: fn(PostgresUnitOfWork) -> Books = Books::Postgres;
                services.unit_of_work(Wrap { begin: queue.unit_of_work(), wrap }, Books::end)
            }
        }
    }

    /// Stores an order and the job that bills it in one transaction.
    pub(crate) async fn place(&self, order: Order) -> Result<(), BoxError> {
        let job = bill_order::new(order.number);
        let Order { number, customer, cents } = order;
        match self {
            Self::Sqlite { queue, path } => {
                let queue = queue.clone();
                let place = move |connection: &mut Connection| -> Result<(), BoxError> {
                    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                    tx.execute(ADD_ORDER, rusqlite::params![number, customer, cents])?;
                    queue.enqueue_in(&tx, job)?;
                    Ok(tx.commit()?)
                };
                with(path, place).await?;
            }
            Self::Postgres { queue, pool } => {
                let mut tx = pool.begin().await?;
                let add = sqlx::query(ADD_ORDER).bind(number).bind(customer).bind(cents);
                add.execute(&mut *tx).await?;
                queue.enqueue_in(&mut tx, job).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn order(&self, number: i64) -> Result<Order, BoxError> {
        let (number, customer, cents) = match self {
            Self::Sqlite { path, .. } => {
                let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
                with(path, move |connection| connection.query_row(ORDER, [number], row)).await?
            }
            Self::Postgres { pool, .. } => sqlx::query_as(ORDER).bind(number).fetch_one(pool).await?,
        };
        Ok(Order { number, customer, cents })
    }

    pub(crate) async fn customers(&self) -> Result<Vec<String>, BoxError> {
        Ok(match self {
            Self::Sqlite { path, .. } => {
                let read = |connection: &mut Connection| {
                    let mut customers = connection.prepare(CUSTOMERS)?;
                    customers.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()
                };
                with(path, read).await?
            }
            Self::Postgres { pool, .. } => sqlx::query_scalar(CUSTOMERS).fetch_all(pool).await?,
        })
    }
}

/// Runs a query on a thread that may block, with a connection of its own.
pub(crate) async fn with<T, E>(
    path: &Path,
    query: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
) -> Result<T, BoxError>
where
    T: Send + 'static,
    E: Into<BoxError>,
{
    let path = path.to_owned();
    let queried = spawn_blocking(move || {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        query(&mut connection).map_err(Into::into)
    });
    queried.await?
}
