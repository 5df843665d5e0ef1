//! The synchronization with the supplier.

use queue_core::{JobContext, JobError, background_job};

use super::product;
use crate::catalog;
use crate::database::Database;
use crate::supplier::{Supplier, SupplierError};
use crate::transaction::Tx;

/// Sends a product to the supplier and stores the supplier's reference.
///
/// The supplier fails now and then, so the job has many attempts. A second run sends the same product again, which
/// changes nothing.
#[background_job(
    name = "stock.sync",
    queue = "supplier",
    max_attempts = 8,
    timeout = "10s",
    backoff = exponential("100ms", "5s"),
    unique = "{sku}"
)]
pub async fn sync_product(
    #[inject] context: &JobContext,
    #[inject] database: &Database,
    #[inject] supplier: &Supplier,
    #[inject] tx: &mut Tx,
    sku: &str,
) -> Result<(), JobError> {
    let entry = product(database, sku).await?;
    let reference = supplier.put(&entry.product, context.id()).await.map_err(advise)?;
    tx.run(move |connection| catalog::note_supplier(connection, &entry.product.sku, &reference)).await?;
    Ok(())
}

/// Returns what each answer of the supplier means for the next attempt.
fn advise(error: SupplierError) -> JobError {
    match error {
        SupplierError::Refused { .. } => JobError::permanent(error),
        SupplierError::Busy { wait } => JobError::retry_in(wait, error),
        SupplierError::Unreachable(_) | SupplierError::Failed { .. } => JobError::transient(error),
    }
}
