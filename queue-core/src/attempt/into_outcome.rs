//! The types that a job may return, and how they become outcomes and results.

use std::any::TypeId;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::attempt::outcome::{Failure, FailureCause, JobError, Outcome};
use crate::contract::error::{QueueError, error_chain};
use crate::contract::result::StoredResult;

/// A type that a job may return: `()`, or a `Result` whose value is `()` or the job's result.
///
/// A value other than `()` is stored with the job's completion: see [`JobOutput`].
#[diagnostic::on_unimplemented(
    message = "a background job can't return `{Self}`",
    label = "neither `()` nor a `Result`",
    note = "return `Result<{Self}, queue_core::JobError>` to store the value as the job's result, or `()` if it is not needed"
)]
pub trait IntoOutcome {
    /// The value of a success.
    type Value: JobOutput;

    /// Converts the returned value to an outcome, and its value to a result, if there is one to store.
    ///
    /// A value that cannot be written as JSON is a permanent failure.
    fn into_parts(self) -> (Outcome, Option<StoredResult>);
}

impl IntoOutcome for () {
    type Value = ();

    fn into_parts(self) -> (Outcome, Option<StoredResult>) {
        (Outcome::Success, None)
    }
}

impl<T: JobOutput, E: JobFailure> IntoOutcome for Result<T, E> {
    type Value = T;

    fn into_parts(self) -> (Outcome, Option<StoredResult>) {
        match self {
            Ok(value) => written(&value),
            Err(error) => (error.into().into_outcome(), None),
        }
    }
}

/// Encodes a value as the job's result, unless it is `()`.
fn written<T: JobOutput>(value: &T) -> (Outcome, Option<StoredResult>) {
    if is_unit::<T>() {
        return (Outcome::Success, None);
    }
    match StoredResult::of(value) {
        Ok(result) => (Outcome::Success, Some(result)),
        Err(error) => (unwritable(&error), None),
    }
}

/// Returns whether a type is `()`, for which nothing is stored.
fn is_unit<T: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<()>()
}

#[cold]
fn unwritable(error: &QueueError) -> Outcome {
    Outcome::Failure(Failure::new(FailureCause::Error, error_chain(error)).permanent())
}

/// A type whose values can be the result of a job: each type that serde writes and reads.
///
/// It is implemented for all such types; there is no need to implement it by hand. `()` is no result: nothing is stored for it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the result of a background job",
    label = "can't be stored as a result",
    note = "the value of a `Result` that a job returns is stored with its completion: the type, and every type in it, needs \
            `#[derive(serde::Serialize, serde::Deserialize)]` and must be `Send + 'static`",
    note = "if the value is not needed, return `Result<(), E>`"
)]
pub trait JobOutput: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> JobOutput for T {}

/// A type that can be the error of a job: each type that converts to a [`JobError`].
///
/// It is implemented for all such types; there is no need to implement it by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the error of a background job",
    label = "not an error of a job",
    note = "the error is `queue_core::JobError`, `anyhow::Error`, `String`, or any type that implements \
            `std::error::Error + Send + Sync`"
)]
pub trait JobFailure: Into<JobError> {}

#[diagnostic::do_not_recommend]
impl<E: Into<JobError>> JobFailure for E {}

/// Decodes the result of a completed job. A job without one has returned `()`, or was completed by a program whose job returned
/// nothing; then only a type that can be read from `null` is decoded.
///
/// # Errors
///
/// A text that says why the result is not a `T`. It has the place in the result, and no value.
pub fn decode_result<T: JobOutput>(result: Option<&StoredResult>) -> Result<T, String> {
    const NOTHING: &str = "null";
    let stored = match result {
        Some(stored) if !is_unit::<T>() => stored.clone(),
        _ => StoredResult::stored(NOTHING),
    };
    stored.decode().map_err(|error| match result {
        Some(_) => error.to_string(),
        None => "the job completed without a result".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_a_success_is_the_result_unless_it_is_unit() {
        let stored = |parts: (Outcome, Option<StoredResult>)| {
            assert!(parts.0.is_success());
            parts.1.map(|result| result.as_str().to_owned())
        };

        assert_eq!(stored(().into_parts()), None);
        assert_eq!(stored(Ok::<_, JobError>(()).into_parts()), None);
        assert_eq!(stored(Ok::<_, JobError>(7).into_parts()), Some("7".to_owned()));
        assert_eq!(stored(Ok::<_, JobError>(None::<u8>).into_parts()), Some("null".to_owned()));
    }

    #[test]
    fn a_failure_has_no_result() {
        let (outcome, result) = Err::<u64, _>("no").into_parts();

        assert_eq!((outcome.failure().map(|failure| failure.message.as_str()), result), (Some("no"), None));
    }

    #[test]
    fn a_value_that_json_lacks_fails_the_job_for_good() {
        let (outcome, result) = Ok::<_, JobError>(f64::INFINITY).into_parts();

        let failure = outcome.failure().expect("a failure");
        assert_eq!((failure.advice, result), (crate::RetryAdvice::Never, None));
        assert!(failure.message.contains("NaN or infinite"), "{failure}");
    }
}
