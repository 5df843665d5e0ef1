//! The outcome of an attempt, and the error type that jobs return.

use std::fmt;
use std::time::Duration;

use crate::contract::error::{BoxError, error_chain};
use crate::contract::limits::Limits;

/// The outcome of an attempt, which a [`Worker`](crate::Worker) returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The job succeeded.
    Success,
    /// The attempt failed.
    Failure(Failure),
    /// The job asks to run again after a while. The attempt is not counted.
    Snooze(Duration),
    /// The job asks to run again after a while, and that no job of its partition starts until then. The attempt is not counted.
    Throttle(Duration),
    /// The job cancels itself, for this reason.
    Cancel(String),
    /// The attempt was interrupted by a shutdown. It is not counted, and the job is released.
    Interrupted,
}

/// The kind of an [`Outcome`], without its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutcomeKind {
    /// See [`Outcome::Success`].
    Success,
    /// See [`Outcome::Failure`].
    Failure,
    /// See [`Outcome::Snooze`].
    Snooze,
    /// See [`Outcome::Throttle`].
    Throttle,
    /// See [`Outcome::Cancel`].
    Cancel,
    /// See [`Outcome::Interrupted`].
    Interrupted,
}

impl OutcomeKind {
    /// Returns the name of the kind: a label for metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Snooze => "snooze",
            Self::Throttle => "throttle",
            Self::Cancel => "cancel",
            Self::Interrupted => "interrupted",
        }
    }

    /// Returns whether this is a success, after which a unit of work commits.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Success)
    }
}

impl fmt::Display for OutcomeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Outcome {
    /// Returns the name of the outcome, without its details: a label for metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        self.kind().as_str()
    }

    /// Returns whether the job succeeded.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Success)
    }

    /// Returns the kind of this outcome, which a service gets when it is disposed.
    #[must_use]
    pub const fn kind(&self) -> OutcomeKind {
        match self {
            Self::Success => OutcomeKind::Success,
            Self::Failure(_) => OutcomeKind::Failure,
            Self::Snooze(_) => OutcomeKind::Snooze,
            Self::Throttle(_) => OutcomeKind::Throttle,
            Self::Cancel(_) => OutcomeKind::Cancel,
            Self::Interrupted => OutcomeKind::Interrupted,
        }
    }

    /// Cuts the failure's message or the reason as [`Limits::cut`] does, so that later steps don't carry megabytes of text.
    pub(crate) fn cut_text(self) -> Self {
        match self {
            Self::Failure(failure) => {
                Self::Failure(Failure { message: Limits::cut(failure.message), ..failure })
            }
            Self::Cancel(reason) => Self::Cancel(Limits::cut(reason)),
            Self::Success | Self::Snooze(_) | Self::Throttle(_) | Self::Interrupted => self,
        }
    }

    /// Returns the failure, if this is one.
    #[must_use]
    pub const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failure(failure) => Some(failure),
            _ => None,
        }
    }
}

/// The cause of a failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The part of the attempt that failed.
    pub cause: FailureCause,
    /// The message, including its causes, in one line.
    pub message: String,
    /// Whether and when the failure asks for another attempt.
    pub advice: RetryAdvice,
}

impl Failure {
    /// Creates a failure that leaves the retry to the policy.
    pub fn new(cause: FailureCause, message: impl Into<String>) -> Self {
        Self { cause, message: message.into(), advice: RetryAdvice::Policy }
    }

