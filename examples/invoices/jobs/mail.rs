//! The mail with an invoice.

use queue_core::{JobContext, JobError, background_job};

use super::{notify_customer, render};
use crate::folder::Folder;
use crate::mailer::Mailer;
use crate::store::Store;

/// Mails an invoice to its customer. The key is the same for each attempt, so the customer gets one mail.
#[background_job(name = "invoices.mail", queue = "mail", max_attempts = 5, backoff = exponential("1m", "1h"))]
pub(crate) async fn mail_invoice(
    #[inject] store: &Store,
    #[inject] folder: &Folder,
    #[inject] mailer: &dyn Mailer,
    #[inject] context: &JobContext,
    order: i64,
) -> Result<(), JobError> {
    let order = store.order(order).await?;
    let text = folder.read(&render::file(order.number))?;
    mailer.send(context.id(), &order.customer, &text).await?;
    context.then(notify_customer::new(order.customer, order.number));
    Ok(())
}
