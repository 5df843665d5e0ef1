//! How an attempt's end is recorded, and the rule that decides it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::job::NewJob;
use crate::lease::Lease;
use crate::limits::Limits;
use crate::outcome::{FailureCause, Outcome, RetryAdvice};
use crate::queue::Delivery;
use crate::retry::{RetryContext, RetryPolicy, doubled, jittered};

/// The end of an attempt, handed to [`Queue::settle`](crate::Queue::settle).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settlement {
    /// The right under which the attempt ran.
    pub lease: Lease,
    /// Which state the job goes to.
    pub transition: Transition,
    /// Jobs that are stored in the same atomic step, if and only if the transition applies.
    pub followups: Vec<NewJob>,
}

impl Settlement {
    /// Makes a settlement without followups.
    #[must_use]
    pub fn new(lease: Lease, transition: Transition) -> Self {
        Self { lease, transition, followups: Vec::new() }
    }

    /// Sets the followups.
    #[must_use]
    pub fn followups(mut self, followups: Vec<NewJob>) -> Self {
        self.followups = followups;
        self
    }
}

impl Transition {
    /// Returns the name of the transition, without its details: a label for metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Retry { .. } => "retry",
            Self::Snooze { .. } => "snooze",
            Self::Discard { .. } => "discard",
            Self::Cancel { .. } => "cancel",
            Self::Release => "release",
        }
    }

    /// Cuts its error or its reason as [`Limits::cut`] does, if it has one. Every queue does this before it stores them.
    pub fn cut_text(&mut self) {
        match self {
            Self::Retry { error: text, .. }
            | Self::Snooze { error: Some(text), .. }
            | Self::Discard { error: text }
            | Self::Cancel { reason: text } => *text = Limits::cut(std::mem::take(text)),
            Self::Complete | Self::Snooze { error: None, .. } | Self::Release => {}
        }
    }
}

/// Which state a job goes to at the end of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Transition {
    /// It is done.
    Complete,
    /// It is tried again at `at`; the error joins its history.
    Retry {
        /// When, by the backend's clock.
        at: Timestamp,
        /// What went wrong.
        error: String,
    },
    /// It is run again at `at`, and this attempt is not counted.
    Snooze {
        /// When, by the backend's clock.
        at: Timestamp,
        /// What stood in the way, if anything did; it joins the job's history with the number of the attempt that was not counted.
        error: Option<String>,
    },
    /// It has failed for good and is kept for inspection.
    Discard {
        /// What went wrong.
        error: String,
    },
    /// It is given up.
    Cancel {
        /// Why.
        reason: String,
    },
    /// It is given back unworked; this attempt is not counted and it keeps its place.
    Release,
}

/// Writes the name of the transition, without its details.
impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What became of a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Settled {
    /// It was recorded, followups and all.
    Applied,
    /// Its lease had been lost: nothing changed.
    Stale,
    /// An open transaction of an application holds the job, or the unique key of a followup: nothing changed. Settle it again
    /// in a while, for as long as the lease is renewed.
    Blocked,
}

/// Decides where an outcome leads.
///
/// This is the only rule on retries that there is; backends record what it says.
/// A job whose name this program does not know is snoozed, whatever its attempts: another version may know it, and the
/// attempts are for that one. The wait grows with each claim, from 1 s to 1 min, with full jitter.
#[must_use]
pub fn decide(outcome: Outcome, delivery: &Delivery, policy: &RetryPolicy, now: Timestamp) -> Transition {
    let failure = match outcome {
        Outcome::Success => return Transition::Complete,
        Outcome::Snooze(wait) => {
            return Transition::Snooze { at: now.saturating_add(wait), error: None };
        }
        Outcome::Cancel(reason) => return Transition::Cancel { reason },
        Outcome::Interrupted => return Transition::Release,
        Outcome::Failure(failure) => failure,
    };
    let error = failure.message;
    let is_unknown = failure.cause == FailureCause::UnknownJob;
    let exhausted = delivery.attempt >= delivery.max_attempts && !is_unknown;
    let wait = match failure.advice {
        RetryAdvice::Never => return Transition::Discard { error },
        _ if exhausted => return Transition::Discard { error },
        RetryAdvice::In(wait) => wait,
        RetryAdvice::Policy if is_unknown => unknown_wait(delivery),
        RetryAdvice::Policy => policy_wait(policy, delivery, &error),
    };
    let at = now.saturating_add(wait);
    if is_unknown { Transition::Snooze { at, error: Some(error) } } else { Transition::Retry { at, error } }
}

/// Returns how long a job of an unknown name waits for a program that knows it.
fn unknown_wait(delivery: &Delivery) -> Duration {
    const FIRST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(60);
    let fence = delivery.lease.fence.0;
    let earlier = u32::try_from(fence.saturating_sub(1)).unwrap_or(u32::MAX);
    let seed = delivery.id().seed() ^ fence;
    jittered(doubled(FIRST, earlier).min(LONGEST), &mut fastrand::Rng::with_seed(seed))
}