    /// Marks the failure as permanent: the job is not retried.
    #[must_use]
    pub fn permanent(mut self) -> Self {
        self.advice = RetryAdvice::Never;
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The part of an attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureCause {
    /// The job returned an error.
    Error,
    /// The job panicked.
    Panic,
    /// The job exceeded its timeout.
    Timeout,
    /// The program knows no job of that name.
    UnknownJob,
    /// The payload could not be decoded into the job's type.
    Undecodable,
    /// A service could not be created.
    Dependency,
    /// A unit of work could not end, or a service could not be disposed.
    Disposal,
}

/// Whether and when a failure asks for another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetryAdvice {
    /// The job's retry policy decides.
    Policy,
    /// The next attempt is due after exactly this time.
    In(Duration),
    /// There is no other attempt.
    Never,
}

/// The error type of jobs. Most often, `?` creates it from another error.
///
/// Any error converts to a *transient* failure, which the retry policy handles; so do `String`, `&str` and `anyhow::Error`.
/// The constructors create other outcomes. This type deliberately does not implement [`std::error::Error`], so that one
/// conversion serves all error types.
///
/// ```
/// use queue_core::JobError;
/// use std::time::Duration;
///
/// async fn charge(cents: u64) -> Result<(), JobError> {
///     let limit: u64 = std::fs::read_to_string("/nowhere")?.trim().parse()?; // transient: tried again
///     if cents > limit {
///         return Err(JobError::permanent("over the limit")); // discarded
///     }
///     Err(JobError::snooze(Duration::from_secs(60))) // run again in a minute, not counted
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct JobError(Outcome);

impl JobError {
    /// Fails the attempt and leaves the retry to the policy, as `?` does.
    pub fn transient(error: impl Into<BoxError>) -> Self {
        Self::failed(error, RetryAdvice::Policy)
    }

    /// Fails the job permanently: it is discarded, even if attempts are left.
    pub fn permanent(error: impl Into<BoxError>) -> Self {
        Self::failed(error, RetryAdvice::Never)
    }

    /// Fails the attempt and sets the wait before the next one to exactly `wait`.
    ///
    /// With `Duration::ZERO`, the next attempt is due immediately. If the wait leads past
    /// [`Timestamp::MAX`](crate::Timestamp::MAX), as `Duration::MAX` does, the job stays `Retryable` until an operator retries
    /// it.
    pub fn retry_in(wait: Duration, error: impl Into<BoxError>) -> Self {
        Self::failed(error, RetryAdvice::In(wait))
    }

    /// Runs the job again after `wait`. The attempt is not counted.
    ///
    /// With `Duration::ZERO`, the job is due immediately. If the wait leads past [`Timestamp::MAX`](crate::Timestamp::MAX), as
    /// `Duration::MAX` does, the job stays `Scheduled` until an operator retries it.
    #[must_use]
    pub fn snooze(wait: Duration) -> Self {
        Self(Outcome::Snooze(wait))
    }

    /// Runs the job again after `wait`, and lets no job of its partition start until then. The attempt is not counted.
    ///
    /// Use it for the answer "too many requests" of a service that names a wait. Jobs of the partition that run already go on. A
    /// job without a partition holds all jobs of its queue that name none. If the wait leads past
    /// [`Timestamp::MAX`](crate::Timestamp::MAX), the job stays `Scheduled` until an operator retries it.
    ///
    /// ```
    /// use queue_core::{JobError, background_job};
    /// use std::time::Duration;
    ///
    /// # async fn post(_: &str) -> Result<u16, JobError> { Ok(429) }
    /// #[background_job(partition = "{tenant}")]
    /// async fn call_webhook(tenant: String, url: String) -> Result<(), JobError> {
    ///     match post(&url).await? {
    ///         429 => Err(JobError::throttle(Duration::from_secs(30))),
    ///         _ => Ok(()),
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn throttle(wait: Duration) -> Self {
        Self(Outcome::Throttle(wait))
    }

    /// Cancels the job, for this reason.
    pub fn cancel(reason: impl Into<String>) -> Self {
        Self(Outcome::Cancel(reason.into()))
    }

    /// Returns the outcome of an attempt that ended with this error.
    #[must_use]
    pub fn into_outcome(self) -> Outcome {
        self.0
    }

    fn failed(error: impl Into<BoxError>, advice: RetryAdvice) -> Self {
        let message = error_chain(error.into().as_ref());
        Self(Outcome::Failure(Failure { cause: FailureCause::Error, message, advice }))
    }
}

impl<E: Into<BoxError>> From<E> for JobError {
    fn from(error: E) -> Self {
        Self::transient(error)
    }
}

impl fmt::Debug for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
