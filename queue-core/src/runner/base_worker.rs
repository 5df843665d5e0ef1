//! The innermost worker: finds the job, opens its scope, runs it, and closes the scope with the outcome.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{Either, select};

use super::bounds::within;
use super::registry::{Entry, Jobs};
use crate::attempt::context::JobContext;
use crate::attempt::outcome::{Failure, FailureCause, Outcome};
use crate::attempt::panic::caught;
use crate::attempt::worker::Worker;
use crate::contract::error::{QueueError, QueueErrorKind, error_chain};
use crate::contract::job::NewJob;
use crate::contract::queue::Delivery;
use crate::services::{CallScope, Scope, ServiceError, Services, closure};

/// The innermost worker: the known jobs and their services.
pub(super) struct BaseWorker {
    pub(super) jobs: Jobs,
    pub(super) services: Services,
}

#[async_trait]
impl Worker for BaseWorker {
    async fn work(&self, context: &JobContext) -> Outcome {
        self.run(context).await
    }
}

impl BaseWorker {
    /// Finds the job, opens its scope, runs it, and closes the scope with the outcome.
    pub(super) async fn run(&self, context: &JobContext) -> Outcome {
        let job = context.delivery();
        let scope = Scope::open(context.clone(), self.services.clone());
        if job.body.is_closure() {
            // A closure may keep its scope.
            let scope = Arc::new(scope);
            let outcome = caught(within(None, context, call(job, &scope, context))).await;
            return close_scope(&scope, outcome, context).await;
        }
        let outcome = match self.jobs.find(&job.name) {
            Some(entry) => perform(entry, job, &scope, context).await,
            None => {
                let failure =
                    Failure::new(FailureCause::UnknownJob, self.jobs.unknown(&job.name, &job.queue));
                Outcome::Failure(failure)
            }
        };
        close_scope(&scope, outcome, context).await
    }
}

/// Closes the scope of an attempt.
async fn close_scope(scope: &Scope, outcome: Outcome, context: &JobContext) -> Outcome {
    let outcome = outcome.cut_text();
    if scope.close_if_empty() {
        return outcome;
    }
    #[cfg(feature = "explore")]
    crate::attempt::explore::step(crate::attempt::explore::Step::ScopeCloses);
    context.note_closing(true);
    let outcome = dispose(scope, outcome, context).await;
    context.note_closing(false);
    #[cfg(feature = "explore")]
    crate::attempt::explore::step(crate::attempt::explore::Step::ScopeClosed);
    outcome
}

async fn perform(entry: &Entry, job: &Delivery, scope: &Scope, context: &JobContext) -> Outcome {
    // Decoding runs the payload type's own code, so it may panic like the job itself.
    let performing = pin!(async {
        match entry.perform(&job.body, scope) {
            Ok(performing) => within(entry.options.timeout, context, performing).await,
            Err(message) => Outcome::Failure(Failure::new(FailureCause::Undecodable, message).permanent()),
        }
    });
    name_the_job(caught(performing).await, entry.name)
}

/// Runs a closure, which can run only once.
async fn call(job: &Delivery, scope: &Arc<Scope>, context: &JobContext) -> Outcome {
    match closure::take(&job.body) {
        Some(call) => context.returned(call(CallScope::new(scope.clone(), context.clone())).await),
        None => {
            let message = format!("a `{}` runs once, and this one has already run", NewJob::CLOSURE);
            Outcome::Failure(Failure::new(FailureCause::Error, message).permanent())
        }
    }
}

/// The time limit for the disposal of services after the attempt was aborted.
const DISPOSAL: Duration = Duration::from_secs(3);

/// Closes the scope. A success whose unit of work could not commit becomes a failure.
///
/// Disposal has no time limit until the attempt is aborted. Then a commit that hangs must not hold its worker for ever.
async fn dispose(scope: &Scope, outcome: Outcome, context: &JobContext) -> Outcome {
    // Boxed, since few jobs have anything to dispose and otherwise every attempt's future would contain it.
    let closing = Box::pin(scope.close(outcome.kind()));
    let given_up = Box::pin(async {
        context.interrupt().forced().await;
        context.environment().clock.sleep(DISPOSAL).await;
    });
    let errors = match select(closing, given_up).await {
        Either::Left((Ok(()), _)) => return outcome,
        Either::Left((Err(errors), _)) => errors,
        Either::Right(_) => {
            tracing::error!(job.name = %context.name(), "services were not disposed in time, dropping them");
            return Outcome::Interrupted;
        }
    };
    let message = errors.iter().map(|error: &ServiceError| error_chain(error)).collect::<Vec<_>>().join("; ");
    if outcome.is_success() {
        let failure = Failure::new(FailureCause::Disposal, format!("could not end {message}"));
        let is_refused = errors.iter().any(is_refused_for_good);
        Outcome::Failure(if is_refused { failure.permanent() } else { failure })
    } else {
        tracing::warn!(error = %message, "could not dispose a service after an attempt that did not succeed");
        outcome
    }
}

/// Returns whether a queue refused the end of a unit of work permanently, for example because a followup cannot be stored.
/// Another attempt would then be refused, too.
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

/// Puts the job's name in front of the path of services, as in `job → Repo → Pool: connection refused`.
fn name_the_job(outcome: Outcome, name: &str) -> Outcome {
    match outcome {
        Outcome::Failure(failure) if failure.cause == FailureCause::Dependency => {
            Outcome::Failure(Failure { message: format!("{name} → {}", failure.message), ..failure })
        }
        other => other,
    }
}