fn policy_wait(policy: &RetryPolicy, delivery: &Delivery, error: &str) -> Duration {
    policy.wait(&RetryContext {
        job: delivery.id(),
        name: &delivery.name,
        attempt: delivery.attempt,
        max_attempts: delivery.max_attempts,
        error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::JobRecord;
    use crate::body::Body;
    use crate::job::JobId;
    use crate::lease::Fence;
    use crate::name::JobName;
    use crate::outcome::Failure;

    const SECOND: Duration = Duration::from_secs(1);
    const NOW: Timestamp = Timestamp::from_micros(5_000_000);

    fn decided(outcome: Outcome, attempt: u32) -> Transition {
        decide(outcome, &delivered(JobId::from_u128(1), attempt, 1), &RetryPolicy::fixed(SECOND), NOW)
    }

    fn delivered(job: JobId, attempt: u32, fence: u64) -> Delivery {
        let mut record = JobRecord::new(job, JobName::from_static("job"), Body::NULL);
        (record.attempt, record.max_attempts) = (attempt, 3);
        let (length, expires_at) = (Lease::DEFAULT_LENGTH, Timestamp::MAX);
        Delivery::new(record, Lease { job, fence: Fence(fence), length, expires_at })
    }

    fn failed(cause: FailureCause, advice: RetryAdvice) -> Outcome {
        Outcome::Failure(Failure { cause, message: "no".into(), advice })
    }

    #[test]
    fn each_outcome_leads_where_the_table_says() {
        let error = || "no".to_owned();
        let at = |seconds| NOW.saturating_add(SECOND * seconds);
        let table = [
            (Outcome::Success, 1, Transition::Complete),
            (Outcome::Snooze(SECOND * 4), 3, Transition::Snooze { at: at(4), error: None }),
            (Outcome::Cancel("why".into()), 1, Transition::Cancel { reason: "why".into() }),
            (Outcome::Interrupted, 3, Transition::Release),
            (
                failed(FailureCause::Error, RetryAdvice::Policy),
                1,
                Transition::Retry { at: at(1), error: error() },
            ),
            (
                failed(FailureCause::Panic, RetryAdvice::Policy),
                2,
                Transition::Retry { at: at(1), error: error() },
            ),
            (failed(FailureCause::Error, RetryAdvice::Policy), 3, Transition::Discard { error: error() }),
            (failed(FailureCause::Timeout, RetryAdvice::Policy), 4, Transition::Discard { error: error() }),
            (
                failed(FailureCause::Error, RetryAdvice::In(SECOND * 9)),
                2,
                Transition::Retry { at: at(9), error: error() },
            ),
            (failed(FailureCause::Error, RetryAdvice::In(SECOND)), 3, Transition::Discard { error: error() }),
            (failed(FailureCause::Error, RetryAdvice::Never), 1, Transition::Discard { error: error() }),
            (
                failed(FailureCause::UnknownJob, RetryAdvice::In(SECOND)),
                9,
                Transition::Snooze { at: at(1), error: Some(error()) },
            ),
            (failed(FailureCause::UnknownJob, RetryAdvice::Never), 1, Transition::Discard { error: error() }),
        ];

        for (outcome, attempt, expected) in table {
            assert_eq!(decided(outcome.clone(), attempt), expected, "{outcome:?} at attempt {attempt} of 3");
        }
    }

    #[test]
    fn outcomes_and_transitions_have_labels_without_details() {
        let labels = [
            (failed(FailureCause::Error, RetryAdvice::Policy), "failure", "retry"),
            (failed(FailureCause::Error, RetryAdvice::Never), "failure", "discard"),
            (Outcome::Success, "success", "complete"),
            (Outcome::Snooze(SECOND), "snooze", "snooze"),
            (Outcome::Cancel("why".into()), "cancel", "cancel"),
            (Outcome::Interrupted, "interrupted", "release"),
        ];

        for (outcome, kind, transition) in labels {
            assert_eq!((outcome.as_str(), outcome.kind().to_string().as_str()), (kind, kind));
            assert_eq!(decided(outcome, 1).to_string(), transition);
        }
    }

    #[test]
    fn a_wait_past_the_end_of_time_stops_there() {
        let last = Transition::Snooze { at: Timestamp::MAX, error: None };
        assert_eq!(decided(Outcome::Snooze(Duration::MAX), 1), last);
    }

    /// H65
    #[test]
    fn the_wait_for_a_program_that_knows_the_name_grows_with_each_claim_up_to_a_minute() {
        let waits =
            |fence| (1..=200).map(move |job| unknown_wait(&delivered(JobId::from_u128(job), 1, fence)));

        for (fence, ceiling) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (8, 60), (u64::MAX, 60)] {
            let longest = waits(fence).max().unwrap();
            assert!(longest <= SECOND * ceiling, "claim {fence}: {longest:?}");
            assert!(longest > SECOND * ceiling * 9 / 10, "claim {fence} of 200 jobs: {longest:?} at most");
            assert!(waits(fence).min().unwrap() < SECOND * ceiling / 10, "full jitter at claim {fence}");
        }
    }
}
