//! The unit of work of a job: its writes to the database, in one commit with its completion.

use queue_core::services::{Dependency, Factory, Scope, ServiceError};
use queue_core::{BoxError, BoxFuture, OutcomeKind, QueueError};
use queue_postgres::{PostgresUnitOfWork, sqlx};
use queue_sqlite::{SqliteUnitOfWork, rusqlite};

use crate::order::Order;

/// The writes of a job, over the database that the service uses. An application with one database injects the unit of work of its
/// queue instead: `#[inject] tx: &mut PostgresUnitOfWork`.
#[derive(Debug)]
pub(crate) enum Books {
    Sqlite(SqliteUnitOfWork),
    Postgres(PostgresUnitOfWork),
}

// Both databases number parameters like this.
pub(crate) const ADD_ORDER: &str = "insert into orders (number, customer, cents) values ($1, $2, $3)";
const ADD_INVOICE: &str =
    "insert into invoices (number, cents) select number, cents from orders where number = $1";
const CLOSE_MONTH: &str = "insert into closed_months (month) values ($1)";

impl Books {
    pub(crate) async fn add_order(&mut self, order: Order) -> Result<(), BoxError> {
        let Order { number, customer, cents } = order;
        match self {
            Self::Sqlite(unit) => {
                unit.write(move |tx| tx.execute(ADD_ORDER, rusqlite::params![number, customer, cents]));
            }
            Self::Postgres(unit) => {
                let add = sqlx::query(ADD_ORDER).bind(number).bind(customer).bind(cents);
                add.execute(&mut **unit).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn add_invoice(&mut self, order: i64) -> Result<(), BoxError> {
        match self {
            Self::Sqlite(unit) => unit.write(move |tx| tx.execute(ADD_INVOICE, [order])),
            Self::Postgres(unit) => {
                sqlx::query(ADD_INVOICE).bind(order).execute(&mut **unit).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn close_month(&mut self, month: &str) -> Result<(), BoxError> {
        let month = month.to_owned();
        match self {
            Self::Sqlite(unit) => unit.write(move |tx| tx.execute(CLOSE_MONTH, [month])),
            Self::Postgres(unit) => {
                sqlx::query(CLOSE_MONTH).bind(month).execute(&mut **unit).await?;
            }
        }
        Ok(())
    }

    /// Commits the writes and the completion after a success.
    pub(crate) async fn end(self, outcome: OutcomeKind) -> Result<(), QueueError> {
        match self {
            Self::Sqlite(unit) => unit.end(outcome).await,
            Self::Postgres(unit) => unit.end(outcome).await,
        }
    }
}

/// A factory of [`Books`] that wraps the factory of a backend's unit of work.
pub(crate) struct Wrap<F, S> {
    pub(crate) begin: F,
    pub(crate) wrap: fn(S) -> Books,
}

impl<K, F, S> Factory<K> for Wrap<F, S>
where
    F: Factory<K, Service = S>,
    S: Send + 'static,
{
    type Service = Books;

    fn dependencies(&self) -> Vec<Dependency> {
        self.begin.dependencies()
    }

    fn make<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Books, ServiceError>> {
        Box::pin(async move { self.begin.make(scope).await.map(self.wrap) })
    }
}
