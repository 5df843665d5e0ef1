//! Paths for generated code. Nothing here is for people, and all of it may change.

pub use std::sync::Arc;

pub use futures_util::future::BoxFuture;
pub use serde;

pub use crate::job::{Job, JobOptions};
pub use crate::outcome::{IntoOutcome, Outcome};
pub use crate::retry::RetryPolicy;
pub use crate::services::{Dependency, Exclusive, FromScope, Scope, ServiceError};
pub use crate::unique::Unique;

/// A type that can be stored as a payload's field.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored in a job's payload",
    label = "not storable",
    note = "a parameter without `#[inject]` is payload: its type needs \
            `#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]` and must be `Send + Sync + 'static`",
    note = "if it is a service, write `#[inject]` in front of the parameter"
)]
pub trait Payload {}

impl<T> Payload for T where
    T: serde::Serialize
        + serde::de::DeserializeOwned
        + std::fmt::Debug
        + Clone
        + PartialEq
        + Send
        + Sync
        + 'static
{
}
