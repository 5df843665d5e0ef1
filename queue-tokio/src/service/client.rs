//! The queue and the runtime, as the tasks of the loop use them. Each call of the queue has a time limit.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::poll_fn;
use queue_core::backend::error_chain;
use queue_core::{
    Announcement, Delivery, Demand, Environment, Event, Heartbeat, Queue, QueueCall, QueueError,
    QueueErrorKind, QueueLimits, QueueName, Renewal, Runtime, Settled, StopSignal, Timestamp,
};

use super::finished::Finished;
use super::shutdown::Shutdown;
use crate::health::HealthReporter;

/// The time limit for the answer to a settlement.
const ANSWER: Duration = Duration::from_secs(60);

/// The time limit for the answer to a claim after its stop signal. By then, the loop releases what the claim has leased.
const END: Duration = Duration::from_secs(10);

/// The same for a backend that does not observe the stop signal: time for an answer that is on its way.
const END_UNHEARD: Duration = Duration::from_millis(250);

/// The queue, the runtime and the observer of one run.
pub(super) struct Client {
    service: String,
    queue: Arc<dyn Queue>,
    runtime: Arc<dyn Runtime>,
    environment: Environment,
    health: HealthReporter,
    /// Once this has fired, answers no longer count for the health: the service stops, or another run has replaced this one.
    stopping: StopSignal,
}

impl Client {
    pub(super) fn new(
        service: &str,
        queue: Arc<dyn Queue>,
        runtime: Arc<dyn Runtime>,
        environment: Environment,
        health: HealthReporter,
        stopping: StopSignal,
    ) -> Self {
        Self { service: service.to_owned(), queue, runtime, environment, health, stopping }
    }

    /// Returns the name of the service, for logs.
    pub(super) fn service(&self) -> &str {
        &self.service
    }

    pub(super) fn runtime(&self) -> &dyn Runtime {
        &*self.runtime
    }

    pub(super) fn now(&self) -> Timestamp {
        self.runtime.now()
    }

    /// Waits. The timer is created at the first poll.
    pub(super) async fn sleep(&self, duration: Duration) {
        self.runtime.sleep(duration).await;
    }

    pub(super) fn observe(&self, event: impl FnOnce() -> Event) {
        self.environment.observe(event);
    }

    /// Claims. Drops the claim if it does not answer within its wait and `ANSWER`, or soon after the stop signal.
    pub(super) async fn claim(
        &self,
        demand: &Demand,
        shutdown: &Shutdown,
    ) -> Result<Vec<Delivery>, QueueError> {
        let wait = demand.wait.unwrap_or(Duration::MAX);
        let overdue = async {
            tokio::select! {
                biased;
                () = self.sleep(wait.saturating_add(ANSWER)) => {}
                () = shutdown.stopping().fired() => {
                    self.sleep(if shutdown.stopping().has_listener() { END } else { END_UNHEARD }).await;
                }
            }
        };
        let began = self.now_if_observed();
        let answer = within(self.queue.claim(demand), overdue).await;
        self.report("claim", answer.as_ref().err());
        self.observe_call(began, |took| match &answer {
            Ok(deliveries) => QueueCall::claim(took, deliveries),
            Err(_) => QueueCall::new("claim", took, 0).failed(),
        });
        answer
    }

    pub(super) async fn settle(&self, batch: &[Finished]) -> Result<Vec<Settled>, QueueError> {
        let settlements = batch.iter().map(|finished| finished.settlement().clone()).collect();
        let began = self.now_if_observed();
        let answer = within(self.queue.settle(settlements), self.sleep(ANSWER)).await;
        // A queue that refuses a settlement works.
        let refused = |error: &QueueError| {
            matches!(error.kind(), QueueErrorKind::Invalid | QueueErrorKind::Unsupported)
        };
        let error = answer.as_ref().err().filter(|error| !refused(error));
        self.report("settle", error);
        self.observe_call(began, |took| {
            let call = QueueCall::new("settle", took, batch.len());
            if error.is_some() { call.failed() } else { call }
        });
        answer
    }

    pub(super) async fn renew(
        &self,
        heartbeats: &[Heartbeat],
        limit: Duration,
    ) -> Result<Vec<Renewal>, QueueError> {
        let began = self.now_if_observed();
        let answer = within(self.queue.renew(heartbeats), self.sleep(limit)).await;
        self.report("renew", answer.as_ref().err());
        self.observe_call(began, |took| {
            let call = QueueCall::new("renew", took, heartbeats.len());
            if answer.is_err() { call.failed() } else { call }
        });
        answer
    }

    /// Announces the service. A failure does not change the status of the service.
    pub(super) async fn announce(
        &self,
        announcement: &Announcement,
        limit: Duration,
    ) -> Result<(), QueueError> {
        within(self.queue.announce(announcement), self.sleep(limit)).await
    }

    /// Declares the limits of a queue.
    pub(super) async fn declare_limits(
        &self,
        queue: &QueueName,
        limits: &QueueLimits,
    ) -> Result<(), QueueError> {
        let answer = within(self.queue.declare_limits(queue, limits), self.sleep(ANSWER)).await;
        self.report("declare_limits", answer.as_ref().err());
        answer
    }

    /// Returns the current instant, or `None` if there is no observer.
    fn now_if_observed(&self) -> Option<Timestamp> {
        self.environment.observer.as_ref().map(|_| self.now())
    }

    /// Reports a call that began at `began` to the observer. `call` takes the duration of the call.
    fn observe_call(&self, began: Option<Timestamp>, call: impl FnOnce(Duration) -> QueueCall) {
        if let Some(began) = began {
            self.observe(|| Event::Called(call(self.now().since(began))));
        }
    }

    /// Reports that there is nothing to renew, so that an earlier failure no longer counts.
    pub(super) fn nothing_to_renew(&self) {
        self.report("renew", None);
    }

    /// Reports an operation's last answer to the health of the service.
    fn report(&self, operation: &'static str, error: Option<&QueueError>) {
        if self.stopping.has_fired() {
            return;
        }
        match error {
            None => self.health.recovered(operation),
            Some(error) => {
                self.health.degraded(operation, format!("`{operation}` fails: {}", error_chain(error)));
            }
        }
    }
}

/// Waits for an answer until the time limit is over.
async fn within<T>(
    answer: impl Future<Output = Result<T, QueueError>>,
    limit: impl Future<Output = ()>,
) -> Result<T, QueueError> {
    let (mut answer, mut limit) = (pin!(answer), pin!(limit));
    poll_fn(|cx| match answer.as_mut().poll(cx) {
        Poll::Ready(answer) => Poll::Ready(answer),
        Poll::Pending => {
            limit.as_mut().poll(cx).map(|()| Err(QueueError::unavailable("the queue did not answer in time")))
        }
    })
    .await
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("service", &self.service).finish_non_exhaustive()
    }
}
