//! The end of a month.

use queue_core::{JobContext, JobError, background_job};

use crate::books::Books;
use crate::mailer::Mailer;
use crate::store::Store;

/// Closes a month, with a job for each customer. They exist if and only if the month is closed.
#[background_job(name = "invoices.close", unique = "{month}")]
pub(crate) async fn close_month(
    #[inject] books: &mut Books,
    #[inject] store: &Store,
    #[inject] context: &JobContext,
    month: &str,
) -> Result<(), JobError> {
    for customer in store.customers().await? {
        context.then(send_statement::new(customer, month));
    }
    books.close_month(month).await?;
    Ok(())
}

/// Mails a customer the statement of a month.
#[background_job(name = "invoices.statement", queue = "mail", max_attempts = 5, backoff = exponential("1m", "1h"))]
pub(crate) async fn send_statement(
    #[inject] mailer: &dyn Mailer,
    #[inject] context: &JobContext,
    customer: &str,
    month: &str,
) -> Result<(), JobError> {
    Ok(mailer.send(context.id(), customer, &format!("your statement of {month}")).await?)
}
