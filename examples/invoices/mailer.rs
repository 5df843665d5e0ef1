//! The provider that sends mails.

use async_trait::async_trait;
use queue_core::{BoxError, JobId};

#[async_trait]
pub(crate) trait Mailer: Send + Sync {
    /// Sends a mail. The provider sends one for each key.
    async fn send(&self, key: JobId, to: &str, text: &str) -> Result<(), BoxError>;
}
