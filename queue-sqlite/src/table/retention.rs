//! Removes old finished jobs.

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
        let mut old: Vec<(i64, Seq)> = Vec::new();
        for state in State::ALL {
            let Some(age) = prune.age(state) else { continue };
            let before = self.now.saturating_sub(age);
            let find = self.statements.get(sql::OLDEST_FINISHED)?;
            let rows = find
                .query_map((state as i64, before.as_micros(), to_i64(prune.limit as u64)), |row| {
                    Ok((row.get(1)?, row.get(0)?))
                })?;
            for row in rows {
                old.push(row?);
            }
        }
        old.sort_unstable();
        old.truncate(prune.limit);
        old.iter().try_for_each(|(_, seq)| self.remove(*seq))?;
        Ok(old.len() as u64)
    }
}
