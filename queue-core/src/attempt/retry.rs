//! The wait before the next attempt.

use std::fmt;
use std::time::Duration;

use crate::contract::id::JobId;
use crate::contract::name::JobName;

/// The input of a retry policy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RetryContext<'a> {
    /// The job.
    pub job: JobId,
    /// The kind of job.
    pub name: &'a JobName,
    /// The attempt that failed, from 1.
    pub attempt: u32,
    /// The maximum number of attempts.
    pub max_attempts: u32,
    /// The error, including its causes.
    pub error: &'a str,
}

/// Computes how long to wait after a failed attempt.
///
/// It does not decide whether there is a next attempt. The job's `max_attempts` does.
///
/// A job sets it by `#[background_job(backoff = …)]`: `fixed("5s")`, `exponential("1s", "1h")`, or the path of a function.
///
/// ```
/// use queue_core::{RetryContext, background_job};
/// use std::time::Duration;
///
/// fn linear(failed: &RetryContext<'_>) -> Duration {
///     Duration::from_secs(10) * failed.attempt
/// }
///
/// #[background_job(max_attempts = 8, backoff = linear)]
/// async fn synchronize(account: u64) {}
/// ```
#[derive(Clone)]
pub struct RetryPolicy(Backoff);

#[derive(Clone)]
enum Backoff {
    Fixed(Duration),
    Exponential { first: Duration, max: Duration },
    Custom(fn(&RetryContext<'_>) -> Duration),
}

impl RetryPolicy {
    /// Waits a random time up to 1 s, doubling to 1 h (full jitter).
    pub const DEFAULT: Self =
        Self(Backoff::Exponential { first: Duration::from_secs(1), max: Duration::from_secs(3600) });

    /// Waits the same time before each retry.
    ///
    /// With `Duration::ZERO`, the next attempt is due immediately. If the wait leads past
    /// [`Timestamp::MAX`](crate::Timestamp::MAX), as `Duration::MAX` does, the job stays `Retryable` until an operator retries
    /// it.
    #[must_use]
    pub const fn fixed(wait: Duration) -> Self {
        Self(Backoff::Fixed(wait))
    }

    /// Waits a random time of at most `first`, doubled with each attempt up to `max` (full jitter).
    ///
    /// The jitter is seeded from the job and the attempt, so the same retry always waits the same time.
    ///
    /// If `first` is zero, every wait is zero. If `max` is less than `first`, it is the ceiling of every wait. `Duration::MAX` as
    /// `max` sets no ceiling. The longest wait is 584,942 years.
    #[must_use]
    pub const fn exponential(first: Duration, max: Duration) -> Self {
        Self(Backoff::Exponential { first, max })
    }

    /// Calls a function that computes the wait.
    #[must_use]
    pub const fn custom(wait: fn(&RetryContext<'_>) -> Duration) -> Self {
        Self(Backoff::Custom(wait))
    }

    /// Returns how long to wait after the attempt that failed.
    #[must_use]
    pub fn wait(&self, context: &RetryContext<'_>) -> Duration {
        match self.0 {
            Backoff::Fixed(wait) => wait,
            Backoff::Exponential { first, max } => {
                let ceiling = doubled(first, context.attempt.saturating_sub(1)).min(max);
                let seed = context.job.seed() ^ u64::from(context.attempt);
                jittered(ceiling, &mut fastrand::Rng::with_seed(seed))
            }
            Backoff::Custom(wait) => wait(context),
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Debug for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Backoff::Fixed(wait) => write!(f, "RetryPolicy::fixed({wait:?})"),
            Backoff::Exponential { first, max } => write!(f, "RetryPolicy::exponential({first:?}, {max:?})"),
            Backoff::Custom(_) => f.write_str("RetryPolicy::custom(..)"),
        }
    }
}

/// Doubles `first` `times` times and stops at the longest duration.
#[must_use]
pub fn doubled(first: Duration, times: u32) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    let nanos = first.as_nanos();
    if nanos == 0 {
        return first;
    }
    if times >= nanos.leading_zeros() {
        return Duration::MAX;
    }
    let nanos = nanos << times;
    let subsec = u32::try_from(nanos % SECOND).unwrap_or_default();
    u64::try_from(nanos / SECOND).map_or(Duration::MAX, |seconds| Duration::new(seconds, subsec))
}

/// Returns a random duration between zero and `ceiling`, in whole microseconds.
pub fn jittered(ceiling: Duration, random: &mut fastrand::Rng) -> Duration {
    let micros = u64::try_from(ceiling.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(random.u64(0..=micros))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn context(name: &JobName, attempt: u32) -> RetryContext<'_> {
        RetryContext { job: JobId::from_u128(7), name, attempt, max_attempts: 9, error: "it rained" }
    }

    #[test]
    fn exponential_backoff_stays_below_a_ceiling_that_doubles_up_to_its_maximum() {
        let name = JobName::from_static("job");
        let policy = RetryPolicy::exponential(Duration::from_secs(1), Duration::from_secs(8));

        for (attempt, ceiling) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (200, 8), (u32::MAX, 8)] {
            assert!(
                policy.wait(&context(&name, attempt)) <= Duration::from_secs(ceiling),
                "attempt {attempt}"
            );
        }
    }

    /// Doubling works at any attempt: zero stays zero, and a short duration saturates only if the result is too long.
    #[test]
    fn doubling_a_duration_saturates() {
        let nano = Duration::from_nanos(1);
        let table = [
            (Duration::ZERO, u32::MAX, Duration::ZERO),
            (nano, 0, nano),
            (nano, 32, Duration::from_nanos(1 << 32)),
            (nano, 63, Duration::from_nanos(1 << 63)),
            (nano, 94, Duration::MAX),
            (nano, u32::MAX, Duration::MAX),
            (Duration::from_secs(1), 63, Duration::from_secs(1 << 63)),
            (Duration::from_secs(1), 64, Duration::MAX),
            (Duration::MAX, 0, Duration::MAX),
            (Duration::MAX, 1, Duration::MAX),
        ];

        for (first, times, expected) in table {
            assert_eq!(doubled(first, times), expected, "{first:?} doubled {times} times");
        }
    }

    /// No ceiling and no attempt is too large, and no wait is longer than its ceiling.
    #[test]
    fn a_policy_with_extreme_durations_waits_at_most_its_ceiling() {
        const ENDS: [Duration; 4] =
            [Duration::ZERO, Duration::from_nanos(1), Duration::from_secs(1), Duration::MAX];
        let name = JobName::from_static("job");

        for attempt in [0, 1, 2, 32, 33, u32::MAX] {
            for (first, max) in ENDS.into_iter().flat_map(|first| ENDS.map(|max| (first, max))) {
                let wait = RetryPolicy::exponential(first, max).wait(&context(&name, attempt));
                assert!(wait <= max, "{wait:?} of {first:?} to {max:?} at attempt {attempt}");
                assert!(!first.is_zero() || wait.is_zero(), "{wait:?} of {first:?} to {max:?}");
                assert_eq!(RetryPolicy::fixed(max).wait(&context(&name, attempt)), max);
            }
        }
    }

    #[test]
    fn jitter_is_the_same_for_the_same_job_and_attempt_and_differs_between_attempts() {
        let name = JobName::from_static("job");
        let policy = RetryPolicy::exponential(Duration::from_secs(60), Duration::from_secs(60));

        let first = policy.wait(&context(&name, 1));

        assert_eq!(first, policy.wait(&context(&name, 1)));
        assert_ne!(first, policy.wait(&context(&name, 2)));
    }

    /// Jobs that failed together are not retried together: each attempt of each job has its own wait.
    #[test]
    fn jitter_differs_between_the_attempts_of_many_jobs() {
        let name = JobName::from_static("job");
        let policy = RetryPolicy::exponential(Duration::from_secs(60), Duration::from_secs(60));

        let waits: HashSet<_> = (0..16)
            .flat_map(|job| (1..=4).map(move |attempt| (JobId::from_u128(job), attempt)))
            .map(|(job, attempt)| policy.wait(&RetryContext { job, ..context(&name, attempt) }))
            .collect();

        assert_eq!(waits.len(), 16 * 4);
    }

    #[test]
    fn a_policy_is_displayed_as_it_is_written() {
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
        let table = [
            (RetryPolicy::fixed(second), "RetryPolicy::fixed(1s)"),
            (RetryPolicy::exponential(second, hour), "RetryPolicy::exponential(1s, 3600s)"),
            (RetryPolicy::custom(|_| Duration::ZERO), "RetryPolicy::custom(..)"),
        ];

        for (policy, shown) in table {
            assert_eq!(format!("{policy:?}"), shown);
        }
    }
}
