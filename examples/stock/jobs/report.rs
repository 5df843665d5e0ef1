//! The stock report.

use std::sync::Arc;

use queue_core::{JobError, background_job};
use tokio::task::spawn_blocking;

use crate::catalog::{self, Revision};
use crate::report::Reports;
use crate::transaction::Tx;

/// Writes the report, unless a report that covers this revision of the catalogue was written since.
///
/// A flood of new products causes few reports, and the last report includes the last product. The transaction is held
/// while the files are written, so reports are written one after another; a second run finds its report written.
#[background_job(name = "stock.report", queue = "reports", timeout = "1m")]
pub async fn report_stock(
    #[inject] reports: Arc<Reports>,
    #[inject] tx: &mut Tx,
    revision: Revision,
) -> Result<(), JobError> {
    let reported = tx.run(catalog::reported).await?;
    if reported.is_some_and(|reported| reported >= revision) {
        return Ok(());
    }
    let entries = tx.run(catalog::list).await?;
    let newest = tx.run(catalog::revision).await?;
    tx.run(move |connection| catalog::note_report(connection, newest)).await?;
    // If this fails, the record above is rolled back.
    spawn_blocking(move || reports.write(&entries)).await??;
    Ok(())
}
