//! Deletes partitions that have no job and of which nothing has to be remembered.

use queue_core::Timestamp;
use queue_core::backend::LimitUse;
use rusqlite::{Result, Row};

use crate::rows;
use crate::sql::partitions::{DELETE_PARTITION, NEXT_IDLE};
use crate::table::Table;

/// How many partitions are examined at once. Few are, so that no call waits for this.
const EXAMINED: usize = 1_000;

impl Table<'_> {
    /// Examines the next named partitions, and deletes those without available and executing jobs, unless a rate or a hold has an
    /// effect. After the last partition, the next call begins with the first again.
    pub(crate) fn delete_idle_partitions(&mut self) -> Result<()> {
        if !self.is_any_shared()? {
            return Ok(());
        }
        self.write_partitions()?;
        let behind = std::mem::take(&mut self.cache.examined_partitions);
        let next = self.statements.get(NEXT_IDLE)?;
        let next =
            next.query_map((behind, EXAMINED as i64), |row| Ok((row.get(0)?, is_needed(row, self.now)?)))?;
        let examined = next.collect::<Result<Vec<(i64, bool)>>>()?;
        for (partition_id, _) in examined.iter().filter(|(_, is_needed)| !is_needed) {
            self.statements.get(DELETE_PARTITION)?.execute([partition_id])?;
        }
        if examined.len() == EXAMINED {
            self.cache.examined_partitions = examined.last().map_or(0, |(partition_id, _)| *partition_id);
        }
        self.reread_partitions()
    }
}

/// Reads whether a partition of `NEXT_IDLE` is needed.
fn is_needed(row: &Row<'_>, now: Timestamp) -> Result<bool> {
    let (ready, running) = (rows::read_u64(row, 1)?, rows::read_u64(row, 2)?);
    let limit_use = LimitUse::new(rows::limit(row, 4)?, running, rows::timestamp(row, 3)?);
    Ok(ready > 0 || running > 0 || limit_use.is_remembered(now))
}
