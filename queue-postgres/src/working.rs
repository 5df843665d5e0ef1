//! The lane of workers: settlements and claims share a trip to the server.
//!
//! While one trip is under way, requests gather for the next. Claims that find nothing wait here, in the order in which
//! they came, until something is pushed, here or by others who say so, until something is due, or until it's time to look.
//!
//! **Invariant:** one trip is one transaction, and nobody is answered before its commit.

mod exchange;
mod message;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use queue_core::encoded::Encoded;
use queue_core::handover::Handover;
use queue_core::{Delivery, QueueError, Settled, Settlement};
use tokio::sync::mpsc::{UnboundedReceiver, WeakUnboundedSender};
use tokio::sync::oneshot;

pub(crate) use exchange::bind_settlements;
pub(crate) use message::{Claim, Message, Settle};

use crate::batch::past_the_end;
use crate::common::Common;
use crate::company::Company;
use crate::error::{explained, is_about_the_request, shared};
use crate::link::Link;
use exchange::Exchanged;
use waiting::Waiting;

/// How many jobs share a trip at most, roughly.
const MOST: usize = 10_000;

/// For how long a trip waits for those who were answered by the last one.
const COMPANY: Duration = Duration::from_micros(50);

pub(crate) struct Worker {
    messages: UnboundedReceiver<Message>,
    /// To release what nobody receives.
    handle: WeakUnboundedSender<Message>,
    link: Link,
    common: Arc<Common>,
    waiting: Waiting,
    company: Company,
    is_closed: bool,
}

/// What has gathered for one trip.
#[derive(Default)]
struct Batch {
    settles: Vec<Settle>,
    looks: Vec<oneshot::Sender<()>>,
    /// Whether it was said that there may be jobs.
    is_woken: bool,
    weight: usize,
    count: usize,
}

impl Worker {
    pub(crate) fn new(
        messages: UnboundedReceiver<Message>,
        handle: WeakUnboundedSender<Message>,
        common: Arc<Common>,
        poll: PollInterval,
    ) -> Self {
        let (link, waiting) = (Link::new(common.place.clone()), Waiting::new(poll));
        Self { messages, handle, link, common, waiting, company: Company::new(COMPANY), is_closed: false }
    }

    /// Works until nobody can ask for it any more.
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
        batch.weight += message.weight();
        match message {
            Message::Settle(settle) => {
                batch.count += 1;
                batch.settles.push(settle);
            }
            Message::Claim(claim) if self.is_closed => claim.answer(Err(QueueError::closed())),
            Message::Claim(claim) => {
                batch.count += 1;
                batch.is_woken = true;
                self.waiting.push(claim);
            }
            Message::Wake => batch.is_woken = true,
            Message::Look(look) => {
                batch.is_woken = true;
                batch.looks.push(look);
            }
            Message::Close => {
                self.is_closed = true;
                self.waiting.take_all().for_each(|claim| claim.answer(Err(QueueError::closed())));
            }
        }
    }

    /// Does what has gathered. Who waits is looked after with each trip, since what they wait for may come of it.
    async fn turn(&mut self, batch: Batch) {
        self.waiting.forget_the_gone();
        let is_anybody_served = batch.is_woken && !self.waiting.is_empty();
        if !batch.settles.is_empty() || is_anybody_served {
            self.exchange(batch.settles).await;
        }
        for look in batch.looks {
            // Whoever asked may have gone.
            let _: Result<(), ()> = look.send(());
        }
    }

    async fn exchange(&mut self, mut settles: Vec<Settle>) {
        loop {
            match self.ask(&settles).await {
                Ok(Exchanged { applied, .. }) if applied.first().is_some_and(|place| *place < 0) => {
                    refuse(&mut settles, applied.first().copied().unwrap_or(-1));
                    if settles.is_empty() && self.waiting.is_empty() {
                        return;
                    }
                }
                Ok(exchanged) => {
                    // A trip that settles doesn't wait for others who are making jobs ready; this one does.
                    let is_again =
                        !settles.is_empty() && exchanged.due.is_some_and(|due| due <= exchanged.now);
                    self.answer(settles, exchanged);
                    if !is_again || self.waiting.is_empty() {
                        return;
                    }
                    settles = Vec::new();
                }
                Err(error) if settles.len() > 1 && is_about_the_request(&error) => {
                    // One of them is wrong: each goes alone, the last here.
                    let rest = settles.split_off(1);
                    for settle in rest {
                        Box::pin(self.exchange(vec![settle])).await;
                    }
                }
                Err(error) => return self.fail(settles, error),
            }
        }
    }

    async fn ask(&mut self, settles: &[Settle]) -> Result<Exchanged, QueueError> {
        let followups = settles.iter().flat_map(|settle| &settle.followups).flatten();
        let lines = self.common.lines(&mut self.link, followups).await?;
        // Completions make nothing ready, unless they have followups.
        let changes = settles.iter().any(Settle::makes_jobs_ready);
        let notice = if changes { self.common.notice() } else { (None, None) };
        let claims: Vec<&Claim> = self.waiting.iter().collect();
        let sql = &self.common.sql.work;
        let (lines, notice, asked) = (&lines, &notice, &claims);
        let rows = self
            .link
            .call(&move |connection| {
                let work = sql.query();
                let work = if settles.is_empty() {
                    bind_nothing(work)
                } else {
                    bind_settlements(work, settles, lines, notice)
                };
                Box::pin(exchange::bind_claims(work, asked).fetch_all(connection))
            })
            .await?;
        if changes && notice.0.is_none() {
            self.common.notified_late();
        }
        exchange::read(&rows, &claims).map_err(|error| explained(error, &self.common.place))
    }

    fn answer(&mut self, settles: Vec<Settle>, exchanged: Exchanged) {
        answer_settles(settles, &exchanged.applied);
        let mut deliveries: Vec<Vec<Delivery>> = Vec::new();
        deliveries.resize_with(self.waiting.len(), Vec::new);
        for (claim, delivery) in exchanged.deliveries {
            if let Some(deliveries) = deliveries.get_mut(claim) {
                deliveries.push(delivery);
            }
        }
        for (claim, deliveries) in self.waiting.served(deliveries, exchanged.now) {
            let handle = self.handle.clone();
            claim.answer(Ok(Handover::new(deliveries, move |released| release(&handle, released))));
        }
        self.waiting.set_next_moment(exchanged.now, exchanged.due);
    }

    fn fail(&mut self, settles: Vec<Settle>, error: QueueError) {
        tracing::debug!(place = %self.common.place, ?error, "a trip to the server failed");
        let mut error = shared(error);
        settles.into_iter().for_each(|settle| drop(settle.reply.send(Err(error()))));
        self.waiting.take_all().for_each(|claim| claim.answer(Err(error())));
    }
}

