//! The log line of a finished attempt.

use crate::attempt::context::JobContext;
use crate::attempt::outcome::{FailureCause, Outcome, RetryAdvice};
use crate::attempt::readable::readable;
use crate::contract::queue::Delivery;
use crate::contract::settlement::Transition;

/// Logs the outcome of an attempt. Logs a failure once, with its chain of errors and the transition that follows.
///
/// The level is error for a panic and for a failure that ends the job, warning for a failure after which the job runs again, and
/// debug for every other end: a healthy worker logs no line for each job.
pub(super) fn report(outcome: &Outcome, transition: &Transition, context: &JobContext) {
    let (job, service) = (context.delivery(), context.environment().service());
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
                tracing::error!(service, job.id = %id, job.name = %name, job.queue = %queue, job.attempt = attempt, "{line}");
            } else {
                tracing::warn!(service, job.id = %id, job.name = %name, job.queue = %queue, job.attempt = attempt, "{line}");
            }
        }
        Outcome::Cancel(_) | Outcome::Interrupted => {
            tracing::debug!(service, job.id = %id, job.name = %name, job.queue = %queue, job.attempt = attempt, outcome = ?outcome.kind(), "attempt cut short");
        }
        Outcome::Success | Outcome::Snooze(_) | Outcome::Throttle(_) => {
            tracing::debug!(service, job.id = %id, job.name = %name, job.queue = %queue, job.attempt = attempt, outcome = ?outcome.kind(), "attempt ended");
        }
    }
}

/// Formats how long the job waits until it runs again: `350 ms`, `4 s`, `12m 5s`.
fn wait(transition: &Transition, context: &JobContext) -> String {
    let (Transition::Retry { at, .. } | Transition::Snooze { at, .. }) = transition else {
        return "0 ms".to_owned();
    };
    readable(at.since(context.backend_now()))
}
