//! A sorted set of jobs. Most are inserted at its end and removed at its beginning.

use std::collections::{BTreeSet, VecDeque, btree_set, vec_deque};
use std::iter::Chain;

use super::Slot;
use crate::contract::clock::Timestamp;

/// The position of a job: by rank, then time, then push order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) rank: i32,
    pub(super) at: Timestamp,
    pub(super) sequence: u64,
    pub(super) slot: Slot,
}

impl Place {
    /// Creates the position of a job that has no rank.
    pub(super) fn at(at: Timestamp, sequence: u64, slot: Slot) -> Self {
        Self { rank: 0, at, sequence, slot }
    }

    fn key(&self) -> (i32, Timestamp, u64) {
        (self.rank, self.at, self.sequence)
    }
}

/// A sorted set of places.
///
/// A place behind all others, as nearly every place is, is appended to a line, at a fraction of the cost of a tree. The other
/// places are kept in a tree.
///
/// **Invariant:** the line is sorted, and neither its first nor its last place is a removed one.
#[derive(Debug, Default)]
pub(super) struct Index {
    line: VecDeque<Place>,
    /// The number of removed places in the line.
    gone: usize,
    rest: BTreeSet<Place>,
}

/// Marks a place that was removed from the middle of the line.
const GONE: Slot = Slot::MAX;

/// A line with more capacity than this releases memory when it is nearly empty.
const WORTH_IT: usize = 4096;

impl Index {
    pub(super) fn len(&self) -> usize {
        self.line.len() - self.gone + self.rest.len()
    }

    pub(super) fn insert(&mut self, place: Place) {
        if self.line.back().is_none_or(|last| *last < place) {
            self.line.push_back(place);
        } else {
            self.rest.insert(place);
        }
    }

    pub(super) fn first(&self) -> Option<&Place> {
        match (self.line.front(), self.rest.first()) {
            (Some(line), Some(rest)) => Some(line.min(rest)),
            (line, rest) => line.or(rest),
        }
    }

    pub(super) fn pop_first(&mut self) -> Option<Place> {
        let first = *self.first()?;
        self.remove(&first);
        Some(first)
    }

    /// Removes a place. Returns whether it was there.
    pub(super) fn remove(&mut self, place: &Place) -> bool {
        if self.line.front() == Some(place) {
            self.line.pop_front();
            self.trim();
            return true;
        }
        let found = self.line.binary_search_by_key(&place.key(), Place::key);
        if let Some(there) = found.ok().and_then(|at| self.line.get_mut(at))
            && there.slot != GONE
        {
            there.slot = GONE;
            self.gone += 1;
            self.trim();
            return true;
        }
        self.rest.remove(place)
    }

    /// Drops removed places at both ends, and in the middle once they are most of the line.
    fn trim(&mut self) {
        if self.gone > 0 {
            while self.line.pop_front_if(|first| first.slot == GONE).is_some() {
                self.gone -= 1;
            }
            while self.line.pop_back_if(|last| last.slot == GONE).is_some() {
                self.gone -= 1;
            }
            if self.gone > self.line.len() / 2 {
                self.line.retain(|place| place.slot != GONE);
                self.gone = 0;
            }
        }
        let capacity = self.line.capacity();
        if capacity > WORTH_IT && self.line.len() < capacity / 8 {
            self.line.shrink_to(capacity / 4);
        }
    }
}

impl IntoIterator for Index {
    type Item = Place;
    type IntoIter = Chain<vec_deque::IntoIter<Place>, btree_set::IntoIter<Place>>;

    /// Returns all places, in no order.
    fn into_iter(mut self) -> Self::IntoIter {
        self.line.retain(|place| place.slot != GONE);
        self.line.into_iter().chain(self.rest)
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    fn place(rank: i32, number: u64) -> Place {
        Place { rank, at: Timestamp::EPOCH, sequence: number, slot: Slot::try_from(number).unwrap() }
    }

    #[test]
    fn it_behaves_like_a_sorted_set() {
        for seed in 0..200 {
            let mut random = Rng::with_seed(seed);
            let (mut index, mut model) = (Index::default(), BTreeSet::new());
            for number in 0..300 {
                match random.u8(0..8) {
                    0..4 => {
                        let rank = if random.u8(0..10) == 0 { random.i32(-2..3) } else { 0 };
                        let place = place(rank, number);
                        index.insert(place);
                        model.insert(place);
                    }
                    4 | 5 => assert_eq!(index.pop_first(), model.pop_first()),
                    _ => {
                        let gone = random.choice(model.iter()).copied().unwrap_or(place(7, number));
                        assert_eq!(index.remove(&gone), model.remove(&gone));
                        assert!(!index.remove(&gone), "it was removed twice");
                        if random.bool() {
                            // Inserted again, it is in its old place.
                            index.insert(gone);
                            model.insert(gone);
                        }
                    }
                }
                assert_eq!((index.len(), index.first()), (model.len(), model.first()), "seed {seed}");
            }
            while let Some(first) = model.pop_first() {
                assert_eq!(index.pop_first(), Some(first), "seed {seed}");
            }
            assert_eq!((index.pop_first(), index.len()), (None, 0));
        }
    }

    #[test]
    fn memory_of_removed_places_is_released() {
        let mut index = Index::default();
        for number in 0..100_000 {
            index.insert(place(0, number));
        }

        for number in 1..99_999 {
            index.remove(&place(0, number));
        }

        assert_eq!(index.len(), 2);
        assert!(index.line.len() <= 4, "{} places are kept for two jobs", index.line.len());
        assert!(index.line.capacity() <= 2 * WORTH_IT, "{}", index.line.capacity());
    }
}
