//! All jobs of a queue.

use queue_core::admin::{Filter, PageRequest};
use queue_core::{Admin, JobRecord, QueueError};

/// Returns every job, read page by page.
pub(crate) async fn all(queue: &dyn Admin) -> Result<Vec<JobRecord>, QueueError> {
    let (mut jobs, mut page) = (Vec::new(), PageRequest::first(1_000));
    loop {
        let listing = queue.list(&Filter::all(), &page).await?;
        jobs.extend(listing.jobs);
        match listing.next {
            Some(cursor) => page = PageRequest::after(cursor, 1_000),
            None => return Ok(jobs),
        }
    }
}
