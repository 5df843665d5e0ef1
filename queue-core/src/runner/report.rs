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
    rounded(at.since(context.backend_now()))
}

/// Rounds a wait up to milliseconds, or from a second on to the nearest second. Part of it has passed when it is logged.
fn rounded(wait: Duration) -> String {
    let milliseconds = wait.as_micros().div_ceil(1_000);
    let seconds = u64::try_from(milliseconds.saturating_add(500) / 1_000).unwrap_or(u64::MAX);
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..120_000 => format!("{seconds} s"),
        _ => humantime::format_duration(Duration::from_secs(seconds)).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_not_cut() {
        let table = [
            (0, "0 ms"),
            (1, "1 ms"),
            (999, "1 ms"),
            (99_950, "100 ms"),
            (999_900, "1 s"),
            (1_400_000, "1 s"),
            (3_999_900, "4 s"),
            (119_999_900, "2m"),
            (299_999_900, "5m"),
            (725_000_000, "12m 5s"),
        ];

        for (micros, shown) in table {
            assert_eq!(rounded(Duration::from_micros(micros)), shown, "{micros} µs");
        }
    }
}
