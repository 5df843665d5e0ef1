//! Clients that push, claim, renew and settle at once, and record a history of their calls.
//!
//! The pushers and the workers are tasks that append to one journal. The task that started them moves the fixture's clock, a
//! second at a time, until every job has finished. The order numbers of the events come from a counter that all clients share,
//! their queue times from the fixture's clock.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use queue_core::admin::{Filter, PageRequest};
use queue_core::{
    Admin, Delivery, Demand, Heartbeat, Limit, QueueError, QueueErrorKind, QueueLimits, QueueName, Renewal,
    Settlement, Transition,
};
use tokio::task::{JoinHandle, yield_now};

use super::jobs::{SECOND, id, job};
use crate::Fixture;
use crate::history::{Event, EventKind, FinalState, History, LogTime, Pushed, Span};

const PUSHERS: u32 = 3;
const BATCHES: u32 = 12;
const WORKERS: u64 = 4;

/// The partitions of a queue with limits.
const PARTITIONS: [&str; 4] = ["", "a", "b", "c"];

/// How much virtual time may pass before unfinished jobs count as lost.
const PATIENCE: u64 = 3_000;

/// Returns whether the queue has limits.
pub(super) async fn has_limits(fixture: &Arc<dyn Fixture>) -> bool {
    match fixture.queue().limits(&QueueName::DEFAULT).await {
        Ok(_) => true,
        Err(error) if error.kind() == QueueErrorKind::Unsupported => false,
        Err(error) => panic!("`limits` failed: {error}"),
    }
}

/// Returns limits that the clients often reach.
pub(super) fn limits() -> QueueLimits {
    let limits = QueueLimits::total(Limit::running(5)).and_each(Limit::running(2));
    let limits = limits.and_partition("a", Limit::starts(3, SECOND * 6));
    limits.and_partition("b", Limit::running(1).and_starts(4, SECOND * 5).burst(2))
}

/// Runs the clients on a fresh queue until every job has finished, and returns their history.
///
/// With limits, the jobs are in partitions, and some attempts end by a throttle.
pub(super) async fn record(fixture: &Arc<dyn Fixture>, seed: u64, limits: &QueueLimits) -> History {
    let journal = Arc::new(Journal {
        fixture: fixture.clone(),
        queue: fixture.queue(),
        order: AtomicU64::new(0),
        events: Mutex::default(),
        is_over: AtomicBool::new(false),
        has_partitions: !limits.is_empty(),
    });
    if journal.has_partitions {
        succeeded("declare_limits", journal.queue.declare_limits(&QueueName::DEFAULT, limits).await);
    }
    let pushers: Vec<_> =
        (0..PUSHERS).map(|number| tokio::spawn(push(journal.clone(), number, seed))).collect();
    let workers: Vec<_> =
        (0..WORKERS).map(|number| tokio::spawn(work(journal.clone(), seed << 8 | number))).collect();
    pass_time_until_all_is_done(&journal, &pushers).await;
    journal.is_over.store(true, Ordering::Relaxed);
    while workers.iter().any(|worker| !worker.is_finished()) {
        fixture.advance(SECOND).await;
        yield_now().await;
    }
    for client in pushers.into_iter().chain(workers) {
        client.await.unwrap_or_else(|error| panic!("a client of the history: {error}"));
    }
    let last = listed(&*journal.queue).await;
    let events = std::mem::take(&mut *journal.events.lock().unwrap_or_else(PoisonError::into_inner));
    History { events, last }
}

async fn pass_time_until_all_is_done(journal: &Journal, pushers: &[JoinHandle<()>]) {
    let mut passed = 0;
    while passed < PATIENCE {
        journal.fixture.advance(SECOND).await;
        for _ in 0..20 {
            yield_now().await;
        }
        if pushers.iter().all(JoinHandle::is_finished) {
            passed += 1;
            let counts = succeeded("counts", journal.queue.counts().await);
            if counts.iter().all(|counts| counts.unfinished() == 0) {
                return;
            }
        }
    }
}

async fn listed(queue: &dyn Admin) -> Vec<FinalState> {
    let (mut last, mut page) = (Vec::new(), PageRequest::first(100));
    loop {
        let listing = succeeded("list", queue.list(&Filter::all(), &page).await);
        last.extend(listing.jobs.iter().map(FinalState::from));
        match listing.next {
            Some(cursor) => page = PageRequest::after(cursor, 100),
            None => return last,
        }
    }
}

fn succeeded<T>(call: &str, answer: Result<T, QueueError>) -> T {
    answer.unwrap_or_else(|error| panic!("`{call}` failed among many clients: {error} ({:?})", error.kind()))
}

