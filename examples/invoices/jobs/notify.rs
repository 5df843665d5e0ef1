//! The call of the shop's webhook.

use queue_core::{JobContext, JobError, background_job};

use crate::webhook::Webhook;

/// Reports to the shop that an invoice was sent. A shop that does not answer within 20 seconds is called again.
#[background_job(name = "invoices.notify", queue = "webhooks", max_attempts = 4, timeout = "20s", backoff = fixed("5m"))]
pub(crate) async fn notify_shop(
    #[inject] webhook: &dyn Webhook,
    #[inject] context: &JobContext,
    order: i64,
) -> Result<(), JobError> {
    Ok(webhook.post(context.id(), order).await?)
}
