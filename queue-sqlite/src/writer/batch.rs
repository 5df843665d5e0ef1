//! Collects the calls of one transaction.

use std::time::{Duration, Instant};

use queue_core::backend::{LingerWindow, Reply};
use tokio::sync::mpsc::error::TryRecvError;

use super::Writer;
use super::message::{Message, Operation};

/// The number of jobs at which a batch is full. It bounds how long the last call of a batch waits.
const MAX_BATCH: usize = 10_000;

/// How long the thread polls for the next message before it sleeps. To wake a thread takes about as long.
const SPIN: Duration = Duration::from_micros(100);

/// The calls that were collected for one transaction.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) operations: Vec<Box<dyn Operation>>,
    /// Operations that each need a transaction of their own.
    pub(super) exclusive: Vec<Box<dyn Operation>>,
    pub(super) polls: Vec<Reply<()>>,
    /// The number of jobs that the batch stores, changes or claims.
    weight: usize,
    /// The number of messages.
    calls: usize,
}

impl Writer {
    /// Waits for a message, a timer or a poll that finds a change, and returns all calls that arrived. The batch is empty if
    /// there was no message. Returns `None` after all handles were dropped.
    pub(super) async fn collect_batch(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
        let mut likely = self.linger.last_batch() + self.messages.len();
        if self.linger.last_batch() > 0 {
            self.accept_within(LingerWindow::new(1, SPIN), &mut batch);
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
        let window = self.linger.begin(likely);
        self.accept_within(window, &mut batch);
        self.linger.end(window, batch.calls);
        Some(batch)
    }

    /// Accepts the messages in the channel, and waits while `window` expects more.
    fn accept_within(&mut self, mut window: LingerWindow, batch: &mut Batch) {
        while batch.weight < MAX_BATCH {
            match self.messages.try_recv() {
                Ok(message) => self.accept(message, batch),
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) if !window.expects_more(batch.calls, Instant::now()) => return,
                // The thread stays awake, because to sleep and wake up would take longer. The caller that is about to call
                // may need this core.
                Err(TryRecvError::Empty) => std::thread::yield_now(),
            }
        }
    }

    /// Adds a message to the batch, or handles it at once if it needs no transaction.
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
            Message::Claim(claim) => {
                batch.weight = batch.weight.saturating_add(claim.demand.max);
                self.waiting.claims.push(claim);
            }
            Message::PollNow(reply) => batch.polls.push(reply),
            Message::PollFaster => self.waiting.poll_faster(),
            Message::Close => self.waiting.claims.close(),
        }
    }
}
