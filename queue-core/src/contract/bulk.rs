//! Calls on all jobs that match a filter.

use std::future::Future;

use crate::contract::admin::Admin;
use crate::contract::change::Change;
use crate::contract::error::QueueError;
use crate::contract::filter::Filter;
use crate::contract::page::PageRequest;
use crate::contract::record::JobRecord;

/// Lists and changes all jobs that match a filter. It is implemented for every [`Admin`].
///
/// Each method that changes jobs first reads the ids of the jobs that match, at one instant, and then changes these jobs a few hundred at a time. It
/// leaves jobs that begin to match later. It also leaves jobs that no longer match when their batch is changed, and jobs that do not
/// allow the change: [`Admin::change`] lists them. Between two batches, other calls of the queue proceed.
///
/// ```
/// use queue_core::admin::Filter;
/// use queue_core::{Admin, AdminExt as _, QueueError, State};
///
/// /// Runs all discarded jobs of the queue `mail` again.
/// async fn retry_mails(queue: &impl Admin) -> Result<u64, QueueError> {
///     queue.retry_all(&Filter::all().queue("mail").state(State::Discarded)).await
/// }
/// ```
///
/// # Errors
///
/// `Unavailable`. The batches that were changed before the error stay changed.
///
/// # Cancel safety
///
/// If a future is dropped, the batches that it has changed stay changed, and the current one is changed as a whole or not at all.
/// The other jobs are not changed.
pub trait AdminExt: Admin {
    /// Returns all jobs that match, in push order. It reads them page by page, so it is for tests and for filters that few jobs
    /// match.
    fn list_all(&self, filter: &Filter) -> impl Future<Output = Result<Vec<JobRecord>, QueueError>> + Send {
        list_all(self, filter)
    }

    /// Cancels the waiting jobs that match, and asks the executing ones to stop. Returns their number.
    fn cancel_all(
        &self,
        filter: &Filter,
        reason: &str,
    ) -> impl Future<Output = Result<u64, QueueError>> + Send {
        change_all(self, filter, Change::Cancel { reason: reason.to_owned() })
    }

    /// Retries the finished and waiting jobs that match: each becomes available, with at least one attempt left. Returns their number.
    ///
    /// A filter without states matches completed jobs too: set [`State::Discarded`](crate::State::Discarded).
    fn retry_all(&self, filter: &Filter) -> impl Future<Output = Result<u64, QueueError>> + Send {
        change_all(self, filter, Change::Retry)
    }

    /// Deletes the jobs that match and are not executing. Returns their number.
    fn delete_all(&self, filter: &Filter) -> impl Future<Output = Result<u64, QueueError>> + Send {
        change_all(self, filter, Change::Delete)
    }
}

impl<Q: Admin + ?Sized> AdminExt for Q {}

/// The number of jobs that are changed in one step: enough to share its cost, and few enough to delay no other call.
const BATCH: usize = 250;

/// The number of jobs that are listed in one step.
const PAGE: usize = 5_000;

async fn list_all<Q: Admin + ?Sized>(queue: &Q, filter: &Filter) -> Result<Vec<JobRecord>, QueueError> {
    let (mut jobs, mut request) = (Vec::new(), PageRequest::first(PAGE));
    loop {
        let page = queue.list(filter, &request).await?;
        jobs.extend(page.jobs);
        if page.next.is_none() {
            return Ok(jobs);
        }
        request.after = page.next;
    }
}

async fn change_all<Q: Admin + ?Sized>(
    queue: &Q,
    filter: &Filter,
    change: Change,
) -> Result<u64, QueueError> {
    let mut changed = 0;
    for ids in queue.matching(filter).await?.chunks(BATCH) {
        changed += queue.change(ids, filter, &change).await?;
    }
    Ok(changed)
}
