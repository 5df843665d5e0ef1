//! Paths for generated code. They are not a public interface and may change at any time.

pub use std::sync::Arc;

pub use futures_util::future::BoxFuture;
pub use queue_macros::jobs;
#[cfg(feature = "explore")]
pub use queue_macros::kit_test;
pub use serde;

pub use crate::attempt::into_outcome::IntoOutcome;
pub use crate::attempt::outcome::Outcome;
pub use crate::attempt::retry::RetryPolicy;
pub use crate::contract::partition::Partition;
pub use crate::contract::recurrence::{CatchUp, Overlap, Recurrence};
pub use crate::contract::unique::Unique;
#[cfg(feature = "explore")]
pub use crate::explore;
pub use crate::runner::kind::{Job, JobOptions};
pub use crate::services::{Dependency, Exclusive, FromScope, Scope, ServiceError};

/// A job in `jobs![…]`: any [`Job`], with its own compile error for other types.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a background job: annotate the function with `#[background_job]`",
    label = "not annotated with `#[background_job]`, or not in scope by this path",
    note = "a job is listed by its function's name: `jobs![module::function]`"
)]
pub trait Listed: Job {}

#[diagnostic::do_not_recommend]
impl<J: Job> Listed for J {}

/// Adds a job to a list.
#[must_use]
pub fn listed<J: Listed>(jobs: crate::Jobs) -> crate::Jobs {
    jobs.with::<J>()
}

/// A type that can be a field of a stored payload.
///
/// Generated code uses only what is declared here for a field. A type that cannot be stored is therefore one compile error, not
/// one for each trait that it lacks and each place where a derive needs it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored in a job's payload",
    label = "not storable",
    note = "a parameter without `#[inject]` is payload: its type, and every type in it, needs \
            `#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]` and must be `Send + Sync + 'static`",
    note = "if it is a service, write `#[inject]` in front of the parameter"
)]
pub trait Payload: Sized {
    fn write<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
    fn read<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
    #[must_use]
    fn copied(&self) -> Self;
    fn equals(&self, other: &Self) -> bool;
    fn shown(&self) -> &dyn std::fmt::Debug;
}

#[diagnostic::do_not_recommend]
impl<T> Payload for T
where
    T: serde::Serialize
        + serde::de::DeserializeOwned
        + std::fmt::Debug
        + Clone
        + PartialEq
        + Send
        + Sync
        + 'static,
{
    fn write<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize(serializer)
    }

    fn read<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer)
    }

    fn copied(&self) -> Self {
        self.clone()
    }

    fn equals(&self, other: &Self) -> bool {
        self == other
    }

    fn shown(&self) -> &dyn std::fmt::Debug {
        self
    }
}