impl Settle {
    fn makes_jobs_ready(&self) -> bool {
        let complete = |settlement: &Settlement| settlement.transition == queue_core::Transition::Complete;
        !self.settlements.iter().all(complete) || self.followups.iter().any(|jobs| !jobs.is_empty())
    }
}

/// How often it's looked for jobs that nobody has told of.
#[derive(Clone)]
pub(crate) struct PollInterval {
    pub(crate) interval: Duration,
    /// Whether notifications of others are heard; then it's looked much less often.
    pub(crate) is_listening: Arc<std::sync::atomic::AtomicBool>,
}

fn bind_nothing<'q>(
    query: sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>,
) -> sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments> {
    let query = query.bind(None::<Vec<uuid::Uuid>>).bind(None::<Vec<i64>>).bind(None::<Vec<i16>>);
    let query = query.bind(None::<Vec<i64>>).bind(None::<Vec<String>>).bind(None::<Vec<i32>>);
    crate::batch::Columns::bind_none(query).bind(None::<String>).bind(None::<String>)
}

/// Answers each request; a settlement whose place is not named was stale.
fn answer_settles(settles: Vec<Settle>, applied: &[i32]) {
    let count: usize = settles.iter().map(|settle| settle.settlements.len()).sum();
    let mut settled = vec![Settled::Stale; count];
    for place in applied {
        if let Some(settled) = usize::try_from(*place).ok().and_then(|place| settled.get_mut(place)) {
            *settled = Settled::Applied;
        }
    }
    let mut settled = settled.into_iter();
    for settle in settles {
        // Whoever asked may have gone.
        drop(settle.reply.send(Ok(settled.by_ref().take(settle.settlements.len()).collect())));
    }
}

/// Takes the request out whose followup has a delay that leads past the end of time, and says so.
fn refuse(settles: &mut Vec<Settle>, place: i32) {
    let mut index = usize::try_from(-1 - i64::from(place)).unwrap_or(0);
    for (at, settle) in settles.iter().enumerate() {
        for followups in &settle.followups {
            if index < followups.len() {
                let error = past_the_end(followups, index);
                drop(settles.remove(at).reply.send(Err(error)));
                return;
            }
            index -= followups.len();
        }
    }
    // Nothing like that was sent, so that nobody can be told of it; all are.
    let mut error = shared(QueueError::invalid("a `delay` of a followup leads past the end of time"));
    settles.drain(..).for_each(|settle| drop(settle.reply.send(Err(error()))));
}

/// Gives back what nobody received. If the lane has ended, the leases expire.
fn release(handle: &WeakUnboundedSender<Message>, settlements: Vec<Settlement>) {
    let Some(handle) = handle.upgrade() else { return };
    let followups: Vec<Vec<Encoded>> = settlements.iter().map(|_| Vec::new()).collect();
    // Nobody waits for the answer.
    let (reply, _) = oneshot::channel();
    drop(handle.send(Message::Settle(Settle { settlements, followups, reply })));
}

#[cfg(test)]
mod tests {
    use super::message::firsts;
    use super::*;

    #[test]
    fn a_lease_that_is_named_twice_is_settled_once() {
        let lease = queue_core::Lease {
            job: queue_core::JobId::from_u128(1),
            fence: queue_core::Fence(1),
            length: Duration::ZERO,
            expires_at: queue_core::Timestamp::EPOCH,
        };

        assert_eq!(firsts([&lease, &lease].into_iter()), [true, false]);
    }
}
