//! The thread that reads: it sees the last commit, and waits for nobody.

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;

use queue_core::QueueError;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use crate::config::SqliteQueueBuilder;
use crate::connection;
use crate::error::Broken;

type Query = Box<dyn FnOnce(&mut Connection) + Send>;

/// The way to the reader; its thread ends with the last of these.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    queries: mpsc::Sender<Query>,
    path: Arc<Path>,
}

impl Reader {
    /// Opens a connection on a thread of its own.
    pub(crate) async fn start(settings: &SqliteQueueBuilder) -> Result<Self, QueueError> {
        let (queries, waiting) = mpsc::channel::<Query>();
        let (opened, is_open) = oneshot::channel();
        let path: Arc<Path> = settings.place.path().into();
        let (place, synchronous, busy) =
            (settings.place.clone(), settings.synchronous, settings.busy_timeout);
        let read = move || match connection::open(&place, synchronous, busy) {
            Ok(mut connection) => {
                drop(opened.send(Ok(())));
                waiting.into_iter().for_each(|query| query(&mut connection));
            }
            Err(error) => drop(opened.send(Err(error))),
        };
        thread::Builder::new()
            .name("queue-sqlite-read".into())
            .spawn(read)
            .map_err(|error| QueueError::unavailable("no thread could be started").with_source(error))?;
        is_open.await.map_err(|_| gone())??;
        Ok(Self { queries, path })
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
        let query: Query = Box::new(move |connection| {
            let answer = consistently(connection, query);
            drop(reply.send(answer.map_err(|error| Broken::from(error).told(&path))));
        });
        let is_sent = self.queries.send(query).is_ok();
        async move {
            if !is_sent {
                return Err(gone());
            }
            answer.await.map_err(|_| gone())?
        }
    }
}

fn consistently<T>(
    connection: &mut Connection,
    query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
    let answer = query(&transaction)?;
    transaction.finish()?;
    Ok(answer)
}

fn gone() -> QueueError {
    QueueError::unavailable("the queue's reader thread has ended: open the queue anew")
}
