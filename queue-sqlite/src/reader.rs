//! The thread that reads: it sees the last commit, and waits for nobody.

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, mpsc};

use queue_core::QueueError;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use crate::config::SqliteQueueBuilder;
use crate::connection;
use crate::error::TxError;
use crate::files::Files;
use crate::joined_thread::JoinOnDrop;
use crate::process::Process;

type Query = Box<dyn FnOnce(&mut Connection, &Files) + Send>;

/// The way to the reader, whose thread ends with it.
#[derive(Debug)]
pub(crate) struct Reader {
    queries: mpsc::Sender<Query>,
    path: Arc<Path>,
    process: Process,
}

impl Reader {
    /// Opens a connection on a thread of its own.
    pub(crate) async fn start(settings: &SqliteQueueBuilder) -> Result<JoinOnDrop<Self>, QueueError> {
        let (queries, waiting) = mpsc::channel::<Query>();
        let (location, synchronous, busy) =
            (settings.location.clone(), settings.synchronous, settings.busy_timeout);
        let reader = Self { queries, path: location.path().into(), process: Process::current() };
        let open = move || connection::open(&location, synchronous, busy);
        let read = move |(mut connection, files)| {
            waiting.into_iter().for_each(|query| query(&mut connection, &files));
        };
        JoinOnDrop::start("queue-sqlite-read", reader, open, read).await
    }

    /// Runs a query, all of it on one state of the file.
    pub(crate) fn call<T, Q>(
        &self,
        query: Q,
    ) -> impl Future<Output = Result<T, QueueError>> + Send + use<T, Q>
    where
        T: Send + 'static,
        Q: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let path = self.path.clone();
        let query: Query = Box::new(move |connection, files| {
            let answer = in_read_transaction(connection, query).map_err(TxError::from);
            let answer = answer.and_then(|answer| Ok(files.check().map(|()| answer)?));
            drop(reply.send(answer.map_err(|broken| broken.to_queue_error(&path))));
        });
        let checked = self.process.check();
        let is_sent = checked.is_ok() && self.queries.send(query).is_ok();
        async move {
            checked?;
            if !is_sent {
                return Err(reader_gone());
            }
            answer.await.map_err(|_| reader_gone())?
        }
    }
}

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
    QueueError::unavailable("the queue's reader thread has ended: open the queue anew")
}
