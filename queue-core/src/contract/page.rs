//! Pages of a list: the request and the answer.

use serde::Serialize;

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
///         page.jobs.iter().for_each(|job| println!("{} {}", job.id, job.name));
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
}

impl PageRequest {
    /// Requests the first page, in push order with the oldest job first.
    #[must_use]
    pub const fn first(limit: usize) -> Self {
        Self { after: None, limit, sort: Sort::Pushed, order: Order::Oldest }
    }

    /// Requests the page after a cursor. Set the sort and the order of the list that returned the cursor.
    #[must_use]
    pub const fn after(cursor: Cursor, limit: usize) -> Self {
        Self { after: Some(cursor), limit, sort: Sort::Pushed, order: Order::Oldest }
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

    /// Lists the newest job first.
    #[must_use]
    pub fn newest(self) -> Self {
        self.order(Order::Newest)
    }
}

/// A page of jobs.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct JobPage {
    /// The jobs, in the order of the list.
    pub jobs: Vec<JobRecord>,
    /// The start of the next page, if there may be one.
    pub next: Option<Cursor>,
}

impl JobPage {
    /// Creates a page. `next` is the backend's own cursor.
    #[must_use]
    pub const fn new(jobs: Vec<JobRecord>, next: Option<Cursor>) -> Self {
        Self { jobs, next }
    }
}
