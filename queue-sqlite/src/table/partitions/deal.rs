//! Deals the jobs of a shared queue to a claim.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use queue_core::backend::to_i64;
use queue_core::{Delivery, Demand, Partition, QueueName};
use rusqlite::Result;

use super::counts::PartitionCounts;
use crate::rows::Seq;
use crate::sql::partitions::{OPEN, OPEN_HELD};
use crate::table::Table;

/// A job of a claim, with the number of its partition.
pub(in crate::table) type DealtJob = (Seq, i64, Delivery);

/// A share of a claim: a number of jobs of one partition.
#[derive(Default)]
struct Share {
    partition: Partition,
    jobs: usize,
    ready: VecDeque<DealtJob>,
}

impl Table<'_> {
    /// Returns up to `max` jobs of a shared queue in the order of their deliveries, and counts them as running. The caller leases
    /// them.
    pub(in crate::table) fn deal(
        &mut self,
        (queue_id, queue): (i64, &QueueName),
        demand: &Demand,
        leased: usize,
    ) -> Result<Vec<DealtJob>> {
        let has_limits = self.partitions.total(queue_id).is_some_and(|total| total.has_limits);
        let max = demand.max_from(has_limits).saturating_sub(leased);
        let dealt = self.deal_counts(queue_id, max)?;
        let mut shares = HashMap::<i64, Share>::new();
        for (partition_id, partition) in &dealt {
            let share = shares.entry(*partition_id).or_default();
            share.jobs += 1;
            share.partition = partition.clone();
        }
        for (partition_id, share) in &mut shares {
            let jobs = self.ready(*partition_id, (queue, &share.partition), share.jobs, demand)?;
            share.ready = jobs.into();
        }
        for share in shares.values() {
            let missing = share.jobs - share.ready.len();
            if missing > 0 {
                self.correct(queue_id, &share.partition, missing);
            }
        }
        let next = |(id, _): (i64, Partition)| shares.get_mut(&id).and_then(|share| share.ready.pop_front());
        Ok(dealt.into_iter().filter_map(next).collect())
    }

    /// Counts up to `max` starts of a queue. Returns the partition of each, in their order.
    fn deal_counts(&mut self, queue_id: i64, max: usize) -> Result<Vec<(i64, Partition)>> {
        let now = self.now;
        let may_start = |table: &Self| {
            table.partitions.total(queue_id).is_some_and(|total| total.counts.limit_use.startable(1, now) > 0)
        };
        if max == 0 || !may_start(self) {
            return Ok(Vec::new());
        }
        // Each of them can start a job, so any other partition is behind one of them in the order until `max` jobs are dealt.
        let found = self.open_partitions(queue_id, max)?;
        let places = found.iter().enumerate().map(|(index, partition)| (partition.counts.place(), index));
        let mut open: BTreeSet<_> = places.collect();
        let mut dealt = Vec::new();
        while dealt.len() < max
            && may_start(self)
            && let Some((_, index)) = open.pop_first()
            && let Some(PartitionCounts { id, name, .. }) = found.get(index)
        {
            let mut next = None;
            self.partitions.change(queue_id, name, |total, partition| {
                total.turn += 1;
                partition.turn = total.turn;
                total.start(now);
                partition.start(now);
                next = partition.may_start(now).then(|| partition.place());
            });
            open.extend(next.map(|place| (place, index)));
            dealt.push((*id, name.clone()));
        }
        Ok(dealt)
    }

    /// Returns the partitions that may start a job, at least the first `max` of them, and adds them to those in memory.
    ///
    /// The order in the file is that of the stored counts. So partitions whose counts differ are left out there, and all of them are
    /// returned.
    fn open_partitions(&mut self, queue_id: i64, max: usize) -> Result<Vec<PartitionCounts>> {
        let now = self.now;
        let mut open = self.partitions.changed(queue_id);
        let changed: HashSet<i64> = open.iter().map(|partition| partition.id).collect();
        self.statements.get(OPEN_HELD)?.execute((queue_id, now.as_micros()))?;
        let most = to_i64((max + changed.len()) as u64);
        let mut stored = self.statements.get(OPEN)?.query((queue_id, most))?;
        while let Some(row) = stored.next()? {
            if !changed.contains(&row.get::<_, i64>(0)?) {
                let partition = PartitionCounts::read(row)?;
                self.partitions.add(queue_id, partition.clone());
                open.push(partition);
            }
        }
        // A clock that was set back may hold a partition that was open before.
        open.retain(|partition| partition.counts.may_start(now));
        Ok(open)
    }

    /// Corrects the counts of a partition that had fewer jobs than were counted: another program has changed the rows.
    fn correct(&mut self, queue_id: i64, name: &Partition, missing: usize) {
        let missing_jobs = missing as u64;
        tracing::error!(queue_id, partition = %name, missing, "a partition has fewer jobs than were counted, counting them anew");
        self.partitions.change(queue_id, name, |total, partition| {
            partition.limit_use.end(missing_jobs);
            total.limit_use.end(missing_jobs);
            total.ready = total.ready.saturating_sub(partition.ready);
            partition.ready = 0;
        });
    }
}
