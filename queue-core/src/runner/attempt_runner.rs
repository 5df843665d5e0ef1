//! One attempt, from delivery to settlement: the only place where a job is performed.
//!
//! The hosted loop and the testkit's inline executor both call [`AttemptRunner::run`]; there is no second implementation.
//! It spawns nothing, touches no queue and reads no global clock.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tracing::Instrument as _;

use super::base_worker::BaseWorker;
use super::bounds::bounded;
use super::registry::Jobs;
use super::report::report;
use crate::attempt::context::{Environment, Home, JobContext};
use crate::attempt::decide::decide;
use crate::attempt::interrupt::{Interrupt, InterruptReason};
use crate::attempt::observe::Event;
use crate::attempt::outcome::{Outcome, RetryAdvice};
use crate::attempt::panic::caught;
use crate::attempt::retry::RetryPolicy;
use crate::attempt::worker::{Layer, Worker};
use crate::contract::queue::{Delivery, Queue};
use crate::contract::settlement::{Settlement, Transition};
use crate::services::Services;

/// Takes deliveries to settlements: the jobs, their services, and the middleware around them.
#[derive(Clone)]
pub struct AttemptRunner {
    home: Arc<Home>,
    base: Arc<BaseWorker>,
    /// The base worker within the middleware, if there is any.
    layered: Option<Arc<dyn Worker>>,
}

impl AttemptRunner {
    /// Makes one of the jobs that are known, their services, the queue that they may enqueue to, and middleware, outermost first.
    #[must_use]
    pub fn new(
        jobs: Jobs,
        services: Services,
        queue: Arc<dyn Queue>,
        layers: &[Layer],
        environment: Environment,
    ) -> Self {
        let base = Arc::new(BaseWorker { jobs, services });
        let layered = layers.iter().rev().fold(None, |inner, layer| {
            let inner = inner.unwrap_or_else(|| -> Arc<dyn Worker> { base.clone() });
            Some(layer(inner))
        });
        let is_layered = layered.is_some();
        Self { home: Arc::new(Home { queue, environment, is_layered }), base, layered }
    }

    /// Makes the context of an attempt at this delivery, which is then to be [run](Self::run); its interrupt can be used before.
    #[must_use]
    pub fn context(&self, delivery: Delivery) -> JobContext {
        JobContext::new(delivery, self.home.clone())
    }

    /// Makes the context of an attempt in the place of one that is spent, and in its memory if nobody else holds it.
    pub fn context_in(&self, spent: &mut JobContext, delivery: Delivery) {
        spent.reuse(delivery, &self.home);
    }

    /// Runs one attempt and says how it is to be recorded, or that it is recorded already.
    ///
    /// Followups go with a completion only. A context is for one attempt, and MUST be one that this runner made.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped leaves services undisposed, as a crash would; to cut an attempt off, use the context's
    /// interrupt.
    pub async fn run(&self, context: &JobContext) -> AttemptResult {
        context.start();
        let (delivery, environment) = (context.delivery(), context.environment());
        environment.observe(|| Event::Started(context.facts()));

        let work = caught(self.work(context)).instrument(span(delivery));
        // Middleware may have answered with a long text of its own.
        let outcome = work.await.cut_text();
        let outcome = completed_or(interrupted_or(outcome, context.interrupt()), context);

        environment.observe(|| Event::Ended {
            job: context.facts(),
            outcome: outcome.clone(),
            took: context.now().since(context.started_at()),
        });
        let followups = if outcome.kind().is_success() { context.followups() } else { Vec::new() };
        let transition = self.decide(&outcome, context);
        report(&outcome, &transition, context);
        let settlement = Settlement { lease: delivery.lease.clone(), transition, followups };
        AttemptResult { settlement, is_recorded: context.is_completed() }
    }

    /// Has the job worked on: by the innermost worker itself, which spares a box, if there is no middleware.
    async fn work(&self, context: &JobContext) -> Outcome {
        match &self.layered {
            Some(worker) => {
                let timeout = self.base.jobs.find(context.name()).and_then(|entry| entry.options.timeout);
                bounded(context, timeout, worker.work(context)).await
            }
            None => self.base.run(context).await,
        }
    }

    fn decide(&self, outcome: &Outcome, context: &JobContext) -> Transition {
        if matches!(outcome, Outcome::Success) {
            // Most attempts end so, and need not ask for the time.
            return Transition::Complete;
        }
        let (job, now) = (context.delivery(), context.backend_now());
        if outcome.failure().is_none() {
            return decide(outcome.clone(), job, &RetryPolicy::DEFAULT, now);
        }
        let policy = self.base.jobs.retry_policy(&job.name);
        // A policy of the user's own may panic; the job is tried again all the same.
        let decided = catch_unwind(AssertUnwindSafe(|| decide(outcome.clone(), job, &policy, now)));
        decided.unwrap_or_else(|_| {
            tracing::error!(job.name = %job.name, "the retry policy panicked, using the default policy");
            decide(outcome.clone(), job, &RetryPolicy::DEFAULT, now)
        })
    }
}

/// What an attempt has come to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AttemptResult {
    /// How it is recorded.
    pub settlement: Settlement,
    /// Whether a unit of work has recorded it, together with the job's effects; then there is nothing left to settle.
    pub is_recorded: bool,
}

impl fmt::Debug for AttemptRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptRunner").field("jobs", &self.base.jobs).finish_non_exhaustive()
    }
}

/// What an attempt that was told to stop has come to.
///
/// A transient failure after that is a consequence rather than a failure of the job: it doesn't count.
fn interrupted_or(outcome: Outcome, interrupt: &Interrupt) -> Outcome {
    match (outcome, interrupt.reason()) {
        (Outcome::Interrupted, Some(InterruptReason::Cancelled(reason))) => Outcome::Cancel(reason.clone()),
        (Outcome::Failure(failure), Some(reason)) if failure.advice != RetryAdvice::Never => match reason {
            InterruptReason::Cancelled(reason) => Outcome::Cancel(reason.clone()),
            InterruptReason::Shutdown | InterruptReason::LeaseLost => Outcome::Interrupted,
        },
        (outcome, _) => outcome,
    }
}

/// A completion that a unit of work has recorded stands, whatever came after it.
fn completed_or(outcome: Outcome, context: &JobContext) -> Outcome {
    if context.is_completed() && !outcome.kind().is_success() {
        tracing::warn!(job.name = %context.name(), ?outcome, "job failed after its completion was committed; it stays completed");
        return Outcome::Success;
    }
    outcome
}

fn span(job: &Delivery) -> tracing::Span {
    tracing::info_span!(
        "attempt",
        job.id = %job.id(),
        job.name = %job.name,
        job.queue = %job.queue,
        job.attempt = job.attempt,
    )
}
