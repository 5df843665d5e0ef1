//! The file of an invoice.

use queue_core::{JobContext, JobError, background_job};
use tokio::runtime::Handle;

use super::mail_invoice;
use crate::folder::Folder;
use crate::store::Store;

/// Renders an invoice, on a thread where it may block. A second run writes the same file again.
#[background_job(name = "invoices.render", queue = "rendering", blocking)]
pub(crate) fn render_invoice(
    #[inject] store: &Store,
    #[inject] folder: &Folder,
    #[inject] context: &JobContext,
    order: i64,
) -> Result<(), JobError> {
    let order = Handle::current().block_on(store.order(order))?;
    let (units, cents) = (order.cents / 100, order.cents % 100);
    folder.write(&file(order.number), &format!("invoice {}: {units}.{cents:02} EUR", order.number))?;
    context.then(mail_invoice::new(order.number));
    Ok(())
}

/// Returns the name of an invoice's file.
pub(crate) fn file(order: i64) -> String {
    format!("invoice-{order}.txt")
}
