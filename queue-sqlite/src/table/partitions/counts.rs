//! The counts of shared queues and their partitions, in memory.

use std::collections::HashMap;

use queue_core::backend::LimitUse;
use queue_core::{Limit, Partition, Timestamp};
use rusqlite::{Result, Row};

use crate::rows;

/// The counts of the shared queues and partitions that the transactions of a connection have used.
#[derive(Default)]
pub(in crate::table) struct Partitions {
    /// Whether any queue is shared, if that is known.
    any_shared: Option<bool>,
    /// The queues by their numbers; `None` for one that is not shared.
    queues: HashMap<i64, Option<SharedQueue>>,
    /// The partitions whose counts differ from the stored ones.
    changed: Vec<(i64, Partition)>,
}

struct SharedQueue {
    total: Total,
    is_changed: bool,
    partitions: HashMap<Partition, PartitionCounts>,
}

/// A shared queue as a whole.
pub(super) struct Total {
    pub(super) counts: Counts,
    pub(super) has_limits: bool,
}

/// The jobs of a queue or partition, and its limit.
#[derive(Clone, Copy)]
pub(super) struct Counts {
    /// The number of available jobs.
    pub(super) ready: u64,
    /// Of a partition, when it was last served or came to have a ready job; of a queue, the last number that was given.
    pub(super) turn: i64,
    pub(super) limit_use: LimitUse,
}

/// A partition.
#[derive(Clone)]
pub(super) struct PartitionCounts {
    pub(super) id: i64,
    pub(super) name: Partition,
    pub(super) counts: Counts,
    is_changed: bool,
}

impl Total {
    /// Reads a row of `TOTAL`, whose first column is at `column`.
    pub(super) fn read(row: &Row<'_>, column: usize) -> Result<Self> {
        let limit = rows::limit(row, column + 5)?;
        Ok(Self { counts: Counts::read(row, column, limit)?, has_limits: row.get(column + 4)? })
    }
}

impl Counts {
    /// Reads the columns `ready`, `running`, `turn` and `free_at`.
    fn read(row: &Row<'_>, column: usize, limit: Limit) -> Result<Self> {
        let running = rows::read_u64(row, column + 1)?;
        let limit_use = LimitUse::new(limit, running, rows::timestamp(row, column + 3)?);
        Ok(Self { ready: rows::read_u64(row, column)?, turn: row.get(column + 2)?, limit_use })
    }

    /// Returns whether a job of a partition may start at `now`.
    pub(super) fn may_start(&self, now: Timestamp) -> bool {
        self.ready > 0 && self.limit_use.startable(1, now) > 0
    }

    /// Returns the place of a partition in the order in which partitions are served.
    pub(super) fn place(&self) -> (u64, i64) {
        (self.limit_use.load(), self.turn)
    }

    /// Counts a ready job as started.
    pub(super) fn start(&mut self, now: Timestamp) {
        self.ready = self.ready.saturating_sub(1);
        self.limit_use.start(now);
    }
}

impl PartitionCounts {
    /// Creates a partition without jobs.
    pub(super) fn new(id: i64, name: Partition, limit: Limit) -> Self {
        let counts = Counts { ready: 0, turn: 0, limit_use: LimitUse::unused(limit) };
        Self { id, name, counts, is_changed: false }
    }

    /// Reads a row of `PARTITION` or `OPEN`.
    pub(super) fn read(row: &Row<'_>) -> Result<Self> {
        let counts = Counts::read(row, 2, rows::limit(row, 6)?)?;
        let name = Partition::new(row.get_ref(1)?.as_str()?);
        Ok(Self { id: row.get(0)?, name, counts, is_changed: false })
    }
}

impl Partitions {
    /// Returns whether any queue is shared, if that is known.
    pub(super) fn is_any_shared(&self) -> Option<bool> {
        self.any_shared
    }

    pub(in crate::table) fn note_any_shared(&mut self, any: bool) {
        self.any_shared = Some(any);
    }

