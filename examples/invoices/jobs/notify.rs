//! The call of a customer's webhook.

use std::time::Duration;

use queue_core::{JobContext, JobError, Limit, QueueLimits, background_job};

use crate::webhook::{CallError, Webhook};

/// Returns the limits of the queue `webhooks`: within any second, each customer gets at most five calls.
pub(crate) fn webhook_limits() -> QueueLimits {
    QueueLimits::each(Limit::starts(5, Duration::from_secs(1)))
}

/// Reports to a customer that an invoice was sent. A webhook that does not answer within 20 seconds is called again.
///
/// Each customer is a partition: a limit, a hold or a flood of one customer does not delay the calls of another.
#[background_job(
    name = "invoices.notify",
    queue = "webhooks",
    partition = "{customer}",
    max_attempts = 4,
    timeout = "20s",
    backoff = fixed("5m")
)]
pub(crate) async fn notify_customer(
    #[inject] webhook: &dyn Webhook,
    #[inject] context: &JobContext,
    customer: &str,
    order: i64,
) -> Result<(), JobError> {
    match webhook.post(context.id(), customer, order).await {
        // This attempt does not count, and no call of the customer starts before the wait is over.
        Err(CallError::TooManyCalls(wait)) => Err(JobError::throttle(wait)),
        called => Ok(called?),
    }
}
