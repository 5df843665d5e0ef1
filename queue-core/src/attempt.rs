//! One attempt, from delivery to settlement: the only place where a job is performed.
//!
//! The hosted loop and the testkit's inline executor both call [`AttemptRunner::run`]; there is no second implementation.
//! It spawns nothing, touches no queue and reads no global clock.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{BoxFuture, Either, poll_fn, select};
use tracing::Instrument as _;

use crate::context::{Environment, Home, JobContext};
use crate::error::{QueueError, QueueErrorKind, chain};
use crate::interrupt::{Interrupt, InterruptReason};
use crate::job::NewJob;
use crate::observe::Event;
use crate::outcome::{Failure, FailureCause, Outcome, RetryAdvice};
use crate::panic::{caught, caught_call};
use crate::queue::{Delivery, Queue};
use crate::registry::{Entry, Jobs};
use crate::retry::RetryPolicy;
use crate::services::{CallScope, Scope, ServiceError, Services};
use crate::settlement::{Settlement, Transition, decide};
use crate::worker::{Layer, Worker};

/// Takes deliveries to settlements: the jobs, their services, and the middleware around them.
#[derive(Clone)]
pub struct AttemptRunner {
    home: Arc<Home>,
    /// The innermost worker within the middleware, if there is any.
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
        let layered = layers.iter().rev().fold(None, |inner, layer| {
            let inner = inner.unwrap_or_else(|| -> Arc<dyn Worker> { Arc::new(Innermost) });
            Some(layer(inner))
        });
        let is_layered = layered.is_some();
        Self { home: Arc::new(Home { jobs, services, queue, environment, is_layered }), layered }
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
            Some(worker) => bounded(context, worker.work(context)).await,
            None => work_on(context).await,
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
        let policy = context.home().jobs.retry_policy(&job.name);
        // A policy of the user's own may panic; the job is tried again all the same.
        let decided = catch_unwind(AssertUnwindSafe(|| decide(outcome.clone(), job, &policy, now)));
        decided.unwrap_or_else(|_| {
            tracing::error!(job.name = %job.name, "the retry policy panicked; the default one is used instead");
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
        f.debug_struct("AttemptRunner").field("jobs", &self.home.jobs).finish_non_exhaustive()
    }
}

/// The innermost worker, for middleware.
struct Innermost;

#[async_trait]
impl Worker for Innermost {
    async fn work(&self, context: &JobContext) -> Outcome {
        work_on(context).await
    }
}

/// Looks the job up, opens its scope, performs it, and closes the scope with the outcome.
async fn work_on(context: &JobContext) -> Outcome {
    let job = context.delivery();
    let scope = Scope::open(context.clone());
    if job.body.is_call() {
        // A closure may keep its scope.
        let scope = Arc::new(scope);
        let outcome = caught(within(None, context, call(job, &scope, context))).await;
        return ended(&scope, outcome, context).await;
    }
    let jobs = &context.home().jobs;
    let outcome = match jobs.find(&job.name) {
        Some(entry) => perform(entry, job, &scope, context).await,
        None => failed(FailureCause::UnknownJob, jobs.unknown(&job.name)),
    };
    ended(&scope, outcome, context).await
}

/// Ends the scope of an attempt.
async fn ended(scope: &Scope, outcome: Outcome, context: &JobContext) -> Outcome {
    let outcome = outcome.cut_text();
    if scope.close_if_empty() {
        return outcome;
    }
    #[cfg(feature = "explore")]
    crate::explore::step(crate::explore::Step::ScopeCloses);
    context.note_closing(true);
    let outcome = close(scope, outcome, context).await;
    context.note_closing(false);
    #[cfg(feature = "explore")]
    crate::explore::step(crate::explore::Step::ScopeClosed);
    outcome
}

async fn perform(entry: &Entry, job: &Delivery, scope: &Scope, context: &JobContext) -> Outcome {
    // Decoding is the payload type's own code, so it may panic like the job itself.
    let performing = pin!(async {
        match entry.perform(&job.body, scope) {
            Ok(performing) => within(entry.options.timeout, context, performing).await,
            Err(message) => Outcome::Failure(Failure::new(FailureCause::Undecodable, message).permanent()),
        }
    });
    name_the_job(caught(performing).await, entry.name)
}

/// Runs a closure, which can be done once.
async fn call(job: &Delivery, scope: &Arc<Scope>, context: &JobContext) -> Outcome {
    match job.body.take_call() {
        Some(call) => call(CallScope::new(scope.clone(), context.clone())).await,
        None => {
            let message = format!("a `{}` is run once, and this one was", NewJob::CLOSURE);
            Outcome::Failure(Failure::new(FailureCause::Error, message).permanent())
        }
    }
}

/// Runs the work until it ends, its time is over, or force is used against it, whichever is first.
async fn within(
    timeout: Option<Duration>,
    context: &JobContext,
    work: impl Future<Output = Outcome>,
) -> Outcome {
    let mut work = pin!(work);
    let mut forced = pin!(context.interrupt().forced());
    let mut over = timeout.map(|timeout| -> BoxFuture<'_, ()> {
        // Middleware shares the job's time, so there it is counted from outside.
        if context.home().is_layered {
            Box::pin(context.interrupt().expired())
        } else {
            Box::pin(time_over(context, timeout))
        }
    });
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = work.as_mut().poll(cx) {
            return Poll::Ready(outcome);
        }
        if forced.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Outcome::Interrupted);
        }
        match over.as_mut().map(|over| over.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => {
                // Threads and tasks that the job left behind are told too.
                context.token().cancel();
                Poll::Ready(timed_out(timeout))
            }
            Some(Poll::Pending) | None => Poll::Pending,
        }
    })
    .await
}

