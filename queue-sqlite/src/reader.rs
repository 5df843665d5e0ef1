//! The thread that reads, for [`Admin`](queue_core::Admin).
//!
//! The thread owns a connection that only reads. It runs one query at a time, in the order in which they were sent, each in
//! a read transaction. So it sees the last commit and, in WAL mode, never waits for the writer. While calls wait for the end of
//! jobs, it polls for them between the queries, in `ends.rs`.
//!
//! Shared state: the channel of messages, and a one-shot channel for each answer. [`Reader::call`] wakes the thread by
//! sending a query; the thread wakes the caller by sending the answer.
//!
//! Shutdown: dropping the last [`SqliteQueue`](crate::SqliteQueue) drops the only sender. The thread then runs the queries
//! that are still in the channel, closes its connection and ends, and [`JoinOnDrop`] joins it.

mod ends;

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

use queue_core::backend::Reply;
use queue_core::{Clock, JobId, QueueError, Timestamp};
use rusqlite::{Connection, TransactionBehavior};

use crate::connection;
use crate::error::TxError;
use crate::files::Files;
use crate::joined_thread::JoinOnDrop;
use crate::process::Process;
use crate::settings::Settings;
use ends::{EndWait, EndWaits};

type ReadQuery = Box<dyn FnOnce(&mut Connection, &Files) + Send>;

/// A message to the reader thread.
enum ReaderMessage {
    Query(ReadQuery),
    WaitForEnd(EndWait),
}

/// Sends queries to the reader thread, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Reader {
    messages: Sender<ReaderMessage>,
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
        let (messages, waiting) = channel();
        let (location, synchronous, busy) =
            (settings.location.clone(), settings.synchronous, settings.busy_timeout);
        let path: Arc<Path> = location.path().into();
        let reader = Self { messages, path: path.clone(), process: Process::current() };
        let open = move || connection::open(&location, synchronous, busy);
        let clock = settings.clock.clone();
        let read = move |(connection, files)| read(connection, &files, &path, &waiting, clock);
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
            reply.send(checked_answer(connection, files, &path, query));
        });
        let sent = self.send(ReaderMessage::Query(query));
        async move {
            sent?;
            answer.await
        }
    }

    /// Waits until one of these jobs has ended or is gone, or until an instant by the queue's clock.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the wait ends.
    pub(crate) async fn wait_for_end(&self, ids: Vec<JobId>, until: Timestamp) -> Result<(), QueueError> {
        let (reply, answer) = Reply::new(reader_gone);
        self.send(ReaderMessage::WaitForEnd(EndWait { ids, until, reply }))?;
        answer.await
    }

    fn send(&self, message: ReaderMessage) -> Result<(), QueueError> {
        self.process.check()?;
        // After the thread has ended, the reply is dropped with the message, and the answer is an error.
        drop(self.messages.send(message));
        Ok(())
    }
}

/// Runs the queries that arrive, and polls for the calls that wait for the end of jobs, until all senders are dropped.
fn read(
    mut connection: Connection,
    files: &Files,
    path: &Path,
    messages: &Receiver<ReaderMessage>,
    clock: Arc<dyn Clock>,
) {
    let mut ends = EndWaits::new(clock);
    loop {
        let message = match ends.pause() {
            Some(pause) => messages.recv_timeout(pause),
            None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match message {
            Ok(ReaderMessage::Query(query)) => query(&mut connection, files),
            Ok(ReaderMessage::WaitForEnd(wait)) => ends.push(wait),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        ends.poll_if_due(|query| checked_answer(&mut connection, files, path, query));
    }
}

/// Runs `query` in a transaction, and checks that the files are those that other programs use.
fn checked_answer<T>(
    connection: &mut Connection,
    files: &Files,
    path: &Path,
    query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, QueueError> {
    let answer = in_read_transaction(connection, query).map_err(TxError::from);
    let answer = answer.and_then(|answer| Ok(files.check().map(|()| answer)?));
    answer.map_err(|broken| broken.to_queue_error(path))
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
