//! The thread that reads, for [`Admin`](queue_core::Admin).
//!
//! The thread owns a connection that only reads. It runs one query at a time, in the order in which they were sent, each in
//! a read transaction. So it sees the last commit and, in WAL mode, never waits for the writer.
//!
//! Shared state: the channel of queries, and a one-shot channel for each answer. [`Reader::call`] wakes the thread by
//! sending a query; the thread wakes the caller by sending the answer.
//!
//! Shutdown: dropping the last [`SqliteQueue`](crate::SqliteQueue) drops the only sender. The thread then runs the queries
//! that are still in the channel, closes its connection and ends, and [`JoinOnDrop`] joins it.

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, mpsc};

use queue_core::QueueError;
use queue_core::backend::Reply;
use rusqlite::{Connection, TransactionBehavior};

use crate::connection;
use crate::error::TxError;
use crate::files::Files;
use crate::joined_thread::JoinOnDrop;
use crate::process::Process;
use crate::settings::Settings;

type ReadQuery = Box<dyn FnOnce(&mut Connection, &Files) + Send>;

/// Sends queries to the reader thread, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Reader {
    queries: mpsc::Sender<ReadQuery>,
    path: Arc<Path>,
    process: Process,
}

impl Reader {
    /// Starts the thread and opens its connection.
    ///
    /// # Errors
    ///
    /// The errors of [`connection::open`].
    pub(crate) async fn start(settings: &Settings) -> Result<JoinOnDrop<Self>, QueueError> {
        let (queries, waiting) = mpsc::channel::<ReadQuery>();
        let (location, synchronous, busy) =
            (settings.location.clone(), settings.synchronous, settings.busy_timeout);
        let reader = Self { queries, path: location.path().into(), process: Process::current() };
        let open = move || connection::open(&location, synchronous, busy);
        let read = move |(mut connection, files)| {
            waiting.into_iter().for_each(|query| query(&mut connection, &files));
        };
        JoinOnDrop::start("queue-sqlite-read", reader, open, read).await
    }

    /// Runs `query` on the thread, in one read transaction, and returns its result.
    ///
    /// The query is sent when this is called; the future only waits for the answer.
    pub(crate) fn call<T, Q>(
        &self,
        query: Q,
    ) -> impl Future<Output = Result<T, QueueError>> + Send + use<T, Q>
    where
        T: Send + 'static,
        Q: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = Reply::new(reader_gone);
        let path = self.path.clone();
        let query: ReadQuery = Box::new(move |connection, files| {
            let answer = in_read_transaction(connection, query).map_err(TxError::from);
            let answer = answer.and_then(|answer| Ok(files.check().map(|()| answer)?));
            reply.send(answer.map_err(|broken| broken.to_queue_error(&path)));
        });
        let checked = self.process.check();
        if checked.is_ok() {
            // After the thread has ended, the reply is dropped with the query, and the answer is an error.
            drop(self.queries.send(query));
        }
        async move {
            checked?;
            answer.await
        }
    }
}

/// Runs `query` in a transaction, so that all its statements see the same commit.
fn in_read_transaction<T>(
    connection: &mut Connection,
    query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
    let answer = query(&transaction)?;
    transaction.finish()?;
    Ok(answer)
}

fn reader_gone() -> QueueError {
    QueueError::unavailable("the queue's reader thread has ended: open the queue again")
}
