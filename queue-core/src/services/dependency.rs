//! The services that a job or a factory takes.

use super::ServiceKey;

/// One service that a job or a factory takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dependency {
    /// The service.
    pub key: ServiceKey,
    /// How it is taken.
    pub need: Need,
    /// The parameter that takes it, if known.
    pub parameter: Option<&'static str>,
}

/// How a job or a factory takes a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Shared. The service must be registered.
    Required,
    /// Shared. The service may be missing.
    Optional,
    /// By `&mut`, for the whole attempt: a unit of work.
    Exclusive,
}

impl Dependency {
    /// Creates a dependency.
    #[must_use]
    pub const fn new(key: ServiceKey, need: Need) -> Self {
        Self { key, need, parameter: None }
    }

    /// Sets the parameter that takes it.
    #[must_use]
    pub const fn for_parameter(mut self, parameter: &'static str) -> Self {
        self.parameter = Some(parameter);
        self
    }
}

/// A parameter of the factory of a unit of work that records the job's completion in the queue that the factory belongs to.
///
/// A test kit with a queue of its own refuses such a unit of work when the kit is built, because the factory's queue does not know
/// the job.
#[derive(Clone, Copy, Debug)]
pub struct RecordsCompletion(pub(super) ());
