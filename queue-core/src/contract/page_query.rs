//! A page of a list, as a backend reads it.

use crate::contract::clock::Timestamp;
use crate::contract::cursor::{ListName, Place};
use crate::contract::error::QueueError;
use crate::contract::filter::Filter;
use crate::contract::page::{JobPage, PageRequest};
use crate::contract::record::JobRecord;
use crate::contract::sort::{Order, Sort};

/// The page of a list, for a backend that numbers its jobs in push order.
///
/// ```
/// use queue_core::admin::{Filter, PageRequest};
/// use queue_core::backend::PageQuery;
/// use queue_core::{Body, JobId, JobRecord};
///
/// let (filter, mut request) = (Filter::all(), PageRequest::first(1));
/// let query = PageQuery::of("example", &filter, &request)?;
/// assert_eq!((query.after, query.rows()), (None, 2));
///
/// // A statement read the jobs number 41 and 42.
/// let found = [41, 42].map(|number| (number, JobRecord::new(JobId::random(), "send_mail".into(), Body::stored("{}"))));
/// let page = query.page(found.into());
/// assert_eq!(page.jobs.len(), 1);
///
/// request.after = page.next;
/// let next = PageQuery::of("example", &filter, &request)?;
/// assert_eq!(next.after.map(|last| last.number), Some(41));
/// # Ok::<(), queue_core::QueueError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PageQuery {
    /// The place of the last job of the previous page.
    pub after: Option<Place>,
    /// The time by which the list is sorted.
    pub sort: Sort,
    /// The end of the order with which the list begins.
    pub order: Order,
    limit: usize,
    search: Option<u64>,
    list: ListName,
}

/// The place at which a search ended because of its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchEnd {
    /// The place of the last job that was searched.
    pub place: Place,
    /// The time of that job: see [`JobPage::searched_until`].
    pub at: Timestamp,
}

impl PageQuery {
    /// Creates the query for a page. `backend` is a word that distinguishes the backend's cursors from others.
    ///
    /// # Errors
    ///
    /// `Invalid` if the request's cursor is not of this backend, filter, sort and order.
    pub fn of(backend: &'static str, filter: &Filter, page: &PageRequest) -> Result<Self, QueueError> {
        let (sort, order) = (page.sort, page.order);
        let list = ListName { backend, sort, order, filter: filter.fingerprint() };
        let after = page.after.as_ref().map(|cursor| list.place(cursor)).transpose()?;
        Ok(Self { after, sort, order, limit: page.limit, search: page.search, list })
    }

    /// Returns the maximum number of rows to read: one more than the page, which shows whether there is a next page.
    #[must_use]
    pub const fn rows(self) -> usize {
        self.limit.saturating_add(1)
    }

    /// Returns the number of jobs after which the search ends, at least 1, if the request sets it.
    #[must_use]
    pub fn search(self) -> Option<u64> {
        self.search.map(|jobs| jobs.max(1))
    }

    /// Returns the rank of a place: jobs of lower rank come first in the list.
    #[must_use]
    pub const fn rank(self, place: Place) -> Rank {
        let (at, number) = (place.at.as_micros(), place.number);
        match self.order {
            Order::Oldest => Rank(at, number),
            Order::Newest => Rank(!at, !number),
        }
    }

    /// Returns whether a place is behind the previous page.
    #[must_use]
    pub fn is_behind(self, place: Place) -> bool {
        self.after.is_none_or(|last| self.rank(last) < self.rank(place))
    }

    /// Creates the page. `found` has jobs behind the previous page, in any order: the first ones, each with its number, and one
    /// more than fit on the page if there are more.
    #[must_use]
    pub fn page(self, found: Vec<(u64, JobRecord)>) -> JobPage {
        self.page_until(found, None)
    }

    /// Creates the page of a search that ended because of its limit, with the jobs up to its end. `None` if it did not.
    #[must_use]
    pub fn page_until(self, mut found: Vec<(u64, JobRecord)>, end: Option<SearchEnd>) -> JobPage {
        let place = |(number, job): &(u64, JobRecord)| Place { at: self.sort.time(job), number: *number };
        found.sort_by_key(|job| self.rank(place(job)));
        let is_more = found.len() > self.limit;
        found.truncate(self.limit);
        let end = end.filter(|_| !is_more);
        let last = found.last().filter(|_| is_more).map(place).or(end.map(|end| end.place));
        let next = last.map(|last| self.list.cursor(last));
        let mut page = JobPage::new(found.into_iter().map(|(_, job)| job).collect(), next);
        page.searched_until = end.map(|end| end.at);
        page
    }
}

/// The rank of a job in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(i64, u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_is_the_reverse_of_oldest() {
        let places = [(i64::MIN, 3), (-1, 9), (0, 0), (0, u64::MAX), (i64::MAX, 1)]
            .map(|(at, number)| Place { at: Timestamp::from_micros(at), number });
        let query =
            |order| PageQuery::of("test", &Filter::all(), &PageRequest::first(1).order(order)).unwrap();

        let oldest = places.map(|place| query(Order::Oldest).rank(place));
        let mut newest = places.map(|place| query(Order::Newest).rank(place));

        assert!(oldest.is_sorted());
        newest.reverse();
        assert!(newest.is_sorted());
    }
}
