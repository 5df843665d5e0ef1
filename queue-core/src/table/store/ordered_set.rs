//! A sorted set of jobs. Most are inserted at its end and removed at its beginning.

use std::collections::{BTreeSet, VecDeque, btree_set, vec_deque};
use std::iter::{self, Chain};

use super::Slot;
use crate::contract::clock::Timestamp;

/// The position of a job in an index: by priority, then time, then push order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::table) struct Position {
    pub(super) priority: i32,
    pub(in crate::table) at: Timestamp,
    pub(super) sequence: u64,
    pub(in crate::table) slot: Slot,
}

impl Position {
    /// Creates the position of a job in an index that ignores priorities.
    pub(super) fn at(at: Timestamp, sequence: u64, slot: Slot) -> Self {
        Self { priority: 0, at, sequence, slot }
    }

    fn key(&self) -> (i32, Timestamp, u64) {
        (self.priority, self.at, self.sequence)
    }
}

/// A sorted set of positions.
///
/// A position behind all others, as nearly every position is, is appended to a deque, at a fraction of the cost of a tree. The
/// other positions are kept in a tree.
///
/// **Invariant:** `appended` is sorted, and neither its first nor its last position is a tombstone.
#[derive(Debug, Default)]
pub(super) struct OrderedSet {
    appended: VecDeque<Position>,
    /// The number of tombstones in `appended`.
    tombstones: usize,
    out_of_order: BTreeSet<Position>,
}

/// Replaces a position that was removed from the middle of `appended`.
const TOMBSTONE: Slot = Slot(u32::MAX);

/// `appended` releases memory when it is nearly empty and has more capacity than this.
const WORTH_IT: usize = 4096;

impl OrderedSet {
    pub(super) fn len(&self) -> usize {
        self.appended.len() - self.tombstones + self.out_of_order.len()
    }

    #[inline]
    pub(super) fn insert(&mut self, position: Position) {
        if self.appended.back().is_none_or(|last| *last < position) {
            self.appended.push_back(position);
        } else {
            self.out_of_order.insert(position);
        }
    }

    #[inline]
    pub(super) fn first(&self) -> Option<&Position> {
        match (self.appended.front(), self.out_of_order.first()) {
            (Some(appended), Some(other)) => Some(appended.min(other)),
            (appended, other) => appended.or(other),
        }
    }

    /// Returns the first position of each priority, in the order of priorities.
    pub(super) fn first_of_each_priority(&self) -> impl Iterator<Item = &Position> {
        iter::successors(self.first(), |last| self.first_from(last.priority.checked_add(1)?))
    }

    /// Returns the earliest time of all positions. Each priority is looked up once, at most `priorities` of them.
    pub(super) fn least_run_at(&self, priorities: usize) -> Option<Timestamp> {
        self.first_of_each_priority().take(priorities).map(|first| first.at).min()
    }

    /// Returns the first position whose priority is not below this one.
    fn first_from(&self, priority: i32) -> Option<&Position> {
        let start = self.appended.partition_point(|position| position.priority < priority);
        let appended = self.appended.range(start..).find(|position| position.slot != TOMBSTONE);
        let least = Position { priority, at: Timestamp::from_micros(i64::MIN), sequence: 0, slot: Slot(0) };
        let other = self.out_of_order.range(least..).next();
        appended.into_iter().chain(other).min()
    }

    #[inline]
    pub(super) fn pop_first(&mut self) -> Option<Position> {
        let first = *self.first()?;
        self.remove(&first);
        Some(first)
    }

    /// Removes a position. Returns whether it was there.
    pub(super) fn remove(&mut self, position: &Position) -> bool {
        if self.appended.front() == Some(position) {
            self.appended.pop_front();
            self.trim();
            return true;
        }
        let found = self.appended.binary_search_by_key(&position.key(), Position::key);
        if let Some(there) = found.ok().and_then(|at| self.appended.get_mut(at))
            && there.slot != TOMBSTONE
        {
            there.slot = TOMBSTONE;
            self.tombstones += 1;
            self.trim();
            return true;
        }
        self.out_of_order.remove(position)
    }

    /// Drops tombstones at both ends, and in the middle once they are most of `appended`.
    fn trim(&mut self) {
        if self.tombstones > 0 {
            while self.appended.pop_front_if(|first| first.slot == TOMBSTONE).is_some() {
                self.tombstones -= 1;
            }
            while self.appended.pop_back_if(|last| last.slot == TOMBSTONE).is_some() {
                self.tombstones -= 1;
            }
            if self.tombstones > self.appended.len() / 2 {
                self.appended.retain(|position| position.slot != TOMBSTONE);
                self.tombstones = 0;
            }
        }
        let capacity = self.appended.capacity();
        if capacity > WORTH_IT && self.appended.len() < capacity / 8 {
            self.appended.shrink_to(capacity / 4);
        }
    }
}

impl IntoIterator for OrderedSet {
    type Item = Position;
    type IntoIter = Chain<vec_deque::IntoIter<Position>, btree_set::IntoIter<Position>>;

    /// Returns all positions, in no order.
    fn into_iter(mut self) -> Self::IntoIter {
        self.appended.retain(|position| position.slot != TOMBSTONE);
        self.appended.into_iter().chain(self.out_of_order)
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    fn position(priority: i32, number: u64) -> Position {
        Position {
            priority,
            at: Timestamp::EPOCH,
            sequence: number,
            slot: Slot(u32::try_from(number).unwrap()),
        }
    }

    #[test]
    fn it_behaves_like_a_sorted_set() {
        for seed in 0..200 {
            let mut random = Rng::with_seed(seed);
            let (mut set, mut model) = (OrderedSet::default(), BTreeSet::new());
            for number in 0..300 {
                match random.u8(0..8) {
                    0..4 => {
                        let priority = if random.u8(0..10) == 0 { random.i32(-2..3) } else { 0 };
                        let position = position(priority, number);
                        set.insert(position);
                        model.insert(position);
                    }
                    4 | 5 => assert_eq!(set.pop_first(), model.pop_first()),
                    _ => {
                        let gone = random.choice(model.iter()).copied().unwrap_or(position(7, number));
                        assert_eq!(set.remove(&gone), model.remove(&gone));
                        assert!(!set.remove(&gone), "it was removed twice");
                        if random.bool() {
                            // Inserted again, it is at its old position.
                            set.insert(gone);
                            model.insert(gone);
                        }
                    }
                }
                assert_eq!((set.len(), set.first()), (model.len(), model.first()), "seed {seed}");
                let firsts = model.iter().fold(Vec::<Position>::new(), |mut firsts, position| {
                    if firsts.last().is_none_or(|last| last.priority < position.priority) {
                        firsts.push(*position);
                    }
                    firsts
                });
                assert!(set.first_of_each_priority().eq(&firsts), "seed {seed}");
            }
            while let Some(first) = model.pop_first() {
                assert_eq!(set.pop_first(), Some(first), "seed {seed}");
            }
            assert_eq!((set.pop_first(), set.len()), (None, 0));
        }
    }

    #[test]
    fn memory_of_removed_positions_is_released() {
        let mut set = OrderedSet::default();
        for number in 0..100_000 {
            set.insert(position(0, number));
        }

        for number in 1..99_999 {
            set.remove(&position(0, number));
        }

        assert_eq!(set.len(), 2);
        assert!(set.appended.len() <= 4, "{} positions are kept for two jobs", set.appended.len());
        assert!(set.appended.capacity() <= 2 * WORTH_IT, "{}", set.appended.capacity());
    }
}
