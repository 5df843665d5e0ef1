//! Lists of jobs for operators. They visit every job.

use std::collections::BinaryHeap;

use super::store::StoredJob;
use super::{JobTable, Slot};
use crate::contract::clock::Timestamp;
use crate::contract::cursor::Place;
use crate::contract::error::QueueError;
use crate::contract::filter::Filter;
use crate::contract::page::{JobPage, PageRequest};
use crate::contract::page_query::{PageQuery, Rank};
use crate::contract::sort::Sort;

/// The word in the cursors of a table.
const BACKEND: &str = "memory";

impl JobTable {
    /// Returns a page of jobs. It visits every job, so it is meant for people, not for programs.
    ///
    /// # Errors
    ///
    /// `Invalid` if the cursor is not one of this table, filter, sort and order.
    pub fn list(
        &mut self,
        now: Timestamp,
        filter: &Filter,
        page: &PageRequest,
    ) -> Result<JobPage, QueueError> {
        self.advance(now);
        let query = PageQuery::of(BACKEND, filter, page)?;
        // A max-heap of the first jobs of the page and one more. It drops its last job whenever it holds one too many.
        let mut first: BinaryHeap<(Rank, Slot)> = BinaryHeap::new();
        for (slot, job) in self.store.iter() {
            let place = job.place(query.sort);
            if query.sort.lists(job.state) && query.is_behind(place) && self.passes(filter, job) {
                first.push((query.rank(place), slot));
                if first.len() > query.rows() {
                    first.pop();
                }
            }
        }
        let numbered = |(_, slot): (Rank, Slot)| (self.store[slot].sequence, self.record(slot));
        Ok(query.page(first.into_iter().map(numbered).collect()))
    }

    /// Returns whether a job matches the filter.
    pub(super) fn passes(&self, filter: &Filter, job: &StoredJob) -> bool {
        filter.queue.as_ref().is_none_or(|wanted| *wanted == self.store.queue_of(job).name)
            && (filter.states.is_empty() || filter.states.contains(&job.state))
            && filter.name.as_ref().is_none_or(|wanted| wanted == self.store.name_of(job))
            && filter.partition.as_ref().is_none_or(|wanted| *wanted == self.store.partition_of(job))
            && filter.id.is_none_or(|prefix| prefix.matches(job.id))
            && filter.matches_times(job.pushed_at, job.finished_at())
            && (filter.unique.is_none() || filter.unique.as_ref() == job.unique().map(|unique| &unique.key))
            && filter.meta.as_ref().is_none_or(|(key, value)| job.meta().get(key) == Some(value.as_str()))
    }
}

impl StoredJob {
    fn place(&self, sort: Sort) -> Place {
        let at = match sort {
            Sort::Pushed => Timestamp::EPOCH,
            Sort::Finished => self.state_time,
            Sort::RunAt => self.run_at,
        };
        Place { at, number: self.sequence }
    }

    fn finished_at(&self) -> Option<Timestamp> {
        self.state.is_finished().then_some(self.state_time)
    }
}