    /// Returns whether a queue is shared, if that is known.
    pub(super) fn is_shared(&self, queue_id: i64) -> Option<bool> {
        self.queues.get(&queue_id).map(Option::is_some)
    }

    /// Notes that a queue has become shared. Its counts are not known yet.
    pub(super) fn note_shared(&mut self, queue_id: i64) {
        self.any_shared = Some(true);
        self.queues.remove(&queue_id);
    }

    /// Adds a queue; one without a total is not shared.
    pub(super) fn add_queue(&mut self, queue_id: i64, total: Option<Total>) {
        let queue = total.map(|total| SharedQueue { total, is_changed: false, partitions: HashMap::new() });
        self.queues.insert(queue_id, queue);
    }

    /// Returns a shared queue as a whole.
    pub(super) fn total(&self, queue_id: i64) -> Option<&Total> {
        self.queues.get(&queue_id)?.as_ref().map(|queue| &queue.total)
    }

    /// Returns whether the counts of a partition are here.
    pub(super) fn knows(&self, queue_id: i64, partition: &Partition) -> bool {
        let queue = self.queues.get(&queue_id).and_then(Option::as_ref);
        queue.is_some_and(|queue| queue.partitions.contains_key(partition))
    }

    /// Adds a partition as it is stored.
    pub(super) fn add(&mut self, queue_id: i64, partition: PartitionCounts) {
        if let Some(Some(queue)) = self.queues.get_mut(&queue_id) {
            queue.partitions.insert(partition.name.clone(), partition);
        }
    }

    /// Changes the counts of a queue as a whole and of one of its partitions, which must be here. Returns the number of the
    /// partition.
    pub(super) fn change(
        &mut self,
        queue_id: i64,
        partition: &Partition,
        change: impl FnOnce(&mut Counts, &mut Counts),
    ) -> Option<i64> {
        let queue = self.queues.get_mut(&queue_id)?.as_mut()?;
        let counts = queue.partitions.get_mut(partition)?;
        change(&mut queue.total.counts, &mut counts.counts);
        queue.is_changed = true;
        if !std::mem::replace(&mut counts.is_changed, true) {
            self.changed.push((queue_id, partition.clone()));
        }
        Some(counts.id)
    }

    /// Returns the number of partitions whose counts are here.
    pub(super) fn len(&self) -> usize {
        self.queues.values().flatten().map(|queue| queue.partitions.len()).sum()
    }

    /// Returns the partitions of a queue whose counts differ from the stored ones.
    pub(super) fn changed(&self, queue_id: i64) -> Vec<PartitionCounts> {
        let Some(Some(queue)) = self.queues.get(&queue_id) else { return Vec::new() };
        let names = self.changed.iter().filter(|(of, _)| *of == queue_id);
        names.filter_map(|(_, name)| queue.partitions.get(name).cloned()).collect()
    }

    /// Returns the queues whose counts differ from the stored ones. The caller stores them.
    pub(super) fn take_changed_totals(&mut self) -> Vec<(i64, Counts)> {
        if self.changed.is_empty() {
            return Vec::new();
        }
        let shared = self.queues.iter_mut().filter_map(|(id, queue)| Some((*id, queue.as_mut()?)));
        let changed = shared.filter_map(|(id, queue)| {
            std::mem::take(&mut queue.is_changed).then_some((id, queue.total.counts))
        });
        changed.collect()
    }

    /// Returns the partitions whose counts differ from the stored ones, by their numbers. The caller stores them.
    pub(super) fn take_changed(&mut self) -> Vec<(i64, Counts)> {
        let Self { changed, queues, .. } = self;
        let stored = changed.drain(..).filter_map(|(queue_id, partition)| {
            let counts = queues.get_mut(&queue_id)?.as_mut()?.partitions.get_mut(&partition)?;
            counts.is_changed = false;
            Some((counts.id, counts.counts))
        });
        stored.collect()
    }
}
