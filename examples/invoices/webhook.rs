//! The webhooks of the customers.

use std::time::Duration;

use async_trait::async_trait;
use queue_core::{BoxError, JobId};

#[async_trait]
pub(crate) trait Webhook: Send + Sync {
    /// Reports to a customer that the invoice of an order was sent. The customer recognizes a repetition by its key.
    async fn post(&self, key: JobId, customer: &str, order: i64) -> Result<(), CallError>;
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The answer was 429, with this `Retry-After`.
    #[error("the customer wants no calls for {0:?}")]
    TooManyCalls(Duration),
    #[error(transparent)]
    Failed(#[from] BoxError),
}
