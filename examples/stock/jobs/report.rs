//! The stock report.

use std::sync::Arc;

use queue_core::{JobContext, JobError, background_job};
use tokio::task::spawn_blocking;

use crate::catalog::{self, Entry, Revision};
use crate::product::Product;
use crate::report::Reports;
use crate::transaction::Tx;

/// Writes the report, unless a report that covers this revision of the catalogue was written since.
///
/// A flood of new products causes few reports, and the last report includes the last product. The transaction is held
/// while the files are written, so reports are written one after another; a second run finds its report written.
/// The result says what is in the report.
#[background_job(name = "stock.report", queue = "reports", timeout = "1m")]
pub async fn report_stock(
    #[inject] context: &JobContext,
    #[inject] reports: Arc<Reports>,
    #[inject] tx: &mut Tx,
    revision: Revision,
) -> Result<String, JobError> {
    let reported = tx.run(catalog::reported).await?;
    if reported.is_some_and(|reported| reported >= revision) {
        return Ok(format!("revision {revision} is in a later report"));
    }
    let entries = tx.run(catalog::list).await?;
    let newest = tx.run(catalog::revision).await?;
    tx.run(move |connection| catalog::note_report(connection, newest)).await?;
    let written = summary(&entries);
    context.progress(50, "drawing the chart");
    // If this fails, the record above is rolled back.
    spawn_blocking(move || reports.write(&entries)).await??;
    Ok(written)
}

fn summary(entries: &[Entry]) -> String {
    let value = |product: &Product| u64::from(product.price_cents) * u64::from(product.stock);
    let cents: u64 = entries.iter().map(|entry| value(&entry.product)).sum();
    format!("{} products, worth {}.{:02}", entries.len(), cents / 100, cents % 100)
}
