//! Reads how far a queue and its partitions use their limits: see `sql/usage.rs`.
//!
//! The stored counts are those of the writer's last transaction. Jobs that are due now and leases that have expired are counted as
//! the next transaction will count them.

use std::collections::BTreeMap;

use queue_core::admin::{PartitionUsage, QueueUsage, Usage, UsageRequest};
use queue_core::backend::LimitUse;
use queue_core::{Partition, State, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Result};

use crate::rows;
use crate::sql::limits::PARTITION_LIMIT;
use crate::sql::partitions::TOTAL;
use crate::sql::usage::{COUNT, DUE, EXPIRED, PARTITIONS, QUEUE};

/// Returns how far a queue and its partitions use their limits at `now`.
pub(crate) fn usage(connection: &Connection, request: &UsageRequest, now: Timestamp) -> Result<QueueUsage> {
    let mut find = connection.prepare_cached(QUEUE)?;
    let found = find.query_row([request.queue.as_str()], |row| Ok((row.get(0)?, row.get(1)?)));
    let Some((queue_id, is_shared)) = found.optional()? else {
        return Ok(QueueUsage::new(request, now, Usage::default(), Vec::new()));
    };
    let mut used =
        UsedQueue { connection, queue_id, now, total: Used::default(), partitions: BTreeMap::new() };
    if !(is_shared && used.read_counts(request)?) {
        used.count_jobs()?;
    }
    used.add_due()?;
    used.add_expired()?;
    let (total, partitions) = used.into_usage();
    Ok(QueueUsage::new(request, now, total, partitions))
}

/// The jobs of a queue or partition, and its limit.
#[derive(Default)]
struct Used {
    ready: u64,
    limit_use: LimitUse,
}

impl Used {
    fn usage(&self, now: Timestamp) -> Usage {
        self.limit_use.usage(self.ready, now)
    }
}

struct UsedQueue<'a> {
    connection: &'a Connection,
    queue_id: i64,
    now: Timestamp,
    total: Used,
    partitions: BTreeMap<Partition, Used>,
}

impl UsedQueue<'_> {
    /// Reads the stored counts. Returns `false` if there are none yet.
    fn read_counts(&mut self, request: &UsageRequest) -> Result<bool> {
        let mut find = self.connection.prepare_cached(TOTAL)?;
        let total = find.query_row([self.queue_id], |row| {
            let (limit, running) = (rows::limit(row, 5)?, rows::read_u64(row, 1)?);
            let limit_use = LimitUse::new(limit, running, rows::timestamp(row, 3)?);
            Ok(Used { ready: rows::read_u64(row, 0)?, limit_use })
        });
        let Some(total) = total.optional()? else { return Ok(false) };
        self.total = total;
        let mut select = self.connection.prepare_cached(PARTITIONS)?;
        let partition = request.partition.as_ref().map(Partition::as_str);
        let mut stored = select.query((self.queue_id, self.now.as_micros(), partition))?;
        while let Some(row) = stored.next()? {
            let (limit, running) = (rows::limit(row, 6)?, rows::read_u64(row, 3)?);
            let limit_use = LimitUse::new(limit, running, rows::timestamp(row, 5)?);
            let name = Partition::new(row.get_ref(1)?.as_str()?);
            self.partitions.insert(name, Used { ready: rows::read_u64(row, 2)?, limit_use });
        }
        Ok(true)
    }

    /// Counts the jobs of a queue without stored counts. None of them has a partition, apart from those that are due.
    fn count_jobs(&mut self) -> Result<()> {
        let mut count = self.connection.prepare_cached(COUNT)?;
        let (ready, running) =
            count.query_row([self.queue_id], |row| Ok((rows::read_u64(row, 0)?, rows::read_u64(row, 1)?)))?;
        self.change(&Partition::NONE, |used| {
            used.ready += ready;
            used.limit_use.running += running;
        })
    }

    fn add_due(&mut self) -> Result<()> {
        let mut select = self.connection.prepare_cached(DUE)?;
        for state in [State::Scheduled, State::Retryable] {
            let mut due = select.query((self.queue_id, state as i64, self.now.as_micros()))?;
            while let Some(row) = due.next()? {
                let jobs = rows::read_u64(row, 1)?;
                self.change(&rows::partition(row, 0)?, |used| used.ready += jobs)?;
            }
        }
        Ok(())
    }

    fn add_expired(&mut self) -> Result<()> {
        let mut select = self.connection.prepare_cached(EXPIRED)?;
        let mut expired = select.query((self.queue_id, self.now.as_micros()))?;
        while let Some(row) = expired.next()? {
            let state = State::after_expiry(row.get(1)?, row.get(2)?, row.get(3)?);
            self.change(&rows::partition(row, 0)?, |used| {
                used.limit_use.end(1);
                used.ready += u64::from(state == State::Available);
            })?;
        }
        Ok(())
    }

    /// Changes the counts of a partition and of the queue.
    fn change(&mut self, partition: &Partition, change: impl Fn(&mut Used)) -> Result<()> {
        change(&mut self.total);
        if let Some(used) = self.partitions.get_mut(partition) {
            change(used);
            return Ok(());
        }
        let mut find = self.connection.prepare_cached(PARTITION_LIMIT)?;
        let name = (self.queue_id, partition.as_str());
        let limit = find.query_row(name, |row| rows::limit(row, 0))?;
        let mut used = Used { limit_use: LimitUse::unused(limit), ..Used::default() };
        change(&mut used);
        self.partitions.insert(partition.clone(), used);
        Ok(())
    }

    fn into_usage(self) -> (Usage, Vec<PartitionUsage>) {
        let now = self.now;
        let partitions =
            self.partitions.into_iter().map(|(name, used)| PartitionUsage::new(name, used.usage(now)));
        let in_use = partitions.filter(|PartitionUsage { usage, .. }| {
            usage.ready > 0 || usage.running > 0 || usage.next_start.is_some()
        });
        (self.total.usage(now), in_use.collect())
    }
}
