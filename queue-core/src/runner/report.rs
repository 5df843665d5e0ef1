//! The log line of a finished attempt.

use std::time::Duration;

use crate::attempt::context::JobContext;
use crate::attempt::outcome::{FailureCause, Outcome, RetryAdvice};
use crate::contract::queue::Delivery;
use crate::contract::settlement::Transition;

/// Logs the outcome of an attempt. Logs a failure once, with its chain of errors and the transition that follows.
///
/// The level is error for a panic and for a failure that ends the job, and warning for a failure after which the job runs again.
pub(super) fn report(outcome: &Outcome, transition: &Transition, context: &JobContext) {
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

/// Formats how long the job waits until it runs again: `350 ms`, `4 s`, `12m 5s`.
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
