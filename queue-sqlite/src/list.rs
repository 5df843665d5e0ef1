//! Lists of jobs, for [`Admin`](queue_core::Admin).
//!
//! A list is merged from scans of ranges of the indexes, such as the discarded jobs of one queue. Each scan stops at the first
//! job that is past the page. So a page costs its own jobs and one more for each scan, however many jobs there are. Jobs that the
//! filter skips cost as much, up to the limit of the request: see `list/search.rs`.

mod search;

use std::collections::BinaryHeap;

use queue_core::admin::{Filter, JobPage, Order, Sort};
use queue_core::backend::{PageQuery, Place, Rank, to_i64, to_u64};
use queue_core::{JobId, Partition, State, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Result, params_from_iter};

use crate::rows::{self, Seq};
use crate::sql;
use crate::sql::list::{IndexScan, ListOrder, Select};
use crate::sql::partitions::READY_NAMED;
use search::Search;

/// Reads a page.
pub(crate) fn page(
    connection: &Connection,
    filter: &Filter,
    query: PageQuery,
    now: Timestamp,
) -> Result<JobPage> {
    let list = ListOrder { sort: query.sort, order: query.order, after: query.after, until: None, now };
    let (scans, end) = match query.search() {
        Some(limit) => Search { connection, filter, query, list, limit }.bounded()?,
        None => (scans(connection, filter, query.sort)?, None),
    };
    let list = ListOrder { until: end.map(|end| end.place), ..list };
    let mut first = FirstJobs::new(query);
    for scan in scans {
        let select = Select::of(scan, filter, list);
        let mut statement = connection.prepare_cached(&select.text)?;
        let mut found = statement.query(params_from_iter(&select.values))?;
        while let Some(row) = found.next()? {
            let is_on_page = first.offer(Place { at: rows::timestamp(row, 0)?, number: to_u64(row.get(1)?) });
            if !is_on_page && scan.is_sorted_by(query.sort) {
                break;
            }
        }
    }
    let mut record = connection.prepare_cached(sql::RECORD)?;
    let records = first.numbers().map(|number| {
        let found = record.query_row([to_i64(number)], |row| rows::job_record(connection, row))?;
        Ok((number, rows::with_errors(connection, found, now)?))
    });
    Ok(query.page_until(records.collect::<Result<_>>()?, end))
}

/// The order in which the jobs of a filter are changed.
fn push_order(now: Timestamp) -> ListOrder {
    ListOrder { sort: Sort::Pushed, order: Order::Oldest, after: None, until: None, now }
}

/// Returns the ids of all jobs that match, in push order.
pub(crate) fn matching(connection: &Connection, filter: &Filter, now: Timestamp) -> Result<Vec<JobId>> {
    let mut matched = Vec::new();
    for scan in scans(connection, filter, Sort::Pushed)? {
        let select = Select::of(scan, filter, push_order(now));
        let mut statement = connection.prepare_cached(&select.text)?;
        let mut found = statement.query(params_from_iter(&select.values))?;
        while let Some(row) = found.next()? {
            matched.push((row.get::<_, Seq>(1)?, rows::id(row, 2)?));
        }
    }
    matched.sort_unstable();
    Ok(matched.into_iter().map(|(_, id)| id).collect())
}

/// Returns whether a job matches.
pub(crate) fn matches(connection: &Connection, id: JobId, filter: &Filter, now: Timestamp) -> Result<bool> {
    let select = Select::of(IndexScan::Ids(id.into()), filter, push_order(now));
    connection.prepare_cached(&select.text)?.exists(params_from_iter(&select.values))
}

/// The first jobs of a page, and one more.
struct FirstJobs {
    query: PageQuery,
    /// A max-heap, with the last of these jobs on top.
    jobs: BinaryHeap<(Rank, u64)>,
}

impl FirstJobs {
    fn new(query: PageQuery) -> Self {
        Self { query, jobs: BinaryHeap::new() }
    }

    /// Adds a job, unless it is past the page. Returns whether it is on the page.
    fn offer(&mut self, place: Place) -> bool {
        let rank = self.query.rank(place);
        let is_full = self.jobs.len() >= self.query.rows();
        if is_full && self.jobs.peek().is_some_and(|(last, _)| *last < rank) {
            return false;
        }
        self.jobs.push((rank, place.number));
        if is_full {
            self.jobs.pop();
        }
        true
    }

    fn numbers(self) -> impl Iterator<Item = u64> {
        self.jobs.into_iter().map(|(_, number)| number)
    }
}

/// Returns the scans that together find each job of a list once.
fn scans(connection: &Connection, filter: &Filter, sort: Sort) -> Result<Vec<IndexScan>> {
    let states = filter.states_by(sort);
    if states.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(prefix) = filter.id {
        return Ok(vec![IndexScan::Ids(prefix)]);
    }
    // Completed jobs are most of those that are kept, so push order finds them soon.
    if sort == Sort::Pushed && states.contains(&State::Completed) {
        return Ok(vec![IndexScan::All]);
    }
    let mut scans = vec![IndexScan::Leased];
    for queue_id in queue_ids(connection, filter)? {
        let timed = |state: &State| {
            // A job that is due is available, although it is stored as waiting until the writer's next transaction.
            let is_waiting = matches!(state, State::Scheduled | State::Retryable);
            states.contains(state) && *state != State::Executing && *state != State::Available
                || is_waiting && states.contains(&State::Available)
        };
        let timed = State::ALL.into_iter().filter(timed);
        scans.extend(timed.map(|state| IndexScan::Timed { queue_id, state }));
        if states.contains(&State::Available) {
            for partition_id in ready_partitions(connection, filter, queue_id)? {
                let ready = priorities(connection, partition_id)?.into_iter();
                scans.extend(ready.map(|priority| IndexScan::Ready { partition_id, priority }));
            }
        }
    }
    Ok(scans)
}

/// Returns the ids of the queues that the filter allows.
fn queue_ids(connection: &Connection, filter: &Filter) -> Result<Vec<i64>> {
    if let Some(queue) = &filter.queue {
        let mut find = connection.prepare_cached(sql::FIND_QUEUE)?;
        let found = find.query_row([queue.as_str()], |row| row.get(0)).optional()?;
        return Ok(found.into_iter().collect());
    }
    connection.prepare_cached(sql::QUEUE_IDS)?.query_map([], |row| row.get(0))?.collect()
}

/// Returns the numbers of the partitions of a queue that may have ready jobs which the filter allows.
fn ready_partitions(connection: &Connection, filter: &Filter, queue_id: i64) -> Result<Vec<i64>> {
    let wanted = filter.partition.as_ref();
    let mut partitions = Vec::new();
    if wanted.is_none_or(Partition::is_none) {
        partitions.push(queue_id);
    }
    if wanted.is_none_or(|partition| !partition.is_none()) {
        let mut named = connection.prepare_cached(READY_NAMED)?;
        for partition_id in named.query_map((queue_id, wanted.map(Partition::as_str)), |row| row.get(0))? {
            partitions.push(partition_id?);
        }
    }
    Ok(partitions)
}

/// Returns the priorities of the ready jobs of a partition.
fn priorities(connection: &Connection, partition_id: i64) -> Result<Vec<i64>> {
    let mut next = connection.prepare_cached(sql::NEXT_PRIORITY)?;
    let mut priorities = Vec::new();
    let mut last = i64::MIN;
    while let Some(priority) = next.query_row((partition_id, last), |row| row.get(0)).optional()? {
        priorities.push(priority);
        last = priority;
    }
    Ok(priorities)
}

#[cfg(test)]
mod costs;
