//! The store under test, whose clock follows the kit's.
//!
//! Each call first moves the store's clock to the kit's time. If a test has moved the store's clock further, the kit's time
//! follows it. Under virtual time, a call runs on the kit's own thread while the test's thread is blocked: if the test's
//! thread were idle instead, tokio's paused time would jump.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use queue_core::backend::ExpiryFeed;
use queue_core::{
    Admin, Announcement, Body, Delivery, Demand, Heartbeat, NewJob, Queue, QueueError, QueueLimits,
    QueueName, Receipt, Renewal, Settled, Settlement, TestClock, Timestamp,
};

use super::aside::Aside;
use super::clock::{KitClock, Pace};
use crate::model_queue::ModelQueue;

/// A queue with the clock that the kit moves, if it has one. Cheap to clone.
#[derive(Clone)]
pub(super) struct Timed {
    queue: Arc<dyn Admin>,
    /// The queue again, if it is the kit's own, which answers without waiting and uses the kit's clock.
    model: Option<ModelQueue>,
    /// `None` if the queue uses the kit's clock, or the machine's.
    test_clock: Option<Arc<dyn TestClock>>,
    clock: KitClock,
    aside: Aside,
    patience: Duration,
}

impl Timed {
    /// Creates the kit's own queue.
    pub(super) fn model(model: ModelQueue, clock: KitClock, aside: Aside) -> Self {
        let queue = Arc::new(model.clone());
        Self { queue, model: Some(model), test_clock: None, clock, aside, patience: Duration::MAX }
    }

    /// Creates the queue of a real store.
    pub(super) fn real(
        queue: Arc<dyn Admin>,
        test_clock: Option<Arc<dyn TestClock>>,
        clock: KitClock,
        aside: Aside,
        patience: Duration,
    ) -> Self {
        Self { queue, model: None, test_clock, clock, aside, patience }
    }

    /// Returns the kit's own queue, if this is it.
    pub(super) fn as_model(&self) -> Option<&ModelQueue> {
        self.model.as_ref()
    }

    /// Moves the queue's clock to the kit's time, or the kit's to the queue's if that is ahead.
    pub(super) async fn sync(&self) -> Result<(), QueueError> {
        self.call(|_| async { Ok(()) }).await
    }

    /// Runs a call on the queue at the kit's time.
    pub(super) async fn call<T, F>(&self, work: impl FnOnce(Arc<dyn Admin>) -> F) -> Result<T, QueueError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, QueueError>> + Send + 'static,
    {
        let work = work(self.queue.clone());
        if self.model.is_some() {
            return work.await;
        }
        let now = self.clock.still();
        let work = self.clone().at(now, work);
        let (answer, shown) = match self.clock.pace() {
            Pace::Virtual => self.blocking(work)?,
            Pace::Real | Pace::Machine => work.await?,
        };
        if shown > now {
            self.clock.pass(shown.since(now)).await;
        }
        Ok(answer)
    }

    /// Runs a call at the kit's time, and blocks the calling thread meanwhile.
    pub(super) fn call_blocking<T, F>(&self, work: impl FnOnce(Arc<dyn Admin>) -> F) -> Result<T, QueueError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, QueueError>> + Send + 'static,
    {
        let work = work(self.queue.clone());
        match &self.model {
            // The kit's own queue answers at once.
            Some(_) => work.now_or_never().unwrap_or_else(|| Err(QueueError::unavailable("no answer"))),
            None => self.blocking(self.clone().at(self.clock.still(), work)).map(|(answer, _)| answer),
        }
    }

    /// Moves the queue's clock, then runs `work`. Returns its answer, and the instant that the queue's clock shows.
    async fn at<T>(
        self,
        now: Timestamp,
        work: impl Future<Output = Result<T, QueueError>>,
    ) -> Result<(T, Timestamp), QueueError> {
        let shown = self.follow(now).await?;
        Ok((work.await?, shown))
    }

    /// Moves the queue's clock to `now`, unless it is ahead. Returns the instant that it shows.
    async fn follow(&self, now: Timestamp) -> Result<Timestamp, QueueError> {
        let Some(test_clock) = &self.test_clock else { return Ok(now) };
        let shown = test_clock.now().await?;
        if shown < now {
            test_clock.advance_to(now).await?;
        }
        Ok(shown.max(now))
    }

    /// Runs a call to its end on the kit's thread, while the calling thread is blocked.
    fn blocking<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, QueueError>> + Send + 'static,
    ) -> Result<T, QueueError> {
        self.aside.run(self.patience, work).unwrap_or_else(|| {
            Err(QueueError::unavailable(format!(
                "the queue has not answered within {:?}, while the test's thread waited for it; if the queue needs the \
                 test's own runtime to answer, run the test in a runtime of several threads",
                self.patience
            )))
        })
    }
}

#[async_trait]
impl Queue for Timed {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        self.call(|queue| async move { queue.push(jobs).await }).await
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        if demand.wait != Some(Duration::ZERO) {
            self.sync().await?;
            return self.queue.claim(demand).await;
        }
        let demand = demand.clone();
        let mut deliveries = self.call(|queue| async move { queue.claim(&demand).await }).await?;
        for delivery in deliveries.iter_mut().filter(|delivery| !delivery.body.is_closure()) {
            // A queue in memory may deliver the payload that was pushed, and not what a durable queue would read.
            delivery.body = Body::stored(delivery.body.encode()?);
        }
        Ok(deliveries)
    }

    async fn renew(&self, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        let heartbeats = heartbeats.to_vec();
        self.call(|queue| async move { queue.renew(&heartbeats).await }).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        self.call(|queue| async move { queue.settle(settlements).await }).await
    }

    async fn announce(&self, announcement: &Announcement) -> Result<(), QueueError> {
        let announcement = announcement.clone();
        self.call(|queue| async move { queue.announce(&announcement).await }).await
    }

    async fn declare_limits(&self, queue: &QueueName, limits: &QueueLimits) -> Result<(), QueueError> {
        let (name, limits) = (queue.clone(), limits.clone());
        self.call(|queue| async move { queue.declare_limits(&name, &limits).await }).await
    }

    fn expiry_feed(&self) -> Option<&ExpiryFeed> {
        self.queue.expiry_feed()
    }
}
