//! The inline executor: claim, run, settle, one job at a time.

use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use queue_core::backend::Attempt;
use queue_core::{
    AttemptResult, Clock as _, Demand, Event, InterruptReason, JobFacts, Lease, Observer, Outcome,
    Queue as _, QueueError, Renewal, Settled, Settlement, Timestamp, Transition,
};

use super::{KitError, TestKit};
use crate::report::AttemptReport;

/// How often an operation that failed transiently is retried.
const TRIES: usize = 1000;

/// How long to wait before a retry.
const WAIT: Duration = Duration::from_millis(50);

/// The maximum number of jobs held at once with a seed. They run in any order.
const FLEET: usize = 4;

/// A job that the executor holds. Its lease is renewed, as the hosted loop does.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) attempt: Attempt,
}

impl Held {
    fn lease(&self) -> &Lease {
        &self.attempt.delivery().lease
    }
}

impl TestKit {
    pub(super) async fn next_attempt(&self) -> Result<Option<AttemptReport>, KitError> {
        self.claim_if_empty().await?;
        let next = self.progress().held.pop_front();
        match next {
            Some(held) => self.attempt(held.attempt).await,
            None => Ok(None),
        }
    }

    /// Claims the next job, or with a seed a few jobs in any order.
    async fn claim_if_empty(&self) -> Result<(), KitError> {
        self.keep_leases();
        if !self.progress().held.is_empty() {
            return Ok(());
        }
        let demand = self.demand();
        let mut deliveries = self.retry_transient("claim", || self.queue.claim(&demand)).await?;
        let mut progress = self.progress();
        if self.seed.is_some() {
            progress.random.shuffle(&mut deliveries);
        }
        progress.renew_at = self.now().saturating_add(Lease::DEFAULT_LENGTH / 3);
        let attempts = deliveries.into_iter().map(|delivery| self.runner.attempt(delivery));
        progress.held.extend(attempts.map(|attempt| Held { attempt }));
        Ok(())
    }

    fn demand(&self) -> Demand {
        let mut queues = self.queue.queues();
        queues.extend(self.jobs.queues());
        queues.sort_unstable();
        queues.dedup();
        let mut progress = self.progress();
        let max = if self.seed.is_some() {
            progress.random.shuffle(&mut queues);
            progress.random.usize(1..=FLEET)
        } else {
            1
        };
        Demand::of(queues, max).wait(Duration::ZERO)
    }

    /// Runs an attempt and settles it. Returns `None` if the worker crashed in it.
    async fn attempt(&self, attempt: Attempt) -> Result<Option<AttemptReport>, KitError> {
        let delivery = attempt.delivery();
        let (facts, body) = (JobFacts::from(delivery), delivery.body.clone());
        let started_at = self.now();
        // A job that was cancelled while it was held is not run, as in the hosted loop.
        let (settlement, is_recorded, outcome) = match attempt.interrupt().reason() {
            Some(InterruptReason::Cancelled(reason)) => {
                let transition = Transition::Cancel { reason: reason.clone() };
                (Settlement::new(delivery.lease.clone(), transition), false, Outcome::Cancel(reason.clone()))
            }
            _ => {
                let Some(AttemptResult { settlement, is_recorded, .. }) =
                    self.run_unless_crash(&attempt).await
                else {
                    self.crash();
                    return Ok(None);
                };
                (settlement, is_recorded, self.log.take().unwrap_or(Outcome::Interrupted))
            }
        };
        let transition = settlement.transition.clone();
        let settled = match is_recorded {
            true => vec![Settled::Applied],
            false => self.retry_transient("settle", || self.queue.settle(vec![settlement.clone()])).await?,
        };
        self.progress().running = None;
        let report = AttemptReport {
            facts,
            body,
            started_at,
            ended_at: self.now(),
            outcome,
            transition,
            settled: settled.first().copied().unwrap_or(Settled::Stale),
        };
        self.progress().attempts.push(report.clone());
        Ok(Some(report))
    }

    /// Runs the attempt. Returns `None` if the worker crashes in it.
    async fn run_unless_crash(&self, attempt: &Attempt) -> Option<AttemptResult> {
        let plan = self.progress().plan.clone();
        match plan {
            Some(plan) => plan.attempt(attempt.delivery().name.clone(), self.perform(attempt)).await,
            None => Some(self.perform(attempt).await),
        }
    }

    /// Drops all jobs, as a crashed worker would: their leases expire.
    fn crash(&self) {
        let mut progress = self.progress();
        progress.running = None;
        progress.held.clear();
        drop(progress);
        drop(self.log.take());
    }

    /// Runs the attempt through the code that runs it in production.
    async fn perform(&self, attempt: &Attempt) -> AttemptResult {
        let every = attempt.delivery().lease.length / 3;
        self.progress().running = Some(Held { attempt: attempt.clone() });
        let mut running = pin!(self.runner.run(attempt));
        if !self.clock.is_tokio() {
            // The kit's own clock renews leases when it jumps past the time for that.
            return running.await;
        }
        loop {
            match select(running, self.clock.sleep(every)).await {
                Either::Left((attempted, _)) => return attempted,
                Either::Right(((), unfinished)) => running = unfinished,
            }
            self.keep_leases();
        }
    }

    /// Returns when leases are renewed next, if any job is held.
    pub(super) fn renew_at(&self) -> Option<Timestamp> {
        let progress = self.progress();
        (progress.running.is_some() || !progress.held.is_empty()).then_some(progress.renew_at)
    }

    /// Renews the leases of all held jobs. A held job whose lease is lost is dropped; the running one is interrupted.
    pub(super) fn keep_leases(&self) {
        let mut progress = self.progress();
        progress.renew_at = self.now().saturating_add(Lease::DEFAULT_LENGTH / 3);
        let leases: Vec<_> =
            progress.held.iter().chain(&progress.running).map(|held| held.lease().clone()).collect();
        if leases.is_empty() {
            return;
        }
        let Some(renewals) = self.queue.renew_now(&leases) else { return };
        let mut renewals = renewals.into_iter();
        progress.held.retain(|held| match renewals.next() {
            Some(Renewal::Held { cancel: Some(reason), .. }) => {
                held.attempt.interrupt().request(InterruptReason::Cancelled(reason));
                true
            }
            Some(Renewal::Held { cancel: None, .. }) => true,
            _ => false,
        });
        let Some(running) = &progress.running else { return };
        match renewals.next() {
            Some(Renewal::Held { cancel: Some(reason), .. }) => {
                running.attempt.interrupt().request(InterruptReason::Cancelled(reason));
            }
            Some(Renewal::Lost) => running.attempt.interrupt().request(InterruptReason::LeaseLost),
            _ => {}
        }
    }

    /// Retries an operation while it fails transiently, as the hosted loop does.
    async fn retry_transient<T, F>(
        &self,
        operation: &'static str,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, KitError>
    where
        F: Future<Output = Result<T, QueueError>>,
    {
        let mut tries = 0;
        loop {
            tries += 1;
            match attempt().await {
                Ok(answer) => return Ok(answer),
                Err(error) if error.is_transient() && tries < TRIES => self.clock.sleep(WAIT).await,
                Err(source) => return Err(KitError::Queue { operation, source }),
            }
        }
    }
}

/// Records the outcome of the last attempt, for the report.
#[derive(Debug, Default)]
pub(super) struct AttemptLog(Mutex<Option<Outcome>>);

impl AttemptLog {
    fn take(&self) -> Option<Outcome> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Observer for AttemptLog {
    fn observe(&self, event: &Event) {
        if let Event::Ended { outcome, .. } = event {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome.clone());
        }
    }
}
