//! Leases ready jobs.

use queue_core::backend::to_i64;
use queue_core::{Delivery, Demand, QueueName};
use rusqlite::{OptionalExtension as _, Result};

use super::Table;
use super::claimed_jobs::ClaimedJob;
use super::history::CountedJob;
use crate::rows;
use crate::sql;

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
        let queue_id = find.query_row([queue.as_str()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((queue_id, false)): Option<(i64, bool)> = queue_id else {
            return Ok(());
        };
        let ready = self.statements.get(sql::READY)?;
        let rows = ready.query_map((queue_id, to_i64(remaining as u64)), |row| {
            rows::delivery(self.connection, row, queue, self.now, demand.lease)
        })?;
        let ready: Vec<_> = rows.collect::<Result<_>>()?;
        if ready.is_empty() {
            return Ok(());
        }
        self.lease(queue_id, ready.len(), demand)?;
        for (seq, delivery) in ready {
            let counted = CountedJob::new(queue_id, delivery.name.clone(), self.now);
            self.cache
                .claimed
                .insert(&delivery.lease, ClaimedJob { seq, attempt: delivery.attempt, counted });
            into.push(delivery);
        }
        Ok(())
    }

    /// Leases the first ready jobs of a queue, which must be as many.
    fn lease(&mut self, queue_id: i64, jobs: usize, demand: &Demand) -> Result<()> {
        let worker_id = demand.worker.as_ref().map(|worker| self.worker_id(worker)).transpose()?;
        let on_discard = demand.on_discard.as_ref().map(|on_discard| on_discard.to_json()).transpose();
        let on_discard = on_discard.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
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
}
