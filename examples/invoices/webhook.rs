//! The shop's webhook.

use async_trait::async_trait;
use queue_core::{BoxError, JobId};

#[async_trait]
pub(crate) trait Webhook: Send + Sync {
    /// Reports to the shop that the invoice of an order was sent. The shop recognizes a repetition by its key.
    async fn post(&self, key: JobId, order: i64) -> Result<(), BoxError>;
}
