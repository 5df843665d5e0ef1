//! One attempt, from delivery to settlement: the only code that runs a job.
//!
//! The hosted loop and the testkit's inline executor both call [`AttemptRunner::run`]; there is no second implementation.
//! It spawns no task, calls no queue and reads no global clock.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;

use tracing::{Instrument as _, Span};

use super::base_worker::BaseWorker;
use super::bounds::bounded;
use super::registry::Jobs;
use super::report::report;
use crate::attempt::context::{JobContext, RunnerState};
use crate::attempt::decide::decide;
use crate::attempt::environment::Environment;
use crate::attempt::handle::Attempt;
use crate::attempt::interrupt::{Interrupt, InterruptReason};
use crate::attempt::observe::Event;
use crate::attempt::outcome::{Outcome, RetryAdvice};
use crate::attempt::panic::caught;
use crate::attempt::retry::RetryPolicy;
use crate::attempt::worker::{Layer, Worker};
use crate::contract::clock::Timestamp;
use crate::contract::queue::{Delivery, Queue};
use crate::contract::result::StoredResult;
use crate::contract::settlement::{Settlement, Transition};
use crate::services::Services;

/// Runs deliveries and returns settlements. It owns the list of jobs, their services, and the middleware around them.
#[derive(Clone)]
pub struct AttemptRunner {
    runner: Arc<RunnerState>,
    base: Arc<BaseWorker>,
    /// The middleware around the base worker, if there is any.
    layered: Option<Arc<dyn Worker>>,
    /// Creates the spans of attempts, if the program does.
    make_span: Option<MakeSpan>,
}

/// A function that creates the span of an attempt.
pub type MakeSpan = Arc<dyn Fn(&Delivery) -> Span + Send + Sync>;