/// Waits until the attempt's time is over. The time that it waits for resources does not count.
async fn time_over(context: &JobContext, timeout: Duration) {
    let clock = &context.environment().clock;
    clock.sleep(timeout).await;
    let mut granted = Duration::ZERO;
    loop {
        let more = owed(context.waited(), granted);
        if more.is_zero() {
            return;
        }
        granted = granted.saturating_add(more);
        clock.sleep(more).await;
    }
}

fn timed_out(timeout: Option<Duration>) -> Outcome {
    failed(FailureCause::Timeout, format!("timed out after {:?}", timeout.unwrap_or_default()))
}

/// How long middleware may go on after the attempt's time is over, or after force was used.
const GRACE: Duration = Duration::from_secs(1);

/// Runs middleware and what is within it until it ends, or a grace after its time is over or force was used.
///
/// The job's time is counted here, from the attempt's begin. When it is over, or force is used, the job within ends and its
/// services are disposed; middleware sees that outcome and has the grace to answer. Disposal is not cut short here.
async fn bounded(context: &JobContext, work: impl Future<Output = Outcome>) -> Outcome {
    let (clock, interrupt, name) = (&context.environment().clock, context.interrupt(), context.name());
    let timeout = context.home().jobs.find(name).and_then(|entry| entry.options.timeout);
    let grace = || async {
        clock.sleep(GRACE).await;
        while context.is_closing() {
            clock.sleep(GRACE).await;
        }
    };
    let mut work = pin!(work);
    let mut forced = pin!(async {
        interrupt.forced().await;
        grace().await;
    });
    let mut over = timeout.map(|timeout| {
        Box::pin(async move {
            time_over(context, timeout).await;
            interrupt.expire();
            grace().await;
        })
    });
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = work.as_mut().poll(cx) {
            return Poll::Ready(outcome);
        }
        if forced.as_mut().poll(cx).is_ready() {
            tracing::error!(job.name = %name, "middleware did not end after force was used, and is dropped");
            return Poll::Ready(Outcome::Interrupted);
        }
        match over.as_mut().map(|over| over.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => {
                context.token().cancel();
                tracing::error!(job.name = %name, "middleware did not end after the timeout, and is dropped");
                Poll::Ready(timed_out(timeout))
            }
            Some(Poll::Pending) | None => Poll::Pending,
        }
    })
    .await
}

/// While an attempt waits for a resource, its timeout is put off by at least this time.
const WHILE_WAITING: Duration = Duration::from_millis(100);

/// Returns the time that an attempt is still owed for its waits, of which it was granted some before.
fn owed((waited, is_waiting): (Duration, bool), granted: Duration) -> Duration {
    let owed = waited.saturating_sub(granted);
    if is_waiting { owed.max(WHILE_WAITING) } else { owed }
}

/// How long services may take to be disposed once force was used against the attempt.
const DISPOSAL: Duration = Duration::from_secs(3);

/// Closes the scope; a success whose unit of work could not commit is none.
///
/// Disposal takes the time that it takes, until force is used: a commit that hangs must not hold its worker for ever.
async fn close(scope: &Scope, outcome: Outcome, context: &JobContext) -> Outcome {
    // Boxed, since few jobs have anything to dispose and every attempt's future would have to hold it.
    let closing = Box::pin(scope.close(outcome.kind()));
    let given_up = Box::pin(async {
        context.interrupt().forced().await;
        context.environment().clock.sleep(DISPOSAL).await;
    });
    let errors = match select(closing, given_up).await {
        Either::Left((Ok(()), _)) => return outcome,
        Either::Left((Err(errors), _)) => errors,
        Either::Right(_) => {
            tracing::error!(job.name = %context.name(), "services could not be disposed in time and are dropped");
            return Outcome::Interrupted;
        }
    };
    let message = errors.iter().map(|error: &ServiceError| chain(error)).collect::<Vec<_>>().join("; ");
    if outcome.kind().is_success() {
        let failure = Failure::new(FailureCause::Disposal, format!("could not end {message}"));
        let is_refused = errors.iter().any(is_refused_for_good);
        Outcome::Failure(if is_refused { failure.permanent() } else { failure })
    } else {
        tracing::warn!(error = %message, "could not dispose a service after an attempt that did not succeed");
        outcome
    }
}

