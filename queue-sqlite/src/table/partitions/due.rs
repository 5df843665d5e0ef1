//! Makes due jobs available while a queue is shared.

use queue_core::{State, Timestamp};
use rusqlite::Result;

use super::JobPlace;
use crate::rows;
use crate::sql::partitions::{DUE, PROMOTE, PROMOTE_PLAIN};
use crate::table::Table;

impl Table<'_> {
    /// Promotes the jobs of both waiting states that are due at `until` to available, in the order of their times, then in push order.
    pub(in crate::table) fn promote_shared(&mut self, until: Timestamp) -> Result<()> {
        let until = until.as_micros();
        let mut due = Vec::new();
        for state in [State::Scheduled, State::Retryable] {
            self.statements.get(PROMOTE_PLAIN)?.execute((state as i64, until))?;
            let find = self.statements.get(DUE)?;
            let found = find.query_map((state as i64, until), |row| {
                Ok((rows::timestamp(row, 0)?, JobPlace::read(row, 1)?))
            })?;
            due.extend(found.collect::<Result<Vec<_>>>()?);
        }
        due.sort_unstable_by_key(|(at, place): &(Timestamp, JobPlace)| (*at, place.seq));
        for (_, place) in due {
            self.is_shared(place.queue_id)?;
            let partition_id = self.count_ready(place.queue_id, &place.partition)?;
            self.statements.get(PROMOTE)?.execute((place.seq, partition_id))?;
        }
        Ok(())
    }
}
