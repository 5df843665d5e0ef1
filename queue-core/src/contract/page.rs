//! Pages of a list: the request and the answer.

use serde::Serialize;

use crate::contract::clock::Timestamp;
use crate::contract::cursor::Cursor;
use crate::contract::record::JobRecord;
use crate::contract::sort::{Order, Sort};

/// Selects one page of a list.
///
/// ```
/// use queue_core::admin::{Filter, PageRequest, Sort};
/// use queue_core::{Admin, QueueError, State};
///
/// /// Prints all discarded jobs of a queue, the newest first.
/// async fn print_discarded(queue: &impl Admin) -> Result<(), QueueError> {
///     let filter = Filter::all().queue("mail").state(State::Discarded);
///     let mut request = PageRequest::first(50).sort(Sort::Finished).newest();
///     loop {
///         let page = queue.list(&filter, &request).await?;
///         for job in &page {
///             println!("{} {}", job.id, job.name);
///         }
///         let Some(next) = page.next else { return Ok(()) };
///         request.after = Some(next);
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PageRequest {
    /// The end of the previous page.
    pub after: Option<Cursor>,
    /// The maximum number of jobs.
    pub limit: usize,
    /// The time by which the list is sorted.
    pub sort: Sort,
    /// The end of the order with which the list begins.
    pub order: Order,
    /// The number of jobs after which the search for the page ends: see [`search`](Self::search).
    pub search: Option<u64>,
}

impl PageRequest {
    /// Requests the first page, in push order with the oldest job first.
    #[must_use]
    pub const fn first(limit: usize) -> Self {
        Self { after: None, limit, sort: Sort::Pushed, order: Order::Oldest, search: None }
    }

    /// Requests the page after a cursor. Set the sort and the order of the list that returned the cursor.
    #[must_use]
    pub const fn after(cursor: Cursor, limit: usize) -> Self {
        Self { after: Some(cursor), limit, sort: Sort::Pushed, order: Order::Oldest, search: None }
    }

    /// Sets the time by which the list is sorted.
    #[must_use]
    pub fn sort(mut self, sort: Sort) -> Self {
        self.sort = sort;
        self
    }

    /// Sets the end of the order with which the list begins.
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Ends the search for this page after about this number of jobs that do not match. The default is no limit.
    ///
    /// A filter that few jobs match may read all jobs of the store to find a page of them. With this limit, the page may have fewer
    /// jobs than fit, even none, and a [`next`](JobPage::next) that continues the search; [`JobPage::searched_until`] says how far
    /// it came. Use it for pages that must not wait, such as those of a board.
    ///
    /// The limit is for each of the ranges that the store merges, such as the discarded jobs of one queue. A backend that reads all
    /// jobs in one step may ignore it.
    #[must_use]
    pub const fn search(mut self, jobs: u64) -> Self {
        self.search = Some(jobs);
        self
    }

    /// Lists the newest job first.
    #[must_use]
    pub fn newest(self) -> Self {
        self.order(Order::Newest)
    }
}

/// A page of jobs. It can be iterated over like its `jobs`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct JobPage {
    /// The jobs, in the order of the list.
    pub jobs: Vec<JobRecord>,
    /// The start of the next page, if there may be one.
    pub next: Option<Cursor>,
    /// The time of the last job that was searched, if the limit of [`PageRequest::search`] has ended the search. It is the time of
    /// the sort; for the push order, the time of the push. Jobs that match may follow: see `next`.
    pub searched_until: Option<Timestamp>,
}

impl JobPage {
    /// Creates a page. `next` is the backend's own cursor.
    #[must_use]
    pub const fn new(jobs: Vec<JobRecord>, next: Option<Cursor>) -> Self {
        Self { jobs, next, searched_until: None }
    }
}

impl IntoIterator for JobPage {
    type Item = JobRecord;
    type IntoIter = std::vec::IntoIter<JobRecord>;

    fn into_iter(self) -> Self::IntoIter {
        self.jobs.into_iter()
    }
}

impl<'a> IntoIterator for &'a JobPage {
    type Item = &'a JobRecord;
    type IntoIter = std::slice::Iter<'a, JobRecord>;

    fn into_iter(self) -> Self::IntoIter {
        self.jobs.iter()
    }
}
