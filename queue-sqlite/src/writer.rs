//! The thread that writes. It groups calls into transactions, commits them, and serves the claims that wait.
//!
//! While the writer commits a batch of calls, the messages of other calls queue up, and form the next batch. So the more calls
//! there are, the more of them share a commit (group commit). `batch.rs` collects a batch, [`Linger`] decides how long it
//! waits for more calls, and `commit.rs` runs it. Claims that find no job wait in `waiting.rs`, and are served by the
//! transaction that stores a job for them.
//!
//! **Invariant:** a call is answered after the commit, so an acknowledged push is on disk.
//! **Invariant:** if the database fails an operation, the whole transaction fails, and every call in it receives the error.
//!
//! # Threads and shared state
//!
//! | thread | does |
//! | --- | --- |
//! | any caller | sends a [`Message`] through the [`WriterHandle`], and awaits the answer |
//! | the writer | collects a batch, runs it in a transaction, commits, and answers; prunes in the same transactions |
//!
//! They share an unbounded channel of messages, and a one-shot channel for each answer. The writer thread owns everything else,
//! the connection included. The reader thread (`reader.rs`) shares only the file with it.
//!
//! # Wakeups
//!
//! | event | wakes |
//! | --- | --- |
//! | a message | the writer, in `collect_batch` |
//! | a commit | the callers of the batch, and the claims that it served |
//! | a job becomes due, a lease expires, or a limit lets the next job start | the writer, if a claim waits: `WaitingClaims::schedule_wakeup` sets the timer |
//! | the deadline or the stop signal of a claim | the writer, which answers that claim with no job |
//! | a commit of another process | the writer at its next poll of `data_version`, if a claim waits |
//! | the time to prune | the writer |
//!
//! # Shutdown
//!
//! 1. The last `SqliteQueue` drops the [`WriterHandle`]. The writer itself has only a weak one, from which it makes a handle
//!    for as long as it hands over deliveries.
//! 2. The writer processes the messages that are still in the channel. Then `collect_batch` returns `None`.
//! 3. The writer drops the claims that wait, whose futures are gone by then, and closes its connection. The thread ends.
//! 4. [`JoinOnDrop`] joins the thread. After that, the reader stops in the same way.
//!
//! # Races
//!
//! - A caller may drop its claim after the claim's jobs were leased. The dropped `Handover` then releases the jobs by another
//!   call. If all handles are gone, `release_undelivered` does it instead.
//! - A timer may fire between two messages, before the writer waits for it. `WaitingClaims` remembers that it fired.
//! - Another process may commit after the last transaction read the file. The writer compares `data_version` with the value at
//!   its last poll, so the next poll notices.
//! - Another program may replace the files before a commit. The writer checks them after each commit, before it answers.
//! - Another program may change the ids of queues between two transactions. The cache of ids is cleared after each.

mod batch;
mod closure;
mod commit;
mod deadline;
mod handle;
mod message;
mod pruning;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use queue_core::backend::{ExpiryFeed, Linger};
use queue_core::{Delivery, QueueError, Settlement, Timestamp, Transition};
use rusqlite::Connection;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub(crate) use deadline::Deadline;
pub(crate) use handle::WriterHandle;

use crate::error::TxError;
use crate::files::Files;
use crate::joined_thread::JoinOnDrop;
use crate::settings::Settings;
use crate::sql_authorizer::SqlAuthorizer;
use crate::table::{self, Table, WriterCache};
use crate::{connection, migrations};
use batch::Batch;
use commit::{Served, TransactionKind};
use message::{Message, Operation};
use pruning::Pruning;
use waiting::WaitingClaims;

/// The state of the writer thread.
pub(crate) struct Writer {
    settings: Settings,
    connection: Connection,
    files: Files,
    /// Whether the last check found that a file was removed or replaced.
    files_moved: bool,
    messages: UnboundedReceiver<Message>,
    /// The handle with which dropped deliveries are released. It is weak, so that it does not keep the thread alive.
    handle: handle::WeakHandle,
    waiting: WaitingClaims,
    cache: WriterCache,
    pruning: Pruning,
    linger: Linger,
    expiries: Arc<ExpiryFeed>,
}

