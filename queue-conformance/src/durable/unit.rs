//! A job's writes and its completion in one commit (D12).

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use queue_core::{
    AttemptRunner, BoxFuture, Clock, Delivery, Demand, Environment, JobRecord, State, Timestamp,
};

use super::harness::StoreHarness;
use super::skew::NoThreads;
use super::store::PaymentApp;
use crate::law::expect_eq;

/// A clock for attempts that do not read it.
struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// More polls than a job that writes twice takes, even on a slow store.
const POLLS: u32 = 24;

pub(super) async fn d12_a_units_effects_and_its_completion_are_one_commit(harness: &StoreHarness) {
    let Some(app) = harness.store().payment_app().await else { return };
    let environment =
        Environment { clock: Arc::new(Now), blocking: Arc::new(NoThreads), observer: None, service: None };
    let (jobs, services) = (app.jobs.clone(), app.services.clone());
    let teller = Teller {
        harness,
        runner: AttemptRunner::new(jobs, services, app.queue.clone(), &[], environment),
        app,
    };
    let mut crashes = 0;
    for polls in 0..POLLS {
        let before = (teller.app.balance)().await;
        let delivery = teller.pay("success").await;
        if teller.crashes_after(polls, &delivery).await {
            crashes += 1;
            if teller.job(&delivery).await.state != State::Completed {
                // The lease expires soon. Then the job is delivered again, and succeeds.
                let again = teller.claim(Duration::from_secs(60)).await;
                teller.crashes_after(u32::MAX, &again).await;
            }
        }
        let job = teller.job(&delivery).await;
        expect_eq!(job.state, State::Completed, "a job that crashed at poll {polls} and ran again: {job:?}");
        let paid = (teller.app.balance)().await - before;
        expect_eq!(paid, 2, "the payment of a job that crashed at poll {polls} and ran again");
        expect_eq!(teller.receipts().await, 1, "the followups of a job that crashed at poll {polls}");
    }
    assert!(
        crashes >= 3,
        "the job was over after {crashes} polls: it must yield before, between and after its two steps"
    );
    for ending in ["failure", "panic"] {
        let before = (teller.app.balance)().await;
        let delivery = teller.pay(ending).await;
        teller.crashes_after(u32::MAX, &delivery).await;
        let paid = (teller.app.balance)().await - before;
        expect_eq!(paid, 0, "the payment of an attempt that ended in a {ending}");
        expect_eq!(teller.receipts().await, 0, "the followups of an attempt that ended in a {ending}");
        // Otherwise the job would keep failing, in front of the next one.
        let cancel = teller.app.queue.cancel(delivery.id(), "it failed as intended");
        harness.steps().ok("`cancel`", cancel).await;
    }
}

/// Runs the attempts.
struct Teller<'a> {
    harness: &'a StoreHarness,
    runner: AttemptRunner,
    app: PaymentApp,
}

impl Teller<'_> {
    /// Pushes a job and claims it, with a short lease so that a crash is over soon.
    async fn pay(&self, ending: &str) -> Delivery {
        self.harness.push(&*self.app.queue, vec![(self.app.pay)(ending)]).await;
        self.claim(Duration::from_millis(250)).await
    }

    async fn claim(&self, lease: Duration) -> Delivery {
        let demand = Demand::new("default", 1).lease(lease);
        let deliveries = self.harness.steps().ok("a claim", self.app.queue.claim(&demand)).await;
        deliveries.into_iter().next().unwrap_or_else(|| panic!("a claim that waits returned no job"))
    }

    /// Polls an attempt at most `polls` times and then drops it, as a crash does. Returns whether it was dropped before its end.
    async fn crashes_after(&self, polls: u32, delivery: &Delivery) -> bool {
        let attempt = async {
            let attempted = self.runner.run(&self.runner.attempt(delivery.clone())).await;
            if !attempted.is_recorded {
                let settle = self.app.queue.settle(vec![attempted.settlement]);
                self.harness.steps().ok("a settlement", settle).await;
            }
        };
        dropped_after(polls, attempt).await
    }

    async fn job(&self, delivery: &Delivery) -> JobRecord {
        let job = self.harness.steps().ok("`get`", self.app.queue.get(delivery.id())).await;
        job.unwrap_or_else(|| panic!("job {} is missing", delivery.id()))
    }

    /// Returns the number of receipts enqueued since the last call.
    async fn receipts(&self) -> usize {
        let demand = Demand::new("receipts", 10).lease(Duration::from_secs(600)).wait(Duration::ZERO);
        self.harness.steps().ok("a claim of receipts", self.app.queue.claim(&demand)).await.len()
    }
}

/// Polls a future at most `polls` times. Returns whether it was dropped before its end.
async fn dropped_after(polls: u32, future: impl Future<Output = ()>) -> bool {
    let (mut future, mut left) = (Box::pin(future), polls);
    poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(true);
        }
        left -= 1;
        future.as_mut().poll(cx).map(|()| false)
    })
    .await
}
