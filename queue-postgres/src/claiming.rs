//! The lane that claims: claims share a trip to the server.
//!
//! Those that find nothing wait here, in the order in which they came, until something is pushed, here or by others who say
//! so, until something is due, or until it's time to look.
//!
//! **Invariants:** one trip is one transaction, and nobody is answered before its commit. Nobody is told that there is
//! nothing but after a look from the very beginning.

mod bookmarks;
mod leased;
mod message;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use queue_core::encoded::Encoded;
use queue_core::handover::Handover;
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

/// How many jobs a trip is to bring at most, roughly.
const MOST: usize = 10_000;

/// For how long a trip waits for those who were answered by the last one.
const COMPANY: Duration = Duration::from_micros(50);

pub(crate) struct Claimer {
    messages: UnboundedReceiver<Message>,
    /// To release what nobody receives.
    settles: WeakUnboundedSender<Settle>,
    link: Link,
    server: Arc<Server>,
    waiting: Waiting,
    bookmarks: Bookmarks,
    company: Company,
    is_closed: bool,
}

/// How often it's looked for jobs that nobody has told of.
#[derive(Clone)]
pub(crate) struct PollInterval {
    pub(crate) interval: Duration,
    /// Whether notifications of others are heard; then it's looked much less often.
    pub(crate) hearing: Arc<Hearing>,
}

/// What has gathered for one trip.
#[derive(Default)]
struct Batch {
    looks: Vec<oneshot::Sender<()>>,
    /// Whether there may be jobs, or somebody new asks for some.
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

    /// Claims until nobody can ask for it any more.
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

    /// Looks for jobs, if anybody waits for some.
    async fn turn(&mut self, batch: Batch) {
        self.waiting.forget_the_gone();
        if batch.is_woken && !self.waiting.is_empty() {
            self.serve().await;
        }
        for look in batch.looks {
            // Whoever asked may have gone.
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
        tracing::debug!(place = %self.server.place, ?error, "a look for jobs failed");
        let mut error = shared(error);
        self.waiting.take_all().for_each(|claim| claim.answer(Err(error())));
    }
}

/// Gives back what nobody received. If the lane that settles has ended, the leases expire.
fn release(settles: &WeakUnboundedSender<Settle>, settlements: Vec<Settlement>) {
    let Some(settles) = settles.upgrade() else { return };
    let followups: Vec<Vec<Encoded>> = settlements.iter().map(|_| Vec::new()).collect();
    // Nobody waits for the answer.
    let (reply, _) = oneshot::channel();
    drop(settles.send(Settle { settlements, followups, reply }));
}
