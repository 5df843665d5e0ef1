//! Leases ready jobs.

use queue_core::backend::to_i64;
use queue_core::{Delivery, Demand, Partition, QueueName};
use rusqlite::{OptionalExtension as _, Result};

use super::Table;
use super::claimed_jobs::ClaimedJob;
use super::history::CountedJob;
use super::partitions::DealtJob;
use crate::rows;
use crate::sql;
use crate::sql::partitions::LEASE_JOB;

impl Table<'_> {
    /// Leases up to `demand.max` ready jobs, from the queues in the order in which the demand names them.
    ///
    /// Returns no deliveries if no job is ready; it never waits.
    pub(crate) fn claim(&mut self, demand: &Demand) -> Result<Vec<Delivery>> {
        let mut deliveries = Vec::new();
        for queue in &demand.queues {
            let remaining = demand.max.saturating_sub(deliveries.len());
            if remaining == 0 {
                break;
            }
            self.claim_from(queue, remaining, demand, &mut deliveries)?;
        }
        Ok(deliveries)
    }

    fn claim_from(
        &mut self,
        queue: &QueueName,
        remaining: usize,
        demand: &Demand,
        into: &mut Vec<Delivery>,
    ) -> Result<()> {
        let find = self.statements.get(sql::FIND_QUEUE)?;
        let found = find.query_row([queue.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let Some((queue_id, false, is_shared)): Option<(i64, bool, bool)> = found.optional()? else {
            return Ok(());
        };
        let jobs = if is_shared && self.is_shared(queue_id)? {
            let dealt = self.deal((queue_id, queue), demand, into.len())?;
            self.lease_each(&dealt, demand)?;
            dealt
        } else {
            let ready = self.ready(queue_id, (queue, &Partition::NONE), remaining, demand)?;
            self.lease(queue_id, ready.len(), demand)?;
            ready
        };
        for (seq, partition_id, delivery) in jobs {
            let counted = CountedJob::new(queue_id, delivery.name.clone(), self.now);
            let (attempt, partition) = (delivery.attempt, delivery.partition.clone());
            let job = ClaimedJob { seq, attempt, counted, partition, partition_id };
            self.cache.claimed.insert(&delivery.lease, job);
            into.push(delivery);
        }
        Ok(())
    }

    /// Returns up to `limit` ready jobs of a partition in their order.
    pub(super) fn ready(
        &mut self,
        partition_id: i64,
        names: (&QueueName, &Partition),
        limit: usize,
        demand: &Demand,
    ) -> Result<Vec<DealtJob>> {
        let ready = self.statements.get(sql::READY)?;
        let rows = ready.query_map((partition_id, to_i64(limit as u64)), |row| {
            let (seq, delivery) = rows::delivery(self.connection, row, names, self.now, demand.lease)?;
            Ok((seq, partition_id, delivery))
        })?;
        rows.collect()
    }

    /// Leases the first ready jobs of a queue that is not shared, which must be as many.
    fn lease(&mut self, queue_id: i64, jobs: usize, demand: &Demand) -> Result<()> {
        if jobs == 0 {
            return Ok(());
        }
        let (worker_id, on_discard) = self.holder(demand)?;
        let (now, expires_at) = (self.now.as_micros(), self.now.saturating_add(demand.lease).as_micros());
        let limit = to_i64(jobs as u64);
        let leased = match on_discard {
            None => {
                self.statements.get(sql::LEASE)?.execute((queue_id, limit, now, expires_at, worker_id))?
            }
            Some(on_discard) => {
                let lease = self.statements.get(sql::LEASE_WITH_ON_DISCARD)?;
                lease.execute((queue_id, limit, now, expires_at, worker_id, on_discard))?
            }
        };
        if leased == jobs { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(leased)) }
    }

    /// Leases the jobs of a shared queue.
    fn lease_each(&mut self, jobs: &[DealtJob], demand: &Demand) -> Result<()> {
        if jobs.is_empty() {
            return Ok(());
        }
        let (worker_id, on_discard) = self.holder(demand)?;
        let (now, expires_at) = (self.now.as_micros(), self.now.saturating_add(demand.lease).as_micros());
        for (seq, ..) in jobs {
            self.statements.get(LEASE_JOB)?.execute((seq, now, expires_at, worker_id, &on_discard))?;
        }
        Ok(())
    }

    /// Returns the worker of a claim, and its default for discards.
    fn holder(&mut self, demand: &Demand) -> Result<(Option<i64>, Option<String>)> {
        let worker_id = demand.worker.as_ref().map(|worker| self.worker_id(worker)).transpose()?;
        let on_discard = demand.on_discard.as_ref().map(|on_discard| on_discard.to_json()).transpose();
        let on_discard = on_discard.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        Ok((worker_id, on_discard))
    }
}
