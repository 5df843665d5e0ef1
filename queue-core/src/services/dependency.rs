//! What something takes in order to be made or performed.

use super::ServiceKey;

/// One service that a job or a factory takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dependency {
    /// Which service.
    pub key: ServiceKey,
    /// How it is taken.
    pub need: Need,
    /// The parameter that takes it, where that's known.
    pub parameter: Option<&'static str>,
}

/// How a dependency is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Shared, and it must be there.
    Required,
    /// Shared, if it is there.
    Optional,
    /// By `&mut`, for the whole attempt: a unit of work.
    Exclusive,
}

impl Dependency {
    /// Takes a service in one of the three ways.
    #[must_use]
    pub const fn new(key: ServiceKey, need: Need) -> Self {
        Self { key, need, parameter: None }
    }

    /// Names the parameter that takes it.
    #[must_use]
    pub const fn for_parameter(mut self, parameter: &'static str) -> Self {
        self.parameter = Some(parameter);
        self
    }
}
