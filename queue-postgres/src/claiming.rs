//! The claim task: runs the claims of all callers in shared statements.
//!
//! A claim that finds no job waits here, in the order of arrival, until this process or a notification wakes the task,
//! until a job becomes due or a lease expires, or until the next poll.
//!
//! # Tasks and shared state
//!
//! The task alone owns its connection, the waiting claims and the scan starts. It receives [`Message`]s over an unbounded
//! channel, sends releases to the settle task, and reads [`Hearing`].
//!
//! | who | wakes | when |
//! | --- | --- | --- |
//! | a caller | the claim task | it claims, calls `poll_now`, stops a claim, or closes the queue |
//! | the push and settle tasks, a unit of work, an operator's call | the claim task | jobs may have become ready |
//! | the listener | the claim task | a notification of another process arrived, or some may have been lost |
//! | the claim task | a caller | its claim has jobs, its wait is over, it was stopped, or the queue is closed |
//! | the claim task | the settle task | a claim was answered with jobs, and the caller no longer receives them |
//! | the claim task | the listener | a claim waits, and the listener is parked |
//!
//! # Shutdown
//!
//! The task ends when the last sender of its messages is dropped, which is the queue's last handle: [`Server`] has only a
//! weak sender. After `Close`, the task answers waiting and later claims with `Closed`, and still runs until the last
//! sender is dropped.
//!
//! # Races
//!
//! - A job may be pushed while a scan runs. The `Wake` that follows the push's commit is queued, and causes another
//!   scan.
//! - A caller may be dropped after its job was leased. The [`Handover`] releases the job through the settle task.
//! - A connection may break during a claim. The claim is sent once more; jobs leased by the lost answer wait for the
//!   expiry.
//! - A stop may arrive while a scan leases jobs for the stopped claim. The caller awaits the answer, so the jobs reach
//!   it.
//!
//! **Invariants:** one call of the statement is one transaction, and no claim is answered before its commit. A claim is
//! answered with no job at the end of its wait only after a full scan.

mod bookmarks;
mod leased;
mod message;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use queue_core::backend::Encoded;
use queue_core::backend::Handover;
use queue_core::{Delivery, QueueError, Settlement};
use tokio::sync::mpsc::{UnboundedReceiver, WeakUnboundedSender};
use tokio::sync::oneshot;
use tokio::time::Instant;

pub(crate) use message::{Claim, Message};

use crate::company::Company;
use crate::error::{explained, shared};
use crate::hearing::Hearing;
use crate::link::{Link, Pace};
use crate::server::Server;
use crate::settling::Settle;
use bookmarks::{Begin, Bookmarks};
use leased::Looked;
use waiting::Waiting;

/// The approximate maximum number of jobs that one statement claims.
const MOST: usize = 10_000;

/// How long a statement lingers for the callers that the last one answered.
const COMPANY: Duration = Duration::from_micros(50);

pub(crate) struct Claimer {
    messages: UnboundedReceiver<Message>,
    /// Releases jobs whose caller was dropped.
    settles: WeakUnboundedSender<Settle>,
    link: Link,
    server: Arc<Server>,
    waiting: Waiting,
    bookmarks: Bookmarks,
    company: Company,
    is_closed: bool,
}

/// How often the claim task polls for jobs without a notification.
#[derive(Clone)]
pub(crate) struct PollInterval {
    pub(crate) interval: Duration,
    /// Whether notifications of other processes arrive; while they do, the claim task polls ten times less often.
    pub(crate) hearing: Arc<Hearing>,
}

/// The messages that are handled together.
#[derive(Default)]
struct Batch {
    looks: Vec<oneshot::Sender<()>>,
    /// Whether there may be jobs, or a new claim has arrived.
    is_woken: bool,
    weight: usize,
    count: usize,
}

impl Claimer {
    pub(crate) fn new(
        messages: UnboundedReceiver<Message>,
        settles: WeakUnboundedSender<Settle>,
        server: Arc<Server>,
        poll: PollInterval,
    ) -> Self {
        Self {
            messages,
            settles,
            link: Link::paced(server.place.clone(), Pace::of_claims(poll.interval)),
            server,
            waiting: Waiting::new(poll),
            bookmarks: Bookmarks::default(),
            company: Company::new(COMPANY),
            is_closed: false,
        }
    }

    /// Runs until all senders of messages are dropped.
    pub(crate) async fn run(mut self) {
        while let Some(batch) = self.gather().await {
            self.turn(batch).await;
        }
    }

