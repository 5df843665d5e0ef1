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
use message::{Claim, Message, Operation};
use pruning::Pruning;
use waiting::Waiting;

/// How many jobs share a transaction at most, roughly: it bounds how long the last of them waits.
const MOST: usize = 10_000;

/// For how long the thread looks for the next request before it goes to sleep: waking it takes as long as that.
const ATTENTION: Duration = Duration::from_micros(100);

/// For how long a transaction waits for those who were answered by the one before it: mostly they ask again at once, and
/// then share it with those who are here already. Who is alone waits for nobody.
const COMPANY: Duration = Duration::from_micros(100);

/// For how many transactions nobody is waited for once they didn't come.
const PATIENCE_LOST: u32 = 32;

/// What the writer's thread works with.
pub(crate) struct Writer {
    settings: SqliteQueueBuilder,
    connection: Connection,
    files: Files,
    /// Whether the files have been removed or replaced, as far as it was looked.
    is_moved: bool,
    messages: UnboundedReceiver<Message>,
    /// To hand on with deliveries. It's weak, so that the thread ends when nobody else has one.
    handle: handle::WeakHandle,
    waiting: Waiting,
    known: WriterCache,
    pruning: Pruning,
    /// How many requests the last transaction had.
    last: usize,
    /// For how many transactions nobody is waited for.
    lonely: u32,
    is_closed: bool,
}

/// What has gathered for one transaction.
#[derive(Default)]
struct Batch {
    operations: Vec<Box<dyn Operation>>,
    /// Operations that share a transaction with no other.
    alone: Vec<Box<dyn Operation>>,
    looks: Vec<oneshot::Sender<()>>,
    weight: usize,
    /// How many requests there are.
    count: usize,
}

