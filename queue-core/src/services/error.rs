//! Why a service could not be made.

use std::fmt;

use super::ServiceKey;
use crate::attempt::outcome::{Failure, FailureCause, Outcome};
use crate::contract::error::{BoxError, chain};

/// A service that could not be made or disposed, with the chain of what was being built: `Repo → Pool`.
#[derive(Debug)]
pub struct ServiceError {
    /// From what was asked for to what failed.
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

    /// Adds what was being made when this happened.
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

impl std::error::Error for ServiceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<ServiceError> for Outcome {
    /// A service that can't be made is a transient failure: the database may be back in a minute.
    fn from(error: ServiceError) -> Self {
        Self::Failure(Failure::new(FailureCause::Dependency, chain(&error)))
    }
}