impl AttemptRunner {
    /// Creates a runner from the known jobs, their services, the queue that jobs may enqueue to, and middleware, outermost first.
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
        let runner = Arc::new(RunnerState { queue, environment, is_layered });
        Self { runner, base, layered, make_span: None }
    }

    /// Sets the function that creates the span of each attempt, in place of the span `attempt`.
    ///
    /// The job runs within the span, and the line of a failure is logged within it. If the function panics, the span `attempt` is
    /// used.
    #[must_use]
    pub fn with_spans(mut self, make_span: MakeSpan) -> Self {
        self.make_span = Some(make_span);
        self
    }

    /// Creates an attempt at a delivery that the worker receives now, to be passed to [`run`](Self::run). Its interrupt works
    /// already.
    #[must_use]
    pub fn attempt(&self, delivery: Delivery) -> Attempt {
        Attempt::new(delivery, self.runner.environment.clock.now(), &self.runner)
    }

    /// Creates an attempt in place of a finished one, at a delivery that the worker received at `received_at`, by the worker's
    /// clock. Reuses its allocation, unless a clone of it is alive.
    pub fn attempt_in(&self, spent: &mut Attempt, delivery: Delivery, received_at: Timestamp) {
        spent.reuse(delivery, received_at, &self.runner);
    }

    /// Runs one attempt and returns the settlement to record, or the settlement that is recorded already.
    ///
    /// Only a completion has a result and followups. An attempt runs once, and MUST be created by this runner.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, services are not disposed, as after a crash. To stop an attempt, use its
    /// interrupt.
    pub async fn run(&self, attempt: &Attempt) -> AttemptResult {
        attempt.start();
        let context = attempt.context();
        let (delivery, environment) = (context.delivery(), context.environment());
        environment.observe(|| Event::Started(context.facts()));
        if delivery.attempt == 1 {
            let waited = || context.backend_now().since(delivery.run_at);
            environment.observe(|| Event::Waited { job: context.facts(), waited: waited() });
        }

        // Pinned here, so that the future is not moved with all that it contains.
        let work = pin!(self.work(context));
        let mut attempted = pin!(caught(work).instrument(self.span(delivery, environment.service())));
        let outcome = attempted.as_mut().await;
        if outcome.is_success() && environment.observer.is_none() && !tracing::enabled!(tracing::Level::DEBUG)
        {
            // Most attempts end here. Nothing is logged, so the span is not needed.
            return self.conclude(outcome, attempt);
        }
        attempted.span().in_scope(|| self.conclude(outcome, attempt))
    }

    /// Decides the transition that follows an outcome, and logs it.
    fn conclude(&self, outcome: Outcome, attempt: &Attempt) -> AttemptResult {
        let context = attempt.context();
        let (delivery, environment) = (context.delivery(), context.environment());
        // Middleware may have returned a long text of its own.
        let outcome = outcome.cut_text();
        let outcome = completed_or(interrupted_or(outcome, attempt.interrupt()), attempt);

        let took = || context.now().since(context.started_at());
        environment.observe(|| Event::Ended { job: context.facts(), outcome: outcome.clone(), took: took() });
        let (result, followups) =
            if outcome.is_success() { context.completion() } else { (None, Vec::new()) };
        let transition = self.decide(&outcome, result, context);
        environment.observe(|| Event::Decided {
            job: context.facts(),
            transition: transition.clone(),
            took: took(),
        });
        report(&outcome, &transition, context);
        let settlement = Settlement { lease: delivery.lease.clone(), transition, followups };
        AttemptResult { settlement, is_recorded: attempt.is_completed() }
    }

    /// Runs the job. Without middleware, calls the base worker directly, which saves a box.
    async fn work(&self, context: &JobContext) -> Outcome {
        match &self.layered {
            Some(worker) => {
                let timeout = self.base.jobs.find(context.name()).and_then(|entry| entry.options.timeout);
                bounded(context, timeout, worker.work(context)).await
            }
            None => self.base.run(context).await,
        }
    }

    fn span(&self, job: &Delivery, service: Option<&str>) -> Span {
        let Some(make_span) = &self.make_span else { return span(job, service) };
        catch_unwind(AssertUnwindSafe(|| make_span(job))).unwrap_or_else(|_| {
            tracing::error!(service, job.name = %job.name, "`make_span` panicked, using the span of the framework");
            span(job, service)
        })
    }

    fn decide(&self, outcome: &Outcome, result: Option<StoredResult>, context: &JobContext) -> Transition {
        if matches!(outcome, Outcome::Success) {
            // Most attempts end here, and don't need the time.
            return Transition::Complete { result };
        }
        let (job, now) = (context.delivery(), context.backend_now());
        if outcome.failure().is_none() {
            return decide(outcome.clone(), job, &RetryPolicy::DEFAULT, now);
        }
        let policy = self.base.jobs.retry_policy(&job.name);
        // A user's policy may panic. The default policy then retries the job.
        let decided = catch_unwind(AssertUnwindSafe(|| decide(outcome.clone(), job, &policy, now)));
        decided.unwrap_or_else(|_| {
            let service = context.environment().service();
            tracing::error!(service, job.name = %job.name, "the retry policy panicked, using the default policy");
            decide(outcome.clone(), job, &RetryPolicy::DEFAULT, now)
        })
    }
}

/// The result of an attempt.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AttemptResult {
    /// The settlement.
    pub settlement: Settlement,
    /// Whether a unit of work has recorded the settlement, together with the job's effects. If so, there is nothing left to
    /// settle.
    pub is_recorded: bool,
}

impl fmt::Debug for AttemptRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptRunner").field("jobs", &self.base.jobs).finish_non_exhaustive()
    }
}

/// Returns the outcome of an attempt that may have been asked to stop.
///
/// A transient failure after the request is a consequence of it, not a failure of the job, and is not counted.
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

/// Returns success if a unit of work has committed the job's completion, even if the job failed afterwards; otherwise returns
/// `outcome`.
fn completed_or(outcome: Outcome, attempt: &Attempt) -> Outcome {
    if attempt.is_completed() && !outcome.is_success() {
        let service = attempt.context().environment().service();
        tracing::warn!(service, job.name = %attempt.delivery().name, ?outcome, "job failed after its completion was committed; it stays completed");
        return Outcome::Success;
    }
    outcome
}

fn span(job: &Delivery, service: Option<&str>) -> Span {
    tracing::info_span!(
        "attempt",
        service,
        job.id = %job.id(),
        job.name = %job.name,
        job.queue = %job.queue,
        job.attempt = job.attempt,
        // For middleware that traces attempts, so that log lines show the trace.
        trace_id = tracing::field::Empty,
    )
}
