//! The inline executor: claim, run, settle, one job at a time.

use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use queue_core::backend::Attempt;
use queue_core::{
    AttemptResult, Clock as _, Demand, Event, InterruptReason, JobFacts, Lease, Observer, Outcome,
    Queue as _, QueueError, Settled, Settlement, Transition,
};

use super::clock::{KitClock, Pace};
use super::held::Held;
use super::leases::REAL_INTERVAL;
use super::{KitError, TestKit};
use crate::report::AttemptReport;

/// How often an operation that failed transiently is retried.
const TRIES: usize = 1000;

/// How long to wait before a retry.
const WAIT: Duration = Duration::from_millis(50);

/// The maximum number of jobs held at once with a seed. They run in any order.
const FLEET: usize = 4;

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
        self.keep_leases().await;
        if !self.progress().held.is_empty() {
            return Ok(());
        }
        let demand = self.demand().await?;
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

    async fn demand(&self) -> Result<Demand, KitError> {
        let read = || self.queue.store().queues();
        let mut queues = self.retry_transient("count the jobs", read).await?;
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
        Ok(Demand::of(queues, max).wait(Duration::ZERO))
    }

    /// Runs an attempt and settles it. Returns `None` if the worker crashed in it.
    async fn attempt(&self, attempt: Attempt) -> Result<Option<AttemptReport>, KitError> {
        let delivery = attempt.delivery();
        let (facts, body) = (JobFacts::from(delivery), delivery.body.clone());
        let partition = delivery.partition.clone();
        let (started_at, began) = (self.now(), Instant::now());
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
        let ended_at = self.now();
        let note = self.note_on(&outcome, ended_at.since(started_at), began.elapsed());
        let report = AttemptReport {
            facts,
            partition,
            body,
            started_at,
            ended_at,
            outcome,
            transition,
            settled: settled.first().copied().unwrap_or(Settled::Stale),
            note,
            origin: self.began,
        };
        self.progress().attempts.push(report.clone());
        Ok(Some(report))
    }

    /// Runs the attempt. Returns `None` if the worker crashes in it.
    async fn run_unless_crash(&self, attempt: &Attempt) -> Option<AttemptResult> {
        let plan = self.progress().plan.clone();
        match plan {
            Some(plan) => {
                let is_blocking = || self.threads.are_busy();
                plan.attempt(attempt.delivery().name.clone(), self.perform(attempt), is_blocking).await
            }
            None => Some(self.perform(attempt).await),
        }
    }

    /// Drops all jobs, as a crashed worker would: their leases expire.
    pub(super) fn crash(&self) {
        let mut progress = self.progress();
        progress.running = None;
        progress.held.clear();
        drop(progress);
        self.clock.end_attempt();
        drop(self.log.take());
    }

    /// Runs the attempt through the code that runs it in production.
    async fn perform(&self, attempt: &Attempt) -> AttemptResult {
        let every = attempt.delivery().lease.length / 3;
        self.progress().running = Some(Held { attempt: attempt.clone() });
        let mut running = pin!(self.runner.run(attempt));
        if self.clock.jumps() {
            // The kit renews leases when its clock jumps past the time for that.
            return running.await;
        }
        loop {
            let pause = match self.clock.pace() {
                Pace::Virtual => self.clock.sleep(every),
                Pace::Real | Pace::Machine => Box::pin(self.aside.sleep(REAL_INTERVAL)),
            };
            // The job is polled during the renewal too: it may hold what the queue waits for.
            let renewal = async {
                pause.await;
                self.keep_leases().await;
            };
            match select(running, pin!(renewal)).await {
                Either::Left((attempted, _)) => return attempted,
                Either::Right(((), unfinished)) => running = unfinished,
            }
        }
    }

    /// Retries an operation while it fails transiently, as the hosted loop does.
    pub(super) async fn retry_transient<T, F>(
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
                Err(error) if error.is_transient() && tries < TRIES => self.wait_to_retry().await,
                Err(source) => return Err(KitError::Queue { operation, source }),
            }
        }
    }

    /// Waits until an operation may be repeated. If the kit moves the time, it renews the leases whose renewal becomes due.
    async fn wait_to_retry(&self) {
        if self.clock.pace() != Pace::Real {
            return self.clock.sleep(WAIT).await;
        }
        self.clock.pass(WAIT).await;
        if self.renew_at().is_some_and(|at| at <= self.now()) {
            self.keep_leases().await;
        }
    }
}

/// Records the outcome of the last attempt, for the report, and shows the clock when an attempt begins and ends.
#[derive(Debug)]
pub(super) struct AttemptLog {
    clock: KitClock,
    outcome: Mutex<Option<Outcome>>,
}

impl AttemptLog {
    pub(super) fn new(clock: KitClock) -> Self {
        Self { clock, outcome: Mutex::default() }
    }

    fn take(&self) -> Option<Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Observer for AttemptLog {
    fn observe(&self, event: &Event) {
        match event {
            Event::Started(_) => self.clock.begin_attempt(),
            // The runner decides on a retry after this, by the time that does not depend on how long the attempt took.
            Event::Ended { outcome, .. } => {
                self.clock.end_attempt();
                *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome.clone());
            }
            _ => {}
        }
    }
}