/// Returns whether a queue refused the end of a unit of work, so that another attempt would be refused, too: a followup that can't
/// be stored, for example.
fn is_refused_for_good(error: &ServiceError) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<QueueError>().map(QueueError::kind);
        if matches!(kind, Some(QueueErrorKind::Invalid | QueueErrorKind::Unsupported)) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Puts the job in front of the chain of services, so that it reads `job → Repo → Pool: connection refused`.
fn name_the_job(outcome: Outcome, name: &str) -> Outcome {
    match outcome {
        Outcome::Failure(failure) if failure.cause == FailureCause::Dependency => {
            Outcome::Failure(Failure { message: format!("{name} → {}", failure.message), ..failure })
        }
        other => other,
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
        tracing::warn!(job.name = %context.name(), ?outcome, "the job's completion had been committed before this; it stands");
        return Outcome::Success;
    }
    outcome
}

fn failed(cause: FailureCause, message: String) -> Outcome {
    Outcome::Failure(Failure::new(cause, message))
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

/// Logs how the attempt ended: a failure once, with its chain of errors and what comes of it.
///
/// A failure that ends the job is an error, and so is a panic; one after which the job runs again is a warning.
fn report(outcome: &Outcome, transition: &Transition, context: &JobContext) {
    let job = context.delivery();
    let (id, Delivery { name, queue, attempt, max_attempts, .. }) = (job.id(), job);
    match outcome {
        Outcome::Failure(failure) => {
            let (is_permanent, wait) = (failure.advice == RetryAdvice::Never, || wait(transition, context));
            let line = match transition {
                Transition::Discard { .. } if is_permanent => {
                    format!("discarded at attempt {attempt} of {max_attempts}: {failure}")
                }
                Transition::Discard { .. } => {
                    format!("discarded after {attempt} of {max_attempts} attempts: {failure}")
                }
                Transition::Snooze { .. } => {
                    format!("attempt not counted, running again in {}: {failure}", wait())
                }
                _ => format!("attempt {attempt} of {max_attempts} failed, retrying in {}: {failure}", wait()),
            };
            let is_end = matches!(transition, Transition::Discard { .. });
            if is_end || failure.cause == FailureCause::Panic {
                tracing::error!(job.id = %id, job.name = %name, job.queue = %queue, job.attempt = attempt, "{line}");
            } else {
                tracing::warn!(job.id = %id, job.name = %name, job.queue = %queue, job.attempt = attempt, "{line}");
            }
        }
        Outcome::Cancel(_) | Outcome::Interrupted => {
            tracing::info!(job.id = %id, job.name = %name, job.queue = %queue, job.attempt = attempt, outcome = ?outcome.kind(), "attempt cut short");
        }
        Outcome::Success | Outcome::Snooze(_) => {
            tracing::debug!(job.id = %id, job.name = %name, job.queue = %queue, job.attempt = attempt, outcome = ?outcome.kind(), "attempt ended");
        }
    }
}

/// Writes how long the job waits until it runs again: `350 ms`, `4 s`, `12m 5s`.
fn wait(transition: &Transition, context: &JobContext) -> String {
    let (Transition::Retry { at, .. } | Transition::Snooze { at, .. }) = transition else {
        return "0 ms".to_owned();
    };
    let wait = at.since(context.backend_now());
    match wait.as_secs() {
        0 => format!("{} ms", wait.as_millis()),
        1..120 => format!("{:.0} s", wait.as_secs_f64()),
        seconds => humantime::format_duration(Duration::from_secs(seconds)).to_string(),
    }
}

/// Runs a blocking job on a thread of its own and waits for its outcome.
pub(crate) fn run_blocking(
    environment: &Environment,
    call: impl FnOnce() -> Outcome + Send + 'static,
) -> BoxFuture<'static, Outcome> {
    let outcome = Arc::new(OnceLock::new());
    let answer = outcome.clone();
    let span = tracing::Span::current();
    let running = environment.blocking.run_blocking(Box::new(move || {
        let ended = span.in_scope(|| caught_call(call));
        // Nobody else sets it.
        drop(answer.set(ended));
    }));
    Box::pin(async move {
        running.await;
        outcome.get().cloned().unwrap_or(Outcome::Interrupted)
    })
}