/// What is answered after the commit.
type Served = Vec<(Claim, Vec<Delivery>)>;

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
        let waiting = Waiting::new(settings.clock.clone(), settings.poll_interval);
        let pruning = Pruning::new(settings.retention.clone());
        let own_timeout = if location.is_file() { Duration::ZERO } else { settings.busy_timeout };
        let known = WriterCache { guard: Guard::new(own_timeout), ..WriterCache::default() };
        let guarded = known.guard.install(&connection);
        guarded.map_err(|error| TxError::from(error).to_queue_error(location.path()))?;
        let writer = Self {
            settings,
            connection,
            files,
            is_moved: false,
            messages,
            handle,
            waiting,
            known,
            pruning,
            last: 0,
            lonely: 0,
            is_closed: false,
        };
        Ok((writer, runtime))
    }

    /// Writes until nobody can ask for it any more.
    async fn run(mut self) {
        while let Some(batch) = self.gather().await {
            self.turn(batch).await;
            self.waiting.let_time_pass().await;
        }
    }

    /// Waits for the first request, or for a moment at which there may be something to do without one, and takes along
    /// whatever else is there. `None` once nobody can ask any more.
    async fn gather(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
        let mut crowd = self.last + self.messages.len();
        if self.last > 0 {
            self.take_in_for(ATTENTION, 1, &mut batch);
        }
        if batch.count == 0 {
            // Whoever was answered last has nothing more to ask.
            crowd = 0;
        }
        if batch.count == 0 {
            tokio::select! {
                biased;
                message = self.messages.recv() => self.take_in(message?, &mut batch),
                () = self.waiting.moment(&self.connection, &self.files) => {}
                () = self.pruning.is_due() => {}
            }
        }
        let expected = if self.lonely > 0 || crowd < 2 { 0 } else { crowd };
        self.lonely = self.lonely.saturating_sub(1);
        self.take_in_for(COMPANY, expected, &mut batch);
        if batch.count * 2 <= expected && expected > 0 {
            self.lonely = PATIENCE_LOST;
        }
        self.last = batch.count;
        Some(batch)
    }

    /// Takes in what is there, and goes on for a while if that is less than expected.
    fn take_in_for(&mut self, patience: Duration, expected: usize, batch: &mut Batch) {
        let mut began = None;
        while batch.weight < MOST {
            match self.messages.try_recv() {
                Ok(message) => self.take_in(message, batch),
                Err(_) if batch.count >= expected => return,
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {
                    if began.get_or_insert_with(Instant::now).elapsed() > patience {
                        return;
                    }
                    // Those who are to ask may need this very core.
                    std::thread::yield_now();
                }
            }
        }
    }

    fn take_in(&mut self, message: Message, batch: &mut Batch) {
        batch.count += 1;
        match message {
            Message::Do(operation) => {
                batch.weight = batch.weight.saturating_add(operation.weight());
                if operation.is_alone() {
                    batch.alone.push(operation);
                } else {
                    batch.operations.push(operation);
                }
            }
            Message::Claim(claim) if self.is_closed => claim.answer(Err(QueueError::closed())),
            Message::Claim(claim) => {
                batch.weight = batch.weight.saturating_add(claim.demand.max);
                self.waiting.push(claim);
            }
            Message::Look(look) => batch.looks.push(look),
            Message::Watch => self.waiting.watch(),
            Message::Close => {
                self.is_closed = true;
                self.waiting.take_all().for_each(|claim| claim.answer(Err(QueueError::closed())));
            }
        }
    }

    /// Does what has gathered, and serves those who wait.
    async fn turn(&mut self, batch: Batch) {
        self.waiting.forget_the_gone();
        // First, so that whoever waits is served of what they make ready.
        for operation in batch.alone {
            self.commit_alone(operation).await;
        }
        if batch.operations.is_empty() && !self.waiting.is_empty() && self.check_files().is_err() {
            // Nobody else can store what they wait for.
            self.fail(batch.operations, &TxError::FilesMoved).await;
        } else if batch.operations.is_empty() && !self.pruning.is_now() && !self.is_there_anything() {
            self.answer_those_whose_time_is_over();
        } else {
            self.commit(batch.operations).await;
        }
        self.waiting.set_next_moment(&self.connection);
        for look in batch.looks {
            // Whoever asked may have gone.
            let _: Result<(), ()> = look.send(());
        }
    }

    /// Tells whether those who wait would be served, or time has something to change, by reading alone: so a process that
    /// only waits keeps no other from writing.
    fn is_there_anything(&self) -> bool {
        if self.waiting.is_empty() {
            return false;
        }
        let now = self.settings.clock.now();
        let is_due = || Ok(table::next_due(&self.connection)?.is_some_and(|due| due <= now));
        let is_ready = || self.waiting.is_anybody_served_by(|queue| table::is_ready(&self.connection, queue));
        let found: rusqlite::Result<bool> = is_due().and_then(|is_due| Ok(is_due || is_ready()?));
        // What can't be read is for the transaction to say.
        found.unwrap_or(true)
    }

    /// Does these in one transaction, in which those who wait are served too, and answers.
    async fn commit(&mut self, mut operations: Vec<Box<dyn Operation>>) {
        match self.write(&mut operations, Company::All).await {
            Ok(served) => self.answer(operations, served).await,
            Err(broken) => self.fail(operations, &broken).await,
        }
    }

    /// Does this in a transaction of its own, whose end is nobody else's.
    async fn commit_alone(&mut self, operation: Box<dyn Operation>) {
        let mut operation = [operation];
        let broken = self.write(&mut operation, Company::None).await.err();
        let path = self.settings.location.path();
        if let Some(broken) = &broken {
            tracing::debug!(path = %path.display(), error = ?broken, "a transaction failed");
        }
        let [operation] = operation;
        operation.answer(broken.map(|broken| broken.to_queue_error(path)));
    }

    async fn write(
        &mut self,
        operations: &mut [Box<dyn Operation>],
        company: Company,
    ) -> Result<Served, TxError> {
        if !self.connection.is_autocommit() {
            // An earlier transaction could not even be rolled back; then it's to be done now.
            self.run_statement("rollback")?;
        }
        if self.is_moved {
            self.check_files()?;
        }
        self.begin().await?;
        let mut served = Vec::new();
        let written = self.within(operations, company, &mut served);
        let ended =
            written.and_then(|()| Ok(self.run_statement("commit")?)).and_then(|()| self.check_files());
        // Until the next transaction, another program may give the numbers of queues to others.
        self.known.queue_ids.clear();
        if let Err(broken) = ended {
            if !self.connection.is_autocommit() {
                drop(self.connection.execute_batch("rollback"));
            }
            served.into_iter().rev().for_each(|(claim, _)| self.waiting.push_front(claim));
            return Err(broken);
        }
        Ok(served)
    }

    /// Checks that what was committed is in the file that others find.
    fn check_files(&mut self) -> Result<(), TxError> {
        let checked = self.files.check();
        self.is_moved = checked.is_err();
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

    fn within(
        &mut self,
        operations: &mut [Box<dyn Operation>],
        company: Company,
        served: &mut Served,
    ) -> Result<(), TxError> {
        let mut table = Table::new(&self.connection, self.settings.clock.now(), &mut self.known);
        table.advance()?;
        for operation in operations {
            operation.run(&mut table)?;
        }
        if let Company::All = company {
            self.waiting.serve(&mut table, served)?;
            self.pruning.prune(&mut table)?;
        }
        Ok(())
    }

    async fn answer(&mut self, operations: Vec<Box<dyn Operation>>, served: Served) {
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
        self.answer_those_whose_time_is_over();
        if !unclaimed.is_empty() {
            self.release(unclaimed).await;
        }
    }

    /// Gives jobs back that were leased for somebody who was gone by then, and the queue's last handle too.
    async fn release(&mut self, deliveries: Vec<Delivery>) {
        let release = |delivery: Delivery| Settlement::new(delivery.lease, Transition::Release);
        let released: Vec<_> = deliveries.into_iter().map(release).collect();
        let followups = vec![Vec::new(); released.len()];
        let began = self.begin().await;
        let released = began.and_then(|()| {
            let mut table = Table::new(&self.connection, self.settings.clock.now(), &mut self.known);
            // Nobody is left to be told; if this fails, the leases expire.
            drop(table.settle(&released, &followups));
            drop(table);
            Ok(self.run_statement("commit")?)
        });
        drop(released);
    }

    fn answer_those_whose_time_is_over(&mut self) {
        for claim in self.waiting.take_those_whose_time_is_over() {
            claim.answer(Ok(Handover::nothing()));
        }
    }

    async fn fail(&mut self, operations: Vec<Box<dyn Operation>>, broken: &TxError) {
        let path = self.settings.location.path();
        tracing::debug!(path = %path.display(), error = ?broken, "a transaction failed");
        for operation in operations {
            operation.answer(Some(broken.to_queue_error(path)));
        }
        // A lock that others hold will be free some time, so those who can wait go on; anything else is for all to know.
        let told: Vec<_> = if broken.is_busy() {
            self.waiting.take_those_whose_time_is_over()
        } else {
            self.waiting.take_all().collect()
        };
        for claim in told {
            claim.answer(Err(broken.to_queue_error(path)));
        }
        self.waiting.look_again();
        self.pruning.failed();
        // Whatever is wrong, it's no better at once.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Who has a part in a transaction beside those who asked for it.
#[derive(Clone, Copy, Debug)]
enum Company {
    /// Claims that wait, and pruning.
    All,
    None,
}

/// Gives back what nobody received. If the writer is gone, the leases expire.
fn release(writer: &WriterHandle, released: Vec<Settlement>) {
    let followups: Vec<_> = released.iter().map(|_| Vec::new()).collect();
    // Nobody waits for the answer.
    drop(writer.call(released.len(), move |table| table.settle(&released, &followups)));
}
