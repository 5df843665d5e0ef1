//! Removes old finished jobs.

use std::time::Duration;

use queue_core::State;
use queue_core::admin::Prune;
use queue_core::backend::to_i64;
use rusqlite::Result;

use super::Table;
use crate::rows::Seq;
use crate::sql;

impl Table<'_> {
    /// Deletes up to `prune.limit` finished jobs that are old enough, those that finished first before others, across states.
    ///
    /// Returns the number of deleted jobs.
    pub(crate) fn prune(&mut self, prune: &Prune) -> Result<u64> {
        let queue_ids = self.queue_ids()?;
        let mut old: Vec<(i64, Seq)> = Vec::new();
        for state in State::ALL {
            let Some(age) = prune.age(state) else { continue };
            for queue_id in &queue_ids {
                self.find_old(*queue_id, state, age, prune.limit, &mut old)?;
            }
        }
        old.sort_unstable();
        old.truncate(prune.limit);
        old.iter().try_for_each(|(_, seq)| self.remove(*seq))?;
        Ok(old.len() as u64)
    }

    /// Returns the ids of all queues.
    pub(super) fn queue_ids(&mut self) -> Result<Vec<i64>> {
        self.statements.get(sql::QUEUE_IDS)?.query_map([], |row| row.get(0))?.collect()
    }

    /// Adds the jobs of a queue that have been in a finished state for at least this long, those that finished first.
    fn find_old(
        &mut self,
        queue_id: i64,
        state: State,
        age: Duration,
        limit: usize,
        old: &mut Vec<(i64, Seq)>,
    ) -> Result<()> {
        let before = self.now.saturating_sub(age).as_micros();
        let find = self.statements.get(sql::OLDEST_FINISHED)?;
        let parameters = (queue_id, state as i64, before, to_i64(limit as u64));
        for row in find.query_map(parameters, |row| Ok((row.get(1)?, row.get(0)?)))? {
            old.push(row?);
        }
        Ok(())
    }
}
