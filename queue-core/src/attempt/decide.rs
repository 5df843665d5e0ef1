//! The rule on retries: which transition follows an outcome.

use std::time::Duration;

use crate::attempt::outcome::{FailureCause, Outcome, RetryAdvice};
use crate::attempt::retry::{RetryContext, RetryPolicy, doubled, jittered};
use crate::contract::clock::Timestamp;
use crate::contract::queue::Delivery;
use crate::contract::settlement::Transition;

/// Returns the transition that follows an outcome.
///
/// This is the only rule on retries, and backends record its result. Two results are fixed without it: that of an expired lease,
/// by [`State::after_expiry`](crate::State::after_expiry), and a requested cancellation, which replaces a retry, a snooze or a
/// release.
/// A job whose name this program does not know is snoozed, even if no attempts are left: another version may know the name, and
/// the attempts are reserved for that version. The wait grows with each claim, from 1 s to 1 min, with full jitter.
///
/// ```
/// # use std::time::Duration;
/// # use queue_core::{Body, Demand, JobError, NewJob, Outcome, Queue as _, RetryPolicy, Timestamp, Transition};
/// # use queue_core::backend::decide;
/// # use queue_testkit::ModelQueue;
/// # queue_testkit::block_on(async {
/// # let queue = ModelQueue::new();
/// # queue.push(vec![NewJob::new("send_mail", Body::stored("{}"))]).await?;
/// # let (policy, now) = (RetryPolicy::default(), Timestamp::EPOCH);
/// let delivery = queue.claim(&Demand::new("default", 1)).await?.remove(0);
///
/// assert_eq!(decide(Outcome::Success, &delivery, &policy, now), Transition::complete());
/// let failure = JobError::transient("connection refused").into_outcome();
/// assert!(matches!(decide(failure, &delivery, &policy, now), Transition::Retry { .. }));
/// let failure = JobError::permanent("no such user").into_outcome();
/// assert!(matches!(decide(failure, &delivery, &policy, now), Transition::Discard { .. }));
/// # Ok::<(), queue_core::QueueError>(())
/// # }).unwrap();
/// ```
#[must_use]
pub fn decide(outcome: Outcome, delivery: &Delivery, policy: &RetryPolicy, now: Timestamp) -> Transition {
    let failure = match outcome {
        Outcome::Success => return Transition::complete(),
        Outcome::Snooze(wait) => {
            return Transition::Snooze { at: now.saturating_add(wait), error: None };
        }
        Outcome::Throttle(wait) => return Transition::Throttle { at: now.saturating_add(wait) },
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
    use crate::attempt::outcome::Failure;
    use crate::contract::body::Body;
    use crate::contract::id::JobId;
    use crate::contract::lease::{Fence, Lease};
    use crate::contract::name::JobName;
    use crate::contract::record::JobRecord;

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
    fn each_outcome_has_the_transition_of_the_table() {
        let error = || "no".to_owned();
        let at = |seconds| NOW.saturating_add(SECOND * seconds);
        let table = [
            (Outcome::Success, 1, Transition::complete()),
            (Outcome::Snooze(SECOND * 4), 3, Transition::Snooze { at: at(4), error: None }),
            (Outcome::Throttle(SECOND * 4), 3, Transition::Throttle { at: at(4) }),
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
    fn a_wait_past_the_last_instant_saturates() {
        let last = Transition::Snooze { at: Timestamp::MAX, error: None };
        assert_eq!(decided(Outcome::Snooze(Duration::MAX), 1), last);
    }

    /// H65
    #[test]
    fn the_wait_of_an_unknown_name_grows_with_each_claim_up_to_a_minute() {
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
