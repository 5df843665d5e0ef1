//! The thread that writes: whatever has gathered shares a transaction, and the commit of it.
//!
//! While one transaction is on its way to disk, requests gather for the next; so the more there is to do, the more of it
//! shares a commit, and alone nobody waits for company. Claims that find nothing wait here, in the order in which they
//! came, and are served in the very transaction that stores what they wait for.
//!
//! **Invariant:** nobody is answered before the commit, so what is acknowledged is on disk.
//! **Invariant:** an operation that the database fails takes its whole transaction with it: all in it are told so.

mod call;
mod handle;
mod linger;
mod message;
mod pruning;
mod waiting;

use std::time::{Duration, Instant};

use queue_core::handover::Handover;
use queue_core::{Delivery, QueueError, Settlement, Transition};
use rusqlite::Connection;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;

pub(crate) use handle::WriterHandle;

use crate::config::SqliteQueueBuilder;
use crate::error::{TxError, is_busy};
use crate::files::Files;
use crate::guard::Guard;
use crate::joined_thread::JoinOnDrop;
use crate::table::{self, Table, WriterCache};
use crate::{connection, migrations};
use linger::{Linger, SpinWait};
use message::{Message, Operation, WaitingClaim};
use pruning::Pruning;
use waiting::WaitingClaims;

/// How many jobs share a transaction at most, roughly: it bounds how long the last of them waits.
const MAX_BATCH: usize = 10_000;

/// For how long the thread looks for the next request before it goes to sleep: waking it takes as long as that.
const SPIN: Duration = Duration::from_micros(100);

/// How long a batch lingers for calls that are expected.
const LINGER: Duration = Duration::from_micros(100);

/// What the writer's thread works with.
pub(crate) struct Writer {
    settings: SqliteQueueBuilder,
    connection: Connection,
    files: Files,
    /// Whether the files have been removed or replaced, as far as it was looked.
    files_moved: bool,
    messages: UnboundedReceiver<Message>,
    /// To hand on with deliveries. It's weak, so that the thread ends when nobody else has one.
    handle: handle::WeakHandle,
    waiting: WaitingClaims,
    cache: WriterCache,
    pruning: Pruning,
    linger: Linger,
    is_closed: bool,
}

/// What has gathered for one transaction.
#[derive(Default)]
struct Batch {
    operations: Vec<Box<dyn Operation>>,
    /// Operations that share a transaction with no other.
    exclusive: Vec<Box<dyn Operation>>,
    polls: Vec<oneshot::Sender<()>>,
    weight: usize,
    /// How many requests there are.
    calls: usize,
}

/// What is answered after the commit.
type Served = Vec<(WaitingClaim, Vec<Delivery>)>;

impl Writer {
    /// Opens and migrates the file on a thread of its own, which then goes on writing.
    pub(crate) async fn start(settings: SqliteQueueBuilder) -> Result<JoinOnDrop<WriterHandle>, QueueError> {
        let (sender, messages) = unbounded_channel();
        let handle = WriterHandle::new(sender);
        let weak = handle.downgrade();
        let open = move || Self::open(settings, messages, weak);
        let write = |(writer, runtime): (Self, tokio::runtime::Runtime)| runtime.block_on(writer.run());
        JoinOnDrop::start("queue-sqlite-write", handle, open, write).await
    }

    fn open(
        settings: SqliteQueueBuilder,
        messages: UnboundedReceiver<Message>,
        handle: handle::WeakHandle,
    ) -> Result<(Self, tokio::runtime::Runtime), QueueError> {
        let location = &settings.location;
        let (mut connection, files) =
            connection::open(location, settings.synchronous, settings.busy_timeout)?;
        migrations::migrate(&mut connection, location)?;
        if location.is_file() {
            // From here on the writer itself waits for the lock, so that it can do so without blocking its timers.
            let unset = connection.busy_timeout(Duration::ZERO);
            unset.map_err(|error| TxError::from(error).to_queue_error(location.path()))?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime
            .map_err(|error| QueueError::unavailable("no timer could be started").with_source(error))?;
        let waiting = WaitingClaims::new(settings.clock.clone(), settings.poll_interval);
        let pruning = Pruning::new(settings.retention.clone());
        let own_timeout = if location.is_file() { Duration::ZERO } else { settings.busy_timeout };
        let cache = WriterCache { guard: Guard::new(own_timeout), ..WriterCache::default() };
        let guarded = cache.guard.install(&connection);
        guarded.map_err(|error| TxError::from(error).to_queue_error(location.path()))?;
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
            is_closed: false,
        };
        Ok((writer, runtime))
    }

    /// Writes until nobody can ask for it any more.
    async fn run(mut self) {
        while let Some(batch) = self.collect_batch().await {
            self.process(batch).await;
            self.waiting.poll_timers().await;
        }
    }

