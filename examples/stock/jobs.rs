//! The background jobs.
//!
//! Each job may run more than once: after a failure, or if the program died before the job's end was recorded.
//! So the comment of each job says why a second run does no harm.

mod mail;
mod nightly;
mod photos;
mod report;
mod sync;

use queue_core::{JobError, Jobs, jobs};

use crate::catalog::{self, Entry};
use crate::database::Database;

pub use mail::mail_product;
pub use nightly::report_nightly;
pub use photos::resize_photos;
pub use report::report_stock;
pub use sync::sync_product;

/// Returns the list of jobs, for the hosted loop.
#[must_use]
pub fn all() -> Jobs {
    jobs![mail_product, report_nightly, report_stock, sync_product]
}

/// The queue of the closures that call [`resize_photos`].
pub const PHOTOS: &str = "photos";

/// The meta key of each job's product.
pub const SKU: &str = "sku";

/// The meta key of the title by which the page shows a job that has no name of its own.
pub const TITLE: &str = "title";

/// Returns the product of a job; a job whose product does not exist is cancelled.
async fn product(database: &Database, sku: &str) -> Result<Entry, JobError> {
    let wanted = sku.to_owned();
    let entry = database.run(move |connection| catalog::find(connection, &wanted)).await?;
    entry.ok_or_else(|| JobError::cancel(format!("there is no product {sku}")))
}
