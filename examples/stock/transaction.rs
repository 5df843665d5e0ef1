//! The unit of work of a job: a database transaction.

use std::fmt;
use std::sync::Arc;

use queue_core::OutcomeKind;
use rusqlite::Connection;
use tokio::task::spawn_blocking;

use crate::database::{Database, DatabaseError};

/// A transaction that one job uses exclusively: committed if the job succeeds, rolled back otherwise.
///
/// It takes the database's only write lock at its first use rather than at its beginning, so a job may use the network
/// first without delaying other writers. It owns its connection; a dropped transaction is rolled back.
pub struct Tx {
    state: State,
}

enum State {
    /// The transaction was not used yet.
    Fresh(Connection),
    /// The transaction holds the write lock.
    Writing(Connection),
    /// A query uses the connection. The state remains if the query's future is dropped.
    Busy,
}

impl Tx {
    /// Opens a connection; the first half of `.unit_of_work(Tx::begin, Tx::end)`.
    ///
    /// # Errors
    ///
    /// The file can't be opened.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub async fn begin(database: Arc<Database>) -> Result<Self, DatabaseError> {
        let connection = spawn_blocking(move || database.connect()).await??;
        Ok(Self { state: State::Fresh(connection) })
    }

    /// Reads or writes within the transaction.
    ///
    /// # Errors
    ///
    /// The error of the database.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future dooms the transaction: it is rolled back.
    pub async fn run<T: Send + 'static>(
        &mut self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        let state = std::mem::replace(&mut self.state, State::Busy);
        let (connection, answer) = spawn_blocking(move || {
            let connection = state.writing()?;
            let answer = query(&connection);
            Ok::<_, DatabaseError>((connection, answer))
        })
        .await??;
        self.state = State::Writing(connection);
        Ok(answer?)
    }

    /// Commits after a success and rolls back otherwise.
    ///
    /// # Errors
    ///
    /// The transaction could not be committed; then the job has failed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the transaction is committed or rolled back.
    pub async fn end(self, outcome: OutcomeKind) -> Result<(), DatabaseError> {
        match self.state {
            State::Fresh(_) => Ok(()),
            State::Busy if outcome.is_success() => Err(DatabaseError::Abandoned),
            State::Busy => Ok(()),
            State::Writing(connection) => {
                let verdict = if outcome.is_success() { "COMMIT" } else { "ROLLBACK" };
                Ok(spawn_blocking(move || connection.execute_batch(verdict)).await??)
            }
        }
    }
}

impl State {
    /// Takes the write lock if the transaction does not hold it yet.
    fn writing(self) -> Result<Connection, DatabaseError> {
        match self {
            Self::Fresh(connection) => {
                connection.execute_batch("BEGIN IMMEDIATE")?;
                Ok(connection)
            }
            Self::Writing(connection) => Ok(connection),
            Self::Busy => Err(DatabaseError::Abandoned),
        }
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Fresh(_) => "fresh",
            State::Writing(_) => "writing",
            State::Busy => "busy",
        };
        f.debug_tuple("Tx").field(&state).finish()
    }
}
