//! How an attempt ended, and the error type that jobs return.

use std::fmt;
use std::time::Duration;

use crate::contract::error::{BoxError, chain};
use crate::contract::limits::Limits;

/// How an attempt ended: what a [`Worker`](crate::Worker) answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The job did what it is for.
    Success,
    /// The attempt failed.
    Failure(Failure),
    /// The job asks to be run again after a while, without this counting as an attempt.
    Snooze(Duration),
    /// The job gives itself up, for this reason.
    Cancel(String),
    /// The attempt was cut off from outside, at shutdown; it doesn't count and the job is given back.
    Interrupted,
}

/// Which of the ends an [`Outcome`] is, without its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutcomeKind {
    /// See [`Outcome::Success`].
    Success,
    /// See [`Outcome::Failure`].
    Failure,
    /// See [`Outcome::Snooze`].
    Snooze,
    /// See [`Outcome::Cancel`].
    Cancel,
    /// See [`Outcome::Interrupted`].
    Interrupted,
}

impl OutcomeKind {
    /// Returns the name of the end: a label for metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Snooze => "snooze",
            Self::Cancel => "cancel",
            Self::Interrupted => "interrupted",
        }
    }

    /// Tells whether this is the success after which a unit of work commits.
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
    /// Returns the name of the end, without its details: a label for metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        self.kind().as_str()
    }

    /// Tells which end this is.
    #[must_use]
    pub const fn kind(&self) -> OutcomeKind {
        match self {
            Self::Success => OutcomeKind::Success,
            Self::Failure(_) => OutcomeKind::Failure,
            Self::Snooze(_) => OutcomeKind::Snooze,
            Self::Cancel(_) => OutcomeKind::Cancel,
            Self::Interrupted => OutcomeKind::Interrupted,
        }
    }

    /// Cuts the failure's message or the reason as [`Limits::cut`] does, so that a text of megabytes is not carried on.
    pub(crate) fn cut_text(self) -> Self {
        match self {
            Self::Failure(failure) => {
                Self::Failure(Failure { message: Limits::cut(failure.message), ..failure })
            }
            Self::Cancel(reason) => Self::Cancel(Limits::cut(reason)),
            Self::Success | Self::Snooze(_) | Self::Interrupted => self,
        }
    }

    /// Gives the failure, if it is one.
    #[must_use]
    pub const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failure(failure) => Some(failure),
            _ => None,
        }
    }
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// What failed.
    pub cause: FailureCause,
    /// What it said, with its causes, in one line.
    pub message: String,
    /// What the failure itself says of another attempt.
    pub advice: RetryAdvice,
}

impl Failure {
    /// Makes a failure which leaves the retry to the policy.
    pub fn new(cause: FailureCause, message: impl Into<String>) -> Self {
        Self { cause, message: message.into(), advice: RetryAdvice::Policy }
    }

    /// Says that trying again is of no use.
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

/// What part of an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureCause {
    /// The job returned an error.
    Error,
    /// The job panicked.
    Panic,
    /// The job ran past its timeout.
    Timeout,
    /// No job of that name is known to this program.
    UnknownJob,
    /// The payload is not what the job takes.
    Undecodable,
    /// A service could not be made.
    Dependency,
    /// A unit of work could not be ended, or a service not be disposed.
    Disposal,
}

/// What a failure says of another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetryAdvice {
    /// The job's retry policy decides.
    Policy,
    /// Try again after exactly this.
    In(Duration),
    /// Don't try again.
    Never,
}

/// What a job returns when it didn't succeed: most often an error, by `?`.
///
/// Any error converts to a *transient* failure, which the retry policy deals with; so do `String`, `&str` and `anyhow::Error`.
/// The constructors say otherwise. It is deliberately not a [`std::error::Error`] itself, so that one conversion can serve all.
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

    /// Fails the job for good: it is discarded, whatever attempts are left.
    pub fn permanent(error: impl Into<BoxError>) -> Self {
        Self::failed(error, RetryAdvice::Never)
    }

    /// Fails the attempt and asks for the next one after exactly `wait`.
    ///
    /// With `Duration::ZERO`, the next attempt is due at once. With a wait that leads past the end of time, such as
    /// `Duration::MAX`, the job stays `Retryable` until an operator retries it.
    pub fn retry_in(wait: Duration, error: impl Into<BoxError>) -> Self {
        Self::failed(error, RetryAdvice::In(wait))
    }

    /// Asks to be run again after `wait`, without this counting as an attempt.
    ///
    /// With `Duration::ZERO`, the job is due at once. With a wait that leads past the end of time, such as `Duration::MAX`, the
    /// job stays `Scheduled` until an operator retries it.
    #[must_use]
    pub fn snooze(wait: Duration) -> Self {
        Self(Outcome::Snooze(wait))
    }

    /// Gives the job up, for this reason.
    pub fn cancel(reason: impl Into<String>) -> Self {
        Self(Outcome::Cancel(reason.into()))
    }

    fn failed(error: impl Into<BoxError>, advice: RetryAdvice) -> Self {
        let message = chain(error.into().as_ref());
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

/// What a job may return: nothing, or a `Result` of nothing.
#[diagnostic::on_unimplemented(
    message = "a background job can't return `{Self}`",
    label = "not an outcome",
    note = "return `()` or `Result<(), E>`, where `E` is `queue_core::JobError`, `anyhow::Error`, `String`, or any type that \
            implements `std::error::Error + Send + Sync`"
)]
pub trait IntoOutcome {
    /// Turns the returned value to an outcome.
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        Outcome::Success
    }
}

#[diagnostic::do_not_recommend]
impl<E: Into<JobError>> IntoOutcome for Result<(), E> {
    fn into_outcome(self) -> Outcome {
        match self {
            Ok(()) => Outcome::Success,
            Err(error) => error.into().0,
        }
    }
}