    /// Waits for the first request, or for a moment at which there may be something to do without one, and takes along
    /// whatever else is there. `None` once nobody can ask any more.
    async fn collect_batch(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
        let mut likely = self.linger.last_batch() + self.messages.len();
        if self.linger.last_batch() > 0 {
            self.accept_for(SPIN, 1, &mut batch);
        }
        if batch.calls == 0 {
            // The callers of the last batch did not call again.
            likely = 0;
            tokio::select! {
                biased;
                message = self.messages.recv() => self.accept(message?, &mut batch),
                () = self.waiting.wait_for_work(&self.connection, &self.files) => {}
                () = self.pruning.wait_until_due() => {}
            }
        }
        let expected = self.linger.expected(likely);
        self.accept_for(LINGER, expected, &mut batch);
        self.linger.record(batch.calls, expected);
        Some(batch)
    }

    /// Accepts the messages in the channel, and waits up to `length` while the batch has fewer than `expected` calls.
    fn accept_for(&mut self, length: Duration, expected: usize, batch: &mut Batch) {
        let mut wait = SpinWait::new(length);
        while batch.weight < MAX_BATCH {
            match self.messages.try_recv() {
                Ok(message) => self.accept(message, batch),
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) if batch.calls >= expected || !wait.spin() => return,
                Err(TryRecvError::Empty) => {}
            }
        }
    }

    fn accept(&mut self, message: Message, batch: &mut Batch) {
        batch.calls += 1;
        match message {
            Message::Run(operation) => {
                batch.weight = batch.weight.saturating_add(operation.weight());
                if operation.is_exclusive() {
                    batch.exclusive.push(operation);
                } else {
                    batch.operations.push(operation);
                }
            }
            Message::Claim(claim) if self.is_closed => claim.answer(Err(QueueError::closed())),
            Message::Claim(claim) => {
                batch.weight = batch.weight.saturating_add(claim.demand.max);
                self.waiting.push(claim);
            }
            Message::PollNow(reply) => batch.polls.push(reply),
            Message::PollFaster => self.waiting.poll_faster(),
            Message::Close => {
                self.is_closed = true;
                self.waiting.take_all().for_each(|claim| claim.answer(Err(QueueError::closed())));
            }
        }
    }

    /// Does what has gathered, and serves those who wait.
    async fn process(&mut self, batch: Batch) {
        self.waiting.drop_cancelled();
        // First, so that whoever waits is served of what they make ready.
        for operation in batch.exclusive {
            self.commit_exclusive(operation).await;
        }
        if batch.operations.is_empty() && !self.waiting.is_empty() && self.check_files().is_err() {
            // Nobody else can store what they wait for.
            self.fail_batch(batch.operations, &TxError::FilesMoved).await;
        } else if batch.operations.is_empty() && !self.pruning.is_due() && !self.has_work() {
            self.answer_timed_out();
        } else {
            self.commit_batch(batch.operations).await;
        }
        self.waiting.schedule_wakeup(&self.connection);
        for reply in batch.polls {
            // Whoever asked may have gone.
            let _: Result<(), ()> = reply.send(());
        }
    }

    /// Tells whether those who wait would be served, or time has something to change, by reading alone: so a process that
    /// only waits keeps no other from writing.
    fn has_work(&self) -> bool {
        if self.waiting.is_empty() {
            return false;
        }
        let now = self.settings.clock.now();
        let is_due = || Ok(table::next_due(&self.connection)?.is_some_and(|due| due <= now));
        let is_ready = || self.waiting.any_queue(|queue| table::is_ready(&self.connection, queue));
        let found: rusqlite::Result<bool> = is_due().and_then(|is_due| Ok(is_due || is_ready()?));
        // What can't be read is for the transaction to say.
        found.unwrap_or(true)
    }

    /// Does these in one transaction, in which those who wait are served too, and answers.
    async fn commit_batch(&mut self, mut operations: Vec<Box<dyn Operation>>) {
        match self.run_in_transaction(&mut operations, Scope::Shared).await {
            Ok(served) => self.answer_batch(operations, served).await,
            Err(error) => self.fail_batch(operations, &error).await,
        }
    }

    /// Does this in a transaction of its own, whose end is nobody else's.
    async fn commit_exclusive(&mut self, operation: Box<dyn Operation>) {
        let mut operation = [operation];
        let error = self.run_in_transaction(&mut operation, Scope::Exclusive).await.err();
        let path = self.settings.location.path();
        if let Some(error) = &error {
            tracing::debug!(path = %path.display(), error = ?error, "a transaction failed");
        }
        let [operation] = operation;
        operation.answer(error.map(|error| error.to_queue_error(path)));
    }

    async fn run_in_transaction(
        &mut self,
        operations: &mut [Box<dyn Operation>],
        scope: Scope,
    ) -> Result<Served, TxError> {
        if !self.connection.is_autocommit() {
            // An earlier transaction could not even be rolled back; then it's to be done now.
            self.run_statement("rollback")?;
        }
        if self.files_moved {
            self.check_files()?;
        }
        self.begin().await?;
        let mut served = Vec::new();
        let written = self.run_operations(operations, scope, &mut served);
        let ended =
            written.and_then(|()| Ok(self.run_statement("commit")?)).and_then(|()| self.check_files());
        // Until the next transaction, another program may give the numbers of queues to others.
        self.cache.queue_ids.clear();
        if let Err(error) = ended {
            if !self.connection.is_autocommit() {
                drop(self.connection.execute_batch("rollback"));
            }
            served.into_iter().rev().for_each(|(claim, _)| self.waiting.push_front(claim));
            return Err(error);
        }
        Ok(served)
    }

    /// Checks that what was committed is in the file that others find.
    fn check_files(&mut self) -> Result<(), TxError> {
        let checked = self.files.check();
        self.files_moved = checked.is_err();
        Ok(checked?)
    }

    /// Takes the write lock, which one connection has at a time.
    async fn begin(&self) -> Result<(), TxError> {
        let began = Instant::now();
        loop {
            match self.run_statement("begin immediate") {
                Err(error) if is_busy(&error) && began.elapsed() < self.settings.busy_timeout => {
                    // By chance, so that processes which wait for one another don't do so in step.
                    tokio::time::sleep(Duration::from_micros(fastrand::u64(50..1_000))).await;
                }
                answer => return Ok(answer?),
            }
        }
    }

    fn run_statement(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    fn run_operations(
        &mut self,
        operations: &mut [Box<dyn Operation>],
        scope: Scope,
        served: &mut Served,
    ) -> Result<(), TxError> {
        let mut table = Table::new(&self.connection, self.settings.clock.now(), &mut self.cache);
        table.advance()?;
        for operation in operations {
            operation.run(&mut table)?;
        }
        if let Scope::Shared = scope {
            self.waiting.serve(&mut table, served)?;
            self.pruning.prune(&mut table)?;
        }
        Ok(())
    }

    async fn answer_batch(&mut self, operations: Vec<Box<dyn Operation>>, served: Served) {
        for operation in operations {
            operation.answer(None);
        }
        let mut unclaimed = Vec::new();
        for (claim, deliveries) in served {
            match self.handle.upgrade() {
                Some(handle) => {
                    claim.answer(Ok(Handover::new(deliveries, move |released| release(&handle, released))));
                }
                None => unclaimed.extend(deliveries),
            }
        }
        self.answer_timed_out();
        if !unclaimed.is_empty() {
            self.release_undelivered(unclaimed).await;
        }
    }

    /// Gives jobs back that were leased for somebody who was gone by then, and the queue's last handle too.
    async fn release_undelivered(&mut self, deliveries: Vec<Delivery>) {
        let release = |delivery: Delivery| Settlement::new(delivery.lease, Transition::Release);
        let released: Vec<_> = deliveries.into_iter().map(release).collect();
        let followups = vec![Vec::new(); released.len()];
        let began = self.begin().await;
        let released = began.and_then(|()| {
            let mut table = Table::new(&self.connection, self.settings.clock.now(), &mut self.cache);
            // Nobody is left to be told; if this fails, the leases expire.
            drop(table.settle(&released, &followups));
            drop(table);
            Ok(self.run_statement("commit")?)
        });
        drop(released);
    }

    fn answer_timed_out(&mut self) {
        for claim in self.waiting.take_timed_out() {
            claim.answer(Ok(Handover::nothing()));
        }
    }

    async fn fail_batch(&mut self, operations: Vec<Box<dyn Operation>>, error: &TxError) {
        let path = self.settings.location.path();
        tracing::debug!(path = %path.display(), error = ?error, "a transaction failed");
        for operation in operations {
            operation.answer(Some(error.to_queue_error(path)));
        }
        // A lock that others hold will be free some time, so those who can wait go on; anything else is for all to know.
        let answered: Vec<_> =
            if error.is_busy() { self.waiting.take_timed_out() } else { self.waiting.take_all().collect() };
        for claim in answered {
            claim.answer(Err(error.to_queue_error(path)));
        }
        self.waiting.force_poll();
        self.pruning.postpone();
        // Whatever is wrong, it's no better at once.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Who has a part in a transaction beside those who asked for it.
#[derive(Clone, Copy, Debug)]
enum Scope {
    /// Claims that wait, and pruning.
    Shared,
    Exclusive,
}

/// Gives back what nobody received. If the writer is gone, the leases expire.
fn release(writer: &WriterHandle, released: Vec<Settlement>) {
    let followups: Vec<_> = released.iter().map(|_| Vec::new()).collect();
    // Nobody waits for the answer.
    drop(writer.call(released.len(), move |table| table.settle(&released, &followups)));
}
