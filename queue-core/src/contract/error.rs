//! The errors of a queue.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::contract::id::JobId;
use crate::contract::name::QueueName;

/// An error of any type, boxed.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The kind of a [`QueueError`], on which a caller acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QueueErrorKind {
    /// The request is wrong, and repeating it does not help.
    Invalid,
    /// A bounded queue has no capacity at the moment.
    Full,
    /// The handle was closed.
    Closed,
    /// The store cannot be reached, or its answer is unknown. The same call may succeed later.
    Unavailable,
    /// The queue has no job of this id.
    NotFound,
    /// The job's state does not allow the request.
    Conflict,
    /// A wait ended before its condition held.
    TimedOut,
    /// Stored data cannot be read.
    Corrupt,
    /// This queue does not support the request.
    Unsupported,
}

impl QueueErrorKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Full => "full",
            Self::Closed => "closed",
            Self::Unavailable => "unavailable",
            Self::NotFound => "not found",
            Self::Conflict => "conflict",
            Self::TimedOut => "timed out",
            Self::Corrupt => "corrupt",
            Self::Unsupported => "unsupported",
        }
    }
}

impl fmt::Display for QueueErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The reason why a queue did not carry out a request.
///
/// Its text says what was wrong and on which queue; [`source`](std::error::Error::source) returns the cause. Cheap to clone: all
/// callers of a failed batch get the same error.
///
/// ```
/// use queue_core::{QueueError, QueueErrorKind};
///
/// let error = QueueError::unavailable("the server does not answer").on_queue("mail");
/// assert_eq!(error.kind(), QueueErrorKind::Unavailable);
/// assert!(error.is_transient()); // the same call may succeed later
/// ```
#[derive(Clone)]
pub struct QueueError(Arc<Repr>);

#[derive(Clone)]
struct Repr {
    kind: QueueErrorKind,
    message: String,
    queue: Option<QueueName>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl QueueError {
    /// Creates an error of a kind; the message is lowercase and has no full stop.
    pub fn new(kind: QueueErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Repr { kind, message: message.into(), queue: None, source: None }))
    }

    /// Creates an [`Invalid`](QueueErrorKind::Invalid) error.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(QueueErrorKind::Invalid, message)
    }

    /// Creates a [`Conflict`](QueueErrorKind::Conflict) error.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(QueueErrorKind::Conflict, message)
    }

    /// Creates an [`Unsupported`](QueueErrorKind::Unsupported) error; the message says what to use instead.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(QueueErrorKind::Unsupported, message)
    }

    /// Creates an [`Unavailable`](QueueErrorKind::Unavailable) error.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(QueueErrorKind::Unavailable, message)
    }

    /// Creates a [`NotFound`](QueueErrorKind::NotFound) error for a job that the queue does not have.
    #[must_use]
    pub fn unknown_job(id: JobId) -> Self {
        let text = format!("there is no job {id}: it was never stored here, or it was pruned or deleted");
        Self::new(QueueErrorKind::NotFound, text)
    }

    /// Creates a [`Conflict`](QueueErrorKind::Conflict) error for a request that an executing job does not allow.
    #[must_use]
    pub fn executing_job(id: JobId) -> Self {
        Self::conflict(format!("job {id} is executing: cancel it, or wait until it ends"))
    }

    /// Creates a [`Conflict`](QueueErrorKind::Conflict) error for a retry of a job whose unique key `holder` holds now.
    #[must_use]
    pub fn unique_key_taken(id: JobId, holder: impl fmt::Display) -> Self {
        Self::conflict(format!(
            "the unique key of job {id} is held by job {holder} now: cancel that one first"
        ))
    }

    /// Creates a [`Closed`](QueueErrorKind::Closed) error.
    #[must_use]
    pub fn closed() -> Self {
        Self::new(QueueErrorKind::Closed, "the queue was closed by this program")
    }

    /// Sets the queue of the request.
    #[must_use]
    pub fn on_queue(mut self, queue: impl Into<QueueName>) -> Self {
        Arc::make_mut(&mut self.0).queue = Some(queue.into());
        self
    }

    /// Sets the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        Arc::make_mut(&mut self.0).source = Some(source.into().into());
        self
    }

    /// Returns the kind.
    #[must_use]
    pub fn kind(&self) -> QueueErrorKind {
        self.0.kind
    }

    /// Returns whether the same call may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.0.kind, QueueErrorKind::Full | QueueErrorKind::Unavailable)
    }
}

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.queue {
            Some(queue) => write!(f, " (queue `{queue}`)"),
            None => Ok(()),
        }
    }
}

/// Writes the text, the kind and the causes in one line, since a `main` that returns this error prints its `Debug` text.
impl fmt::Debug for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} [{}]", self.0.kind)?;
        match &self.0.source {
            Some(source) => write!(f, ": {}", error_chain(source.as_ref())),
            None => Ok(()),
        }
    }
}

impl std::error::Error for QueueError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Returns the text of an error and its causes in one line: `could not send: connection refused`.
///
/// ```
/// use queue_core::QueueError;
/// use queue_core::backend::error_chain;
///
/// let error = QueueError::unavailable("could not connect").with_source("connection refused");
/// assert!(error_chain(&error).ends_with("could not connect: connection refused"));
/// ```
pub fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        // Many errors end with the text of their source. Don't repeat it.
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = error.source();
    }
    text
}

/// Returns the message of a caught panic: `panicked: index out of bounds`.
#[must_use]
pub fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("(a panic without a message)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_main_returns_is_readable() {
        let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused");
        let error = QueueError::unavailable("the server can't be reached").on_queue("mail");

        assert_eq!(format!("{error:?}"), "the server can't be reached (queue `mail`) [unavailable]");
        let error = error.with_source(QueueError::closed().with_source(refused));
        assert_eq!(
            format!("{error:#?}"),
            "the server can't be reached (queue `mail`) [unavailable]: the queue was closed by this program: connection refused"
        );
    }
}
