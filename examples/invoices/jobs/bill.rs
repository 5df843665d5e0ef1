//! The invoice of an order.

use queue_core::{JobContext, JobError, background_job};

use super::render_invoice;
use crate::books::Books;

/// Writes the invoice of an order. The invoice, the job's completion and the next job are one commit, so each order has one
/// invoice, wherever the program crashes.
#[background_job(name = "invoices.bill")]
pub(crate) async fn bill_order(
    #[inject] books: &mut Books,
    #[inject] context: &JobContext,
    order: i64,
) -> Result<(), JobError> {
    books.add_invoice(order).await?;
    context.then(render_invoice::new(order));
    Ok(())
}
