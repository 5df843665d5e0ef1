//! The e-mail about a new product.

use lettre::Message;
use lettre::message::header::ContentType;
use queue_core::{BoxError, JobError, background_job};

use super::product;
use crate::catalog::{self, Entry};
use crate::database::Database;
use crate::mailer::Mailer;
use crate::transaction::Tx;

/// Informs the shop's owner of a new product.
///
/// A second run finds the first run's row in the outbox and sends nothing. If the program died between sending and
/// commit, the second e-mail has the `Message-ID` of the first, by which mail programs recognize duplicates.
#[background_job(name = "stock.mail", queue = "mail", timeout = "30s", unique = "{sku}")]
pub async fn mail_product(
    #[inject] database: &Database,
    #[inject] mailer: &dyn Mailer,
    #[inject] tx: &mut Tx,
    sku: &str,
) -> Result<(), JobError> {
    let entry = product(database, sku).await?;
    if entry.mailed {
        return Ok(());
    }
    let message_id = format!("<new-product-{sku}@stock.example>");
    // An e-mail that can't be composed never can be: the job is discarded. One that can't be sent is retried.
    let mail = compose(&entry, &message_id).map_err(JobError::permanent)?;
    mailer.send(mail).await?;
    let sku = entry.product.sku;
    tx.run(move |connection| catalog::note_mail(connection, &sku, &message_id)).await?;
    Ok(())
}

fn compose(entry: &Entry, message_id: &str) -> Result<Message, BoxError> {
    let product = &entry.product;
    let text = format!(
        "There is a new product in the catalogue.\n\nSKU:   {}\nName:  {}\nPrice: {}.{:02}\nStock: {}\n",
        product.sku,
        product.name,
        product.price_cents / 100,
        product.price_cents % 100,
        product.stock,
    );
    let mail = Message::builder()
        .message_id(Some(message_id.to_owned()))
        .from("Stock <stock@stock.example>".parse()?)
        .to("Owner <owner@stock.example>".parse()?)
        .header(ContentType::TEXT_PLAIN)
        .subject(format!("New product: {}", product.name))
        .body(text)?;
    Ok(mail)
}