impl Writer {
    /// Starts the thread, which opens and migrates the file before this returns.
    ///
    /// # Errors
    ///
    /// The errors of [`connection::open`] and [`migrations::migrate`].
    pub(crate) async fn start(
        settings: Settings,
        expiries: Arc<ExpiryFeed>,
    ) -> Result<JoinOnDrop<WriterHandle>, QueueError> {
        let (sender, messages) = unbounded_channel();
        let handle = WriterHandle::new(sender);
        let weak = handle.downgrade();
        let open = move || Self::open(settings, messages, weak, expiries);
        let write = |(writer, runtime): (Self, tokio::runtime::Runtime)| runtime.block_on(writer.run());
        JoinOnDrop::start("queue-sqlite-write", handle, open, write).await
    }

    fn open(
        settings: Settings,
        messages: UnboundedReceiver<Message>,
        handle: handle::WeakHandle,
        expiries: Arc<ExpiryFeed>,
    ) -> Result<(Self, tokio::runtime::Runtime), QueueError> {
        let location = &settings.location;
        if !settings.run_migrations {
            // Before the first write: opening a connection changes the file's journal mode.
            migrations::check(location)?;
        }
        let (mut connection, files) =
            connection::open(location, settings.synchronous, settings.busy_timeout)?;
        migrations::migrate(&mut connection, location)?;
        if location.is_file() {
            // From here on, `begin` waits for the lock, since SQLite's own wait would block the timers of this thread.
            let unset = connection.busy_timeout(Duration::ZERO);
            unset.map_err(|error| TxError::from(error).to_queue_error(location.path()))?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime
            .map_err(|error| QueueError::unavailable("no timer could be started").with_source(error))?;
        let waiting = WaitingClaims::new(settings.clock.clone(), settings.poll_interval);
        let pruning = Pruning::new(settings.retention);
        let own_timeout = if location.is_file() { Duration::ZERO } else { settings.busy_timeout };
        let cache = WriterCache::new(SqlAuthorizer::new(own_timeout));
        let installed = cache.authorizer.install(&connection);
        installed.map_err(|error| TxError::from(error).to_queue_error(location.path()))?;
        let writer = Self {
            settings,
            connection,
            files,
            files_moved: false,
            messages,
            handle,
            waiting,
            cache,
            pruning,
            linger: Linger::default(),
            expiries,
        };
        Ok((writer, runtime))
    }

    /// Processes batches until all handles are dropped.
    async fn run(mut self) {
        while let Some(batch) = self.collect_batch().await {
            self.process(batch).await;
            self.waiting.poll_timers().await;
        }
    }

    /// Runs a batch, serves the claims that wait, and answers them.
    async fn process(&mut self, batch: Batch) {
        self.waiting.claims.drop_cancelled();
        // First, so that the transaction below serves waiting claims with the jobs that these make ready.
        for operation in batch.exclusive {
            self.commit_exclusive(operation).await;
        }
        if batch.operations.is_empty() && !self.waiting.claims.is_empty() && self.check_files().is_err() {
            // Other programs store jobs in another file now, so these claims would wait in vain.
            self.fail_batch(batch.operations, &TxError::FilesReplaced).await;
        } else if batch.operations.is_empty() && !self.pruning.is_due() && !self.has_work() {
            self.answer_timed_out();
        } else {
            self.commit_batch(batch.operations).await;
        }
        self.waiting.schedule_wakeup(&self.connection);
        for reply in batch.polls {
            reply.send(Ok(()));
        }
    }

    /// Returns whether a transaction would serve a waiting claim, promote a job or end a lease.
    ///
    /// This only reads, so a process whose claims wait does not take the write lock from others.
    fn has_work(&self) -> bool {
        if self.waiting.claims.is_empty() {
            return false;
        }
        let now = self.settings.clock.now();
        let is_due = || Ok(table::next_due(&self.connection)?.0.is_some_and(|due| due <= now));
        let found: rusqlite::Result<bool> = is_due().and_then(|is_due| Ok(is_due || self.is_any_ready(now)?));
        // After an error, the transaction reports it.
        found.unwrap_or(true)
    }

    /// Returns whether a queue that a waiting claim names has a job that may start.
    fn is_any_ready(&self, now: Timestamp) -> rusqlite::Result<bool> {
        for queue in self.waiting.claims.queues() {
            if table::is_ready(&self.connection, queue, now)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Runs operations in one transaction, which also serves the claims that wait, and answers all of them.
    async fn commit_batch(&mut self, mut operations: Vec<Box<dyn Operation>>) {
        match self.run_in_transaction(&mut operations, TransactionKind::Shared).await {
            Ok(served) => self.answer_batch(operations, served).await,
            Err(error) => self.fail_batch(operations, &error).await,
        }
    }

    /// Runs an operation in a transaction of its own, whose failure affects no other call, and answers it.
    async fn commit_exclusive(&mut self, operation: Box<dyn Operation>) {
        let mut operation = [operation];
        let error = self.run_in_transaction(&mut operation, TransactionKind::Exclusive).await.err();
        let path = self.settings.location.path();
        if let Some(error) = &error {
            tracing::debug!(path = %path.display(), error = ?error, "a transaction failed");
        }
        let [operation] = operation;
        operation.answer(error.map(|error| error.to_queue_error(path)));
    }

    /// Answers the calls and claims of a transaction that was committed.
    async fn answer_batch(&mut self, operations: Vec<Box<dyn Operation>>, served: Served) {
        for operation in operations {
            operation.answer(None);
        }
        let mut unclaimed = Vec::new();
        for claim in served {
            match self.handle.upgrade() {
                Some(handle) => claim.answer(move |released| release(&handle, released)),
                None => unclaimed.extend(claim.deliveries),
            }
        }
        self.answer_timed_out();
        if !unclaimed.is_empty() {
            self.release_undelivered(unclaimed).await;
        }
    }

    /// Releases jobs that were leased for claims, after all handles were dropped.
    async fn release_undelivered(&mut self, deliveries: Vec<Delivery>) {
        let release = |delivery: Delivery| Settlement::new(delivery.lease, Transition::Release);
        let released: Vec<_> = deliveries.into_iter().map(release).collect();
        let followups = vec![Vec::new(); released.len()];
        let began = self.begin().await;
        let released = began.and_then(|()| {
            let mut table = Table::new(&self.connection, self.settings.clock.now(), &mut self.cache);
            // No caller is left to receive an error. If this fails, the leases expire.
            drop(table.settle(&released, &followups));
            table.write_partitions()?;
            drop(table);
            Ok(self.run_statement("commit")?)
        });
        drop(released);
    }

    /// Answers the claims whose wait has ended with no job.
    fn answer_timed_out(&mut self) {
        self.waiting.claims.end_waits(|claim| claim.deadline.has_passed());
    }

    /// Answers the calls of a transaction that failed, and the claims that can't go on waiting.
    async fn fail_batch(&mut self, operations: Vec<Box<dyn Operation>>, error: &TxError) {
        let path = self.settings.location.path();
        tracing::debug!(path = %path.display(), error = ?error, "a transaction failed");
        let failed = error.to_queue_error(path);
        for operation in operations {
            operation.answer(Some(failed.clone()));
        }
        if error.is_busy() {
            // The other connection will release its lock, so claims go on waiting.
            for claim in self.waiting.claims.take_if(|claim| claim.deadline.has_passed()) {
                claim.answer(Err(failed.clone()));
            }
        } else {
            self.waiting.claims.fail(&failed);
        }
        self.waiting.force_poll();
        self.pruning.postpone();
        // A short pause, since the cause will mostly not be gone at once.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Releases deliveries that no caller received. If the writer has ended, the leases expire.
fn release(writer: &WriterHandle, released: Vec<Settlement>) {
    let followups: Vec<_> = released.iter().map(|_| Vec::new()).collect();
    // The call is sent already; the future would only wait for the answer.
    drop(writer.call(released.len(), move |table| table.settle(&released, &followups)));
}
