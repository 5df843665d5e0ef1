//! Stores limits, and applies them.

use queue_core::{Limit, LimitScope, QueueLimits, QueueName};
use rusqlite::{OptionalExtension as _, Result};

use super::Table;
use crate::limits::limits;
use crate::rows;
use crate::sql::limits::{
    APPLY_TO_PARTITIONS, APPLY_TO_TOTAL, REMOVE_DECLARED, STORE_LIMIT, TAKE_BACK_LIMIT,
};
use crate::sql::{FIND_QUEUE, INSERT_UNUSED_QUEUE};

impl Table<'_> {
    /// Replaces the limits that programs declare for a queue. The caller has checked them.
    pub(crate) fn declare_limits(&mut self, queue: &QueueName, declared: &QueueLimits) -> Result<()> {
        let stored = limits(self.connection, queue)?;
        let stored = stored.into_iter().filter_map(|record| Some((record.scope, record.declared?)));
        let stored = stored.fold(QueueLimits::none(), |limits, (scope, limit)| limits.and(scope, limit));
        // Each start of a program declares the same limits again.
        if stored == *declared {
            return Ok(());
        }
        let queue_id = self.limited_queue(queue)?;
        self.statements.get(REMOVE_DECLARED)?.execute([queue_id])?;
        for (scope, limit) in declared.iter() {
            self.store_limit(queue_id, scope, false, limit)?;
        }
        self.apply_limits(queue_id, None)
    }

    /// Stores the limit of an operator, or takes it back. The caller has checked it.
    pub(crate) fn set_limit(
        &mut self,
        queue: &QueueName,
        scope: &LimitScope,
        limit: Option<Limit>,
    ) -> Result<()> {
        let queue_id = self.limited_queue(queue)?;
        match limit {
            Some(limit) => self.store_limit(queue_id, scope, true, &limit)?,
            None => {
                let (scope, partition) = rows::scope_values(scope)?;
                self.statements.get(TAKE_BACK_LIMIT)?.execute((queue_id, scope, partition))?;
            }
        }
        let partition = match scope {
            LimitScope::One(partition) => Some(partition.as_str()),
            _ => None,
        };
        self.apply_limits(queue_id, partition)
    }

    /// Returns the id of a queue, which is shared from now on. Inserts the queue if there is none.
    fn limited_queue(&mut self, queue: &QueueName) -> Result<i64> {
        let find = self.statements.get(FIND_QUEUE)?;
        let queue_id = match find.query_row([queue.as_str()], |row| row.get(0)).optional()? {
            Some(queue_id) => queue_id,
            None => {
                self.statements.get(INSERT_UNUSED_QUEUE)?.query_row([queue.as_str()], |row| row.get(0))?
            }
        };
        self.share(queue_id)?;
        Ok(queue_id)
    }

    fn store_limit(&mut self, queue_id: i64, scope: &LimitScope, is_set: bool, limit: &Limit) -> Result<()> {
        let (scope, partition) = rows::scope_values(scope)?;
        let (running, starts, per, burst) = rows::limit_values(limit);
        let store = self.statements.get(STORE_LIMIT)?;
        store.execute((queue_id, scope, partition, is_set, running, starts, per, burst, limit.weight))?;
        Ok(())
    }

    /// Applies the stored limits to a queue and to its partitions, or to one of them.
    fn apply_limits(&mut self, queue_id: i64, partition: Option<&str>) -> Result<()> {
        self.write_partitions()?;
        self.statements.get(APPLY_TO_TOTAL)?.execute([queue_id])?;
        self.statements.get(APPLY_TO_PARTITIONS)?.execute((queue_id, partition))?;
        self.reread_partitions()
    }
}