    async fn gather(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
        tokio::select! {
            biased;
            message = self.messages.recv() => self.take_in(message?, &mut batch),
            () = self.waiting.moment() => batch.is_woken = true,
        }
        let expected = self.company.expected(batch.count + self.messages.len());
        let mut patience = self.company.patience();
        while batch.weight < MOST {
            match self.messages.try_recv() {
                Ok(message) => self.take_in(message, &mut batch),
                Err(_) if batch.count >= expected => break,
                Err(_) => {
                    if !patience.wait().await {
                        break;
                    }
                }
            }
        }
        self.company.came(batch.count, expected);
        Some(batch)
    }

    fn take_in(&mut self, message: Message, batch: &mut Batch) {
        match message {
            Message::Claim(claim) if self.is_closed => claim.answer(Err(QueueError::closed())),
            Message::Claim(claim) if claim.demand.is_stopped() => claim.answer(Ok(Handover::nothing())),
            Message::Claim(claim) => {
                batch.count += 1;
                batch.weight += claim.demand.max.min(1_000);
                batch.is_woken = true;
                self.waiting.push(claim);
            }
            Message::Wake => batch.is_woken = true,
            Message::Look(look) => {
                batch.is_woken = true;
                batch.looks.push(look);
                self.bookmarks.forget();
            }
            Message::Stop => {
                self.waiting
                    .take_stopped()
                    .into_iter()
                    .for_each(|claim| claim.answer(Ok(Handover::nothing())));
            }
            Message::Close => {
                self.is_closed = true;
                self.waiting.take_all().for_each(|claim| claim.answer(Err(QueueError::closed())));
            }
        }
    }

    /// Scans for jobs if a claim waits, and then answers the calls of `poll_now`.
    async fn turn(&mut self, batch: Batch) {
        self.waiting.forget_the_gone();
        if batch.is_woken && !self.waiting.is_empty() {
            self.serve().await;
        }
        for look in batch.looks {
            // The caller may have been dropped.
            let _: Result<(), ()> = look.send(());
        }
    }

    async fn serve(&mut self) {
        let queues = self.waiting.iter().flat_map(|claim| &claim.demand.queues);
        let begin = self.bookmarks.begin(Instant::now(), queues);
        let mut looked = match self.look(&begin).await {
            Ok(looked) => looked,
            Err(error) => return self.fail(error),
        };
        let queues = self.waiting.iter().flat_map(|claim| &claim.demand.queues);
        self.bookmarks.note(Instant::now(), &begin, queues, &looked);
        let mut deliveries: Vec<Vec<Delivery>> = Vec::new();
        deliveries.resize_with(self.waiting.len(), Vec::new);
        for (claim, delivery) in std::mem::take(&mut looked.deliveries) {
            if let Some(deliveries) = deliveries.get_mut(claim) {
                deliveries.push(delivery);
            }
        }
        let is_whole = begin.is_whole();
        for (claim, deliveries) in self.waiting.served(deliveries, looked.now, is_whole) {
            let settles = self.settles.clone();
            claim.answer(Ok(Handover::new(deliveries, move |released| release(&settles, released))));
        }
        if !is_whole && self.waiting.is_any_over(looked.now) {
            self.bookmarks.forget();
        }
        let due = looked.due.into_iter().chain(looked.expiry).min();
        let is_locked = due.is_some_and(|due| due <= looked.now);
        let queues = self.waiting.iter().flat_map(|claim| &claim.demand.queues);
        let whole_at = self.bookmarks.whole_at(queues);
        self.waiting.set_next_moment(looked.now, looked.next, is_locked, whole_at);
    }

    async fn look(&mut self, begin: &Begin) -> Result<Looked, QueueError> {
        let claims: Vec<&Claim> = self.waiting.iter().collect();
        let (sql, asked) = (&self.server.sql.claim, &claims);
        let rows = self
            .link
            .call_again(&move |connection| {
                Box::pin(leased::bind_claims(sql.query(), asked, begin).fetch_all(connection))
            })
            .await?;
        leased::read(&rows, &claims).map_err(|error| explained(error, &self.server.place))
    }

    fn fail(&mut self, error: QueueError) {
        tracing::debug!(place = %self.server.place, ?error, "a claim failed");
        let mut error = shared(error);
        self.waiting.take_all().for_each(|claim| claim.answer(Err(error())));
    }
}

/// Releases jobs that no caller received. If the settle task has ended, their leases expire.
fn release(settles: &WeakUnboundedSender<Settle>, settlements: Vec<Settlement>) {
    let Some(settles) = settles.upgrade() else { return };
    let followups: Vec<Vec<Encoded>> = settlements.iter().map(|_| Vec::new()).collect();
    // No caller waits for the answer.
    let (reply, _) = oneshot::channel();
    drop(settles.send(Settle { settlements, followups, reply }));
}
