//! The error of creating a private database.

use std::fmt;

use queue_core::BoxError;
use queue_core::backend::error_chain;

/// The error of a test whose database can't be created.
#[derive(thiserror::Error)]
#[error("{what}")]
pub struct DatabaseError {
    what: String,
    #[source]
    source: BoxError,
}

impl DatabaseError {
    /// Returns a function that adds a message to the error that caused it.
    pub(super) fn of<E: Into<BoxError>>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |source| Self { what, source: source.into() }
    }
}

/// Prints the message with its causes, since a test that returns an error prints its `Debug`.
impl fmt::Debug for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", error_chain(self))
    }
}