struct Journal {
    fixture: Arc<dyn Fixture>,
    queue: Arc<dyn Admin>,
    order: AtomicU64,
    events: Mutex<Vec<Event>>,
    is_over: AtomicBool,
    has_partitions: bool,
}

impl Journal {
    /// Awaits a call, and returns its span with its answer.
    async fn timed<T>(&self, name: &str, call: impl Future<Output = Result<T, QueueError>>) -> (Span, T) {
        let start = LogTime { order: self.next_order(), queue_time: self.fixture.now() };
        let answer = succeeded(name, call.await);
        let at = self.fixture.now();
        let end = LogTime { order: self.next_order(), queue_time: at };
        (Span::since(start).until(end), answer)
    }

    fn next_order(&self) -> u64 {
        self.order.fetch_add(1, Ordering::SeqCst)
    }

    fn note(&self, span: Span, kinds: impl IntoIterator<Item = EventKind>) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.extend(kinds.into_iter().map(|kind| Event { span, kind }));
    }
}

async fn push(journal: Arc<Journal>, pusher: u32, seed: u64) {
    let mut random = Rng::with_seed(seed ^ u64::from(pusher) << 32);
    for batch in 0..BATCHES {
        let jobs = (0..random.u32(1..6)).map(|place| {
            let number = (pusher * BATCHES + batch) * 8 + place;
            let (priority, delay) = (random.i32(-1..=1), SECOND * random.u32(0..6).saturating_sub(3));
            let partition = if journal.has_partitions { PARTITIONS[random.usize(0..4)] } else { "" };
            let job = job(number).id(id(number)).partition(partition);
            job.priority(priority).delay(delay).max_attempts(4)
        });
        let jobs: Vec<_> = jobs.collect();
        let pushed = Pushed::batch(&jobs);
        let (span, receipts) = journal.timed("push", journal.queue.push(jobs)).await;
        let received = pushed.into_iter().zip(receipts).map(|(pushed, receipt)| pushed.received(receipt));
        journal.note(span, received.map(EventKind::Pushed));
        yield_now().await;
    }
}

async fn work(journal: Arc<Journal>, seed: u64) {
    let mut random = Rng::with_seed(seed);
    while !journal.is_over.load(Ordering::Relaxed) {
        let lease = SECOND * random.u32(3..20);
        let demand = Demand::new("default", random.usize(1..4)).lease(lease).wait(SECOND * 2);
        let (span, deliveries) = journal.timed("claim", journal.queue.claim(&demand)).await;
        if deliveries.is_empty() {
            journal.note(span, [EventKind::EmptyClaim { max: demand.max }]);
        }
        journal.note(
            span,
            deliveries.iter().map(|delivery| EventKind::Claimed {
                lease: delivery.lease.clone(),
                attempt: delivery.attempt,
            }),
        );
        for delivery in deliveries {
            renew(&journal, &delivery, &mut random).await;
            settle(&journal, &delivery, &mut random).await;
        }
        yield_now().await;
    }
}

async fn renew(journal: &Journal, delivery: &Delivery, random: &mut Rng) {
    for _ in 0..random.u32(0..3) {
        let lease = &delivery.lease;
        let (span, renewals) =
            journal.timed("renew", journal.queue.renew(&[Heartbeat::new(lease.clone())])).await;
        journal.note(
            span,
            renewals.into_iter().map(|renewal| {
                let held_until = match renewal {
                    Renewal::Held { expires_at, .. } => Some(expires_at),
                    _ => None,
                };
                EventKind::Renewed { lease: lease.clone(), held_until }
            }),
        );
        yield_now().await;
    }
}

async fn settle(journal: &Journal, delivery: &Delivery, random: &mut Rng) {
    let at = journal.fixture.now().saturating_add(Duration::from_millis(random.u64(0..4_000)));
    let transition = match random.u32(0..20) {
        0..9 => Transition::complete(),
        9..12 => Transition::Retry { at, error: "no".into() },
        12 => Transition::Snooze { at, error: None },
        13 if journal.has_partitions => Transition::Throttle { at },
        13 => Transition::Snooze { at, error: Some("unknown".into()) },
        14..16 => Transition::Release,
        16 => Transition::Discard { error: "never".into() },
        17 => Transition::Cancel { reason: "given up".into() },
        // The worker crashes, and its lease expires.
        _ => return,
    };
    let lease = delivery.lease.clone();
    let batch = vec![Settlement::new(lease.clone(), transition.clone())];
    let (span, settled) = journal.timed("settle", journal.queue.settle(batch)).await;
    journal.note(
        span,
        settled.into_iter().map(|settled| {
            let (lease, transition) = (lease.clone(), transition.clone());
            EventKind::Settled { lease, transition, outcome: settled.into() }
        }),
    );
}
