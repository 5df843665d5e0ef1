//! The error of a service that could not be created or disposed.

use std::fmt;

use super::ServiceKey;
use crate::attempt::outcome::{Failure, FailureCause, Outcome};
use crate::contract::error::{BoxError, error_chain};

/// A service that could not be created or disposed, with the path of services that led to it: `Repo → Pool`.
///
/// Its `Debug` text is its text with all causes, since a `main` that returns an error prints `Debug`.
pub struct ServiceError {
    /// From the requested service to the one that failed.
    path: Vec<ServiceKey>,
    problem: &'static str,
    source: Option<BoxError>,
}

impl ServiceError {
    pub(super) fn failed(source: impl Into<BoxError>) -> Self {
        Self { path: Vec::new(), problem: "", source: Some(source.into()) }
    }

    pub(super) fn because(key: ServiceKey, problem: &'static str) -> Self {
        Self { path: vec![key], problem, source: None }
    }

    /// Adds the service that was being created when this happened.
    pub(super) fn within(mut self, key: ServiceKey) -> Self {
        self.path.insert(0, key);
        self
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, key) in self.path.iter().enumerate() {
            if index > 0 {
                f.write_str(" → ")?;
            }
            key.fmt(f)?;
        }
        if !self.problem.is_empty() {
            write!(f, ": {}", self.problem)?;
        }
        Ok(())
    }
}

impl fmt::Debug for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&error_chain(self))
    }
}

impl std::error::Error for ServiceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<ServiceError> for Outcome {
    /// Converts to a transient failure, since the cause, such as a database that is down, may be gone later.
    fn from(error: ServiceError) -> Self {
        Self::Failure(Failure::new(FailureCause::Dependency, error_chain(&error)))
    }
}
