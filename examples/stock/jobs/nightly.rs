//! The report of each night.

use std::sync::Arc;

use queue_core::{JobError, Tick, background_job};
use tokio::task::spawn_blocking;

use crate::catalog;
use crate::report::Reports;
use crate::transaction::Tx;

/// Keeps the table of the day, so that the stock of earlier days can be looked up.
///
/// The file has the day of the tick in its name. A run that is late or repeated writes the same file.
#[background_job(
    name = "stock.nightly",
    queue = "reports",
    timeout = "1m",
    cron = "30 23 * * *",
    zone = "Europe/Berlin"
)]
pub async fn report_nightly(
    #[inject] tick: &Tick,
    #[inject] reports: Arc<Reports>,
    #[inject] tx: &mut Tx,
) -> Result<String, JobError> {
    let entries = tx.run(catalog::list).await?;
    let day = tick.at();
    let path = spawn_blocking(move || reports.keep(day, &entries)).await??;
    Ok(path.display().to_string())
}
