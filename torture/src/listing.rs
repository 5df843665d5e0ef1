//! All jobs of a queue.

use queue_core::inspect::{Filter, Page};
use queue_core::{Inspect, JobRecord, QueueError};

/// Lists every job, page by page.
pub(crate) async fn all(queue: &dyn Inspect) -> Result<Vec<JobRecord>, QueueError> {
    let (mut jobs, mut page) = (Vec::new(), Page::first(1_000));
    loop {
        let listing = queue.list(&Filter::all(), &page).await?;
        jobs.extend(listing.jobs);
        match listing.next {
            Some(cursor) => page = Page::after(cursor, 1_000),
            None => return Ok(jobs),
        }
    }
}
