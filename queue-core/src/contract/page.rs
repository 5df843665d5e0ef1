//! Pages of a list: which one is requested, and what it contains.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::clock::Timestamp;
use crate::contract::cursor::Cursor;
use crate::contract::record::{JobRecord, State};

/// The time by which a list is sorted. Jobs with the same time are in push order.
///
/// Choose the sort that fits the states of the filter. SQLite and PostgreSQL have an index for `Finished` and `RunAt` in each
/// queue, and for `Pushed` over all jobs. They read the jobs of a list in its order, and skip those that the other fields of the
/// filter exclude.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Sort {
    /// All jobs in push order.
    #[default]
    Pushed,
    /// Finished jobs by the time at which they finished. The list leaves out unfinished jobs.
    Finished,
    /// Unfinished jobs by the time at which they become or became ready. The list leaves out finished jobs.
    RunAt,
}

impl Sort {
    /// Returns whether a list of this sort contains jobs in a state.
    #[must_use]
    pub const fn lists(self, state: State) -> bool {
        match self {
            Self::Pushed => true,
            Self::Finished => state.is_finished(),
            Self::RunAt => !state.is_finished(),
        }
    }

    /// Returns the time by which the list sorts a job. In push order, it is the same for all jobs.
    #[must_use]
    pub fn time(self, job: &JobRecord) -> Timestamp {
        match self {
            Self::Pushed => Timestamp::EPOCH,
            Self::Finished => job.finished_at.unwrap_or(Timestamp::EPOCH),
            Self::RunAt => job.run_at,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pushed => "pushed",
            Self::Finished => "finished",
            Self::RunAt => "run_at",
        }
    }
}

/// Displays the name of the sort: `pushed`, `finished` or `run_at`.
impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The end of the order with which a list begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The earliest job comes first.
    #[default]
    Oldest,
    /// The latest job comes first.
    Newest,
}

impl Order {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Oldest => "oldest",
            Self::Newest => "newest",
        }
    }
}

/// Displays the name of the order: `oldest` or `newest`.
impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

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
