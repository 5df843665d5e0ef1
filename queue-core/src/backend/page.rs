//! A page of a listing, as a statement reads it.

use super::column::to_i64;
use crate::contract::admin::{Cursor, JobPage, PageRequest};
use crate::contract::error::QueueError;
use crate::contract::record::JobRecord;

/// The numbers of a statement that reads one page of jobs, for a backend that numbers its jobs in push order.
///
/// ```
/// use queue_core::admin::{Cursor, PageRequest};
/// use queue_core::backend::PageQuery;
/// use queue_core::{Body, JobId, JobRecord};
///
/// let query = PageQuery::of(&PageRequest::after(Cursor::new("40"), 1))?;
/// assert_eq!((query.after, query.rows), (40, 2));
///
/// // The statement read the jobs number 41 and 42.
/// let found = [41, 42].map(|number| (number, JobRecord::new(JobId::random(), "send_mail".into(), Body::stored("{}"))));
/// let page = query.page(found.into());
/// assert_eq!(page.jobs.len(), 1);
/// assert_eq!(page.next, Some(Cursor::new("41")));
/// # Ok::<(), queue_core::QueueError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PageQuery {
    /// The number of the last job of the previous page, or 0.
    pub after: i64,
    /// The maximum number of rows: one more than the page, which shows whether there is a next page.
    pub rows: i64,
    limit: usize,
}

impl PageQuery {
    /// Creates the query for a page.
    ///
    /// # Errors
    ///
    /// `Invalid` if the page's cursor is not one of such a backend.
    pub fn of(page: &PageRequest) -> Result<Self, QueueError> {
        let after = page.after.as_ref().map_or(Ok(0), Cursor::position)?;
        let rows = to_i64(page.limit as u64).saturating_add(1);
        Ok(Self { after: to_i64(after), rows, limit: page.limit })
    }

    /// Creates the page from the rows that the statement returned: each job with its number.
    #[must_use]
    pub fn page(self, found: Vec<(u64, JobRecord)>) -> JobPage {
        JobPage::of(found, self.limit)
    }
}
