//! Counts the ready and running jobs of shared queues and of their partitions.
//!
//! A queue is shared once a job has named a partition or a limit was set. Every change that makes a job available or executing, or
//! that ends such a state, is counted by [`Table::count_move`], [`Table::count_ready`] or the deal of a claim. A queue that is not shared has no counts, and
//! its jobs cause no statement here.
//!
//! The counts of a transaction are in memory until [`Table::write_partitions`]: one statement then stores all changes of a partition.
//! They stay in memory for the next transaction, until another connection commits.
//!
//! **Invariant:** at the end of a transaction, the stored counts are those of the rows.
//! **Invariant:** the partition of an available or executing job of a shared queue has a row, and the job has its number.

mod counts;
mod deal;
mod due;
mod idle;
mod kept;
mod start;

use queue_core::backend::to_i64;
use queue_core::{Partition, State, Timestamp};
use rusqlite::{OptionalExtension as _, Result, Row};

pub(super) use counts::Partitions;
pub(super) use deal::DealtJob;
pub(super) use kept::KeptPartitions;
pub(crate) use start::{is_ready, next_start};

use super::Table;
use crate::rows::{self, Seq};
use crate::sql::limits::PARTITION_LIMIT;
use crate::sql::partitions::{
    ANY_SHARED, COUNT_TOTAL, COUNT_UNNAMED, INSERT_PARTITION, IS_SHARED, MOVE, PARTITION, PLACE, SHARE,
    STATE_OF, STORE_PARTITION, STORE_TOTAL, TOTAL,
};
use counts::{Counts, PartitionCounts, Total};

/// The place at which a job of a shared queue is counted.
#[derive(Clone)]
pub(super) struct JobPlace {
    pub(super) seq: Seq,
    pub(super) queue_id: i64,
    pub(super) partition: Partition,
    /// The number of the partition, as the row of the job has it. It may be out of date unless the job is available or executing.
    pub(super) partition_id: i64,
    pub(super) state: State,
}

