//! What runs in the background.
//!
//! Each job may run more than once: after a failure, or when the program died before the job's end was recorded.
//! So each says, in its comment, why a second run does no harm.

mod mail;
mod photos;
mod report;
mod sync;

use queue_core::{JobError, Jobs, jobs};

use crate::catalog::{self, Entry};
use crate::database::Database;

pub use mail::mail_product;
pub use photos::resize_photos;
pub use report::report_stock;
pub use sync::sync_product;

/// Lists the jobs, for the hosted loop.
#[must_use]
pub fn all() -> Jobs {
    jobs![mail_product, report_stock, sync_product]
}

/// The queue of the closures that [`resize_photos`] new products.
pub const PHOTOS: &str = "photos";

/// The key under which each job's meta names its product.
pub const SKU: &str = "sku";

/// Finds the product that a job is about; a job about none is given up.
async fn product(database: &Database, sku: &str) -> Result<Entry, JobError> {
    let wanted = sku.to_owned();
    let entry = database.run(move |connection| catalog::find(connection, &wanted)).await?;
    entry.ok_or_else(|| JobError::cancel(format!("there is no product {sku}")))
}