impl Table<'_> {
    /// Returns whether a queue is shared.
    ///
    /// A caller asks before it changes a row: the first answer counts the jobs of a queue that another program has made shared.
    pub(super) fn is_shared(&mut self, queue_id: i64) -> Result<bool> {
        if let Some(known) = self.partitions.is_shared(queue_id) {
            return Ok(known);
        }
        if !self.is_any_shared()? {
            return Ok(false);
        }
        let mut total = self.total(queue_id)?;
        if total.is_none() && self.statements.get(IS_SHARED)?.query_row([queue_id], |row| row.get(0))? {
            self.statements.get(COUNT_TOTAL)?.execute([queue_id])?;
            self.statements.get(COUNT_UNNAMED)?.execute([queue_id])?;
            total = self.total(queue_id)?;
        }
        let is_shared = total.is_some();
        self.partitions.add_queue(queue_id, total);
        Ok(is_shared)
    }

    /// Marks a queue as shared, if it is not.
    pub(super) fn share(&mut self, queue_id: i64) -> Result<()> {
        if self.is_shared(queue_id)? {
            return Ok(());
        }
        self.statements.get(SHARE)?.execute([queue_id])?;
        self.partitions.note_shared(queue_id);
        self.is_shared(queue_id).map(drop)
    }

    /// Holds a partition: none of its jobs starts before an instant.
    pub(super) fn hold(&mut self, queue_id: i64, partition: &Partition, until: Timestamp) -> Result<()> {
        self.change_counts(queue_id, partition, |_, partition| {
            partition.limit_use.hold(until);
        })?;
        Ok(())
    }

    /// Changes the row of one job, and counts the job in its new state.
    pub(super) fn counting<T>(&mut self, seq: Seq, change: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let place = self.place(seq)?;
        let changed = change(self)?;
        if let Some(place) = place {
            self.count_move(&place)?;
        }
        Ok(changed)
    }

    /// Counts a job of a shared queue after a change of its row, which may be gone: it has left the state of its place.
    pub(super) fn count_move(&mut self, place: &JobPlace) -> Result<()> {
        let to =
            self.statements.get(STATE_OF)?.query_row([place.seq], |row| rows::state(row, 0)).optional()?;
        self.count_end(place)?;
        if to == Some(State::Available) {
            let partition_id = self.count_ready(place.queue_id, &place.partition)?;
            if partition_id != place.partition_id {
                self.statements.get(MOVE)?.execute((place.seq, partition_id))?;
            }
        }
        Ok(())
    }

    /// Counts a job of a shared queue that has left the state of its place.
    pub(super) fn count_end(&mut self, place: &JobPlace) -> Result<()> {
        let end: fn(&mut Counts) = match place.state {
            State::Available => |counts| counts.ready = counts.ready.saturating_sub(1),
            State::Executing => |counts| counts.limit_use.end(1),
            _ => return Ok(()),
        };
        self.change_counts(place.queue_id, &place.partition, |total, partition| {
            end(total);
            end(partition);
        })?;
        Ok(())
    }

    /// Counts a job of a shared queue that becomes available. Returns the number of its partition.
    pub(super) fn count_ready(&mut self, queue_id: i64, partition: &Partition) -> Result<i64> {
        self.change_counts(queue_id, partition, |total, partition| {
            if partition.ready == 0 {
                total.turn += 1;
                partition.turn = total.turn;
            }
            total.ready += 1;
            partition.ready += 1;
        })
    }

    /// Stores the counts that have changed. It must be called before SQL reads or changes them, and at the end of a transaction.
    pub(crate) fn write_partitions(&mut self) -> Result<()> {
        let now = self.now;
        for (queue_id, total) in self.partitions.take_changed_totals() {
            let Counts { ready, turn, limit_use } = total;
            let values =
                (queue_id, to_i64(ready), to_i64(limit_use.running), turn, limit_use.free_at.as_micros());
            self.statements.get(STORE_TOTAL)?.execute(values)?;
        }
        for (partition_id, Counts { ready, turn, limit_use }) in self.partitions.take_changed() {
            let (running, free_at) = (to_i64(limit_use.running), limit_use.free_at);
            let values = (partition_id, to_i64(ready), running, turn, free_at.as_micros(), free_at > now);
            self.statements.get(STORE_PARTITION)?.execute(values)?;
        }
        Ok(())
    }

    /// Stores the counts, and reads them again at their next use, because other SQL may change them.
    pub(super) fn reread_partitions(&mut self) -> Result<()> {
        self.write_partitions()?;
        self.partitions = Partitions::default();
        Ok(())
    }

    /// Returns whether any queue is shared.
    fn is_any_shared(&mut self) -> Result<bool> {
        if let Some(known) = self.partitions.is_any_shared() {
            return Ok(known);
        }
        let any = self.statements.get(ANY_SHARED)?.query_row([], |row| row.get(0))?;
        self.partitions.note_any_shared(any);
        Ok(any)
    }

    fn total(&mut self, queue_id: i64) -> Result<Option<Total>> {
        self.statements.get(TOTAL)?.query_row([queue_id], |row| Total::read(row, 0)).optional()
    }

    /// Returns where a job is counted; `None` if its queue is not shared.
    fn place(&mut self, seq: Seq) -> Result<Option<JobPlace>> {
        if !self.is_any_shared()? {
            return Ok(None);
        }
        let place = self.statements.get(PLACE)?.query_row([seq], |row| JobPlace::read(row, 0)).optional()?;
        Ok(match place {
            Some(place) if self.is_shared(place.queue_id)? => Some(place),
            _ => None,
        })
    }

    /// Changes the counts of a shared queue as a whole and of one of its partitions, which is created at its first use. Returns the
    /// number of the partition.
    fn change_counts(
        &mut self,
        queue_id: i64,
        partition: &Partition,
        change: impl FnOnce(&mut Counts, &mut Counts),
    ) -> Result<i64> {
        if !self.partitions.knows(queue_id, partition) {
            let find = self.statements.get(PARTITION)?;
            let stored = find.query_row((queue_id, partition.as_str()), PartitionCounts::read).optional()?;
            let stored = match stored {
                Some(stored) => stored,
                None => self.insert_partition(queue_id, partition)?,
            };
            self.partitions.add(queue_id, stored);
        }
        self.partitions.change(queue_id, partition, change).ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    fn insert_partition(&mut self, queue_id: i64, partition: &Partition) -> Result<PartitionCounts> {
        let find = self.statements.get(PARTITION_LIMIT)?;
        let limit = find.query_row((queue_id, partition.as_str()), |row| rows::limit(row, 0))?;
        let (running, starts, per, burst) = rows::limit_values(&limit);
        let insert = self.statements.get(INSERT_PARTITION)?;
        let values = (queue_id, partition.as_str(), running, starts, per, burst, limit.weight);
        let partition_id = insert.query_row(values, |row| row.get(0))?;
        Ok(PartitionCounts::new(partition_id, partition.clone(), limit))
    }
}

impl JobPlace {
    /// Reads a row of `PLACE`, whose first column is at `column`.
    fn read(row: &Row<'_>, column: usize) -> Result<Self> {
        Ok(Self {
            seq: row.get(column)?,
            queue_id: row.get(column + 1)?,
            partition: rows::partition(row, column + 2)?,
            partition_id: row.get(column + 3)?,
            state: rows::state(row, column + 4)?,
        })
    }
}
