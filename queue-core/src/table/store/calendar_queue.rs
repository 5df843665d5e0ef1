//! Jobs by the time at which they are due. There may be millions, inserted in any order.
//!
//! This is a calendar queue (R. Brown, 1988): time is cut into buckets, and only the next bucket is sorted.

use std::collections::{BTreeMap, BTreeSet};

use super::ordered_set::{OrderedSet, Position};
use crate::contract::clock::Timestamp;

/// A sorted set of positions, of which only those of the next bucket are kept in order.
///
/// The others are put into buckets, each for an interval of time, at the same cost however many there are. A bucket is sorted
/// when it becomes the next one. The number of buckets is bounded: when it reaches the bound, each bucket is made twice as wide.
///
/// **Invariant:** all positions before `horizon` are in `sorted`, all others in `buckets`; and `buckets` is empty if `sorted` is.
#[derive(Debug, Default)]
pub(super) struct CalendarQueue {
    sorted: OrderedSet,
    buckets: BTreeMap<i64, Bucket>,
    /// The number of the first bucket that is in `buckets`.
    horizon: i64,
    /// The width of a bucket, as a power of two in microseconds, less [`SECOND`].
    width: u32,
    /// If `sorted` has more positions than this and more than [`MIN_LIMIT`], all but its first bucket move to `buckets`.
    limit: usize,
}

/// The narrowest bucket has 2^20 µs.
const SECOND: u32 = 20;

/// The maximum number of buckets.
const MAX_BUCKETS: usize = 4096;

/// The number of positions that may always be in `sorted`.
const MIN_LIMIT: usize = 2 * MAX_UNSORTED;

/// The positions of an interval of time.
#[derive(Debug)]
enum Bucket {
    /// Removing a position searches for it.
    Unsorted(Vec<Position>),
    /// There are many.
    Sorted(BTreeSet<Position>),
}

/// A bucket with more positions than this is sorted.
const MAX_UNSORTED: usize = 2048;

impl CalendarQueue {
    pub(super) fn insert(&mut self, position: Position) {
        let bucket = self.bucket_number(position.at);
        if self.sorted.len() == 0 && self.buckets.is_empty() {
            self.horizon = bucket.saturating_add(1);
        }
        if bucket < self.horizon {
            self.sorted.insert(position);
            if self.sorted.len() > self.limit.max(MIN_LIMIT) {
                self.spill();
            }
        } else {
            self.insert_into_bucket(bucket, position);
        }
    }

    fn insert_into_bucket(&mut self, bucket: i64, position: Position) {
        self.buckets.entry(bucket).or_default().insert(position);
        while self.buckets.len() > MAX_BUCKETS {
            self.widen();
        }
    }

    /// Moves all but the first bucket of `sorted` to `buckets`. `sorted` may be wide because its first position was once the only
    /// one.
    fn spill(&mut self) {
        let Some(first) = self.sorted.first().map(|position| self.bucket_number(position.at)) else { return };
        let horizon = first.saturating_add(1);
        if horizon < self.horizon {
            self.horizon = horizon;
            for position in std::mem::take(&mut self.sorted) {
                let bucket = self.bucket_number(position.at);
                if bucket < self.horizon {
                    self.sorted.insert(position);
                } else {
                    self.insert_into_bucket(bucket, position);
                }
            }
        }
        self.note_limit();
    }

    /// Sets the limit of `sorted` to twice its size, so that it does not spill again before it has doubled.
    fn note_limit(&mut self) {
        self.limit = 2 * self.sorted.len();
    }

    #[inline]
    pub(super) fn first(&self) -> Option<&Position> {
        self.sorted.first()
    }

    /// Removes and returns the first position, if it is due at `now`.
    #[inline]
    pub(super) fn pop_until(&mut self, now: Timestamp) -> Option<Position> {
        let first = *self.sorted.first().filter(|first| first.at <= now)?;
        self.sorted.pop_first();
        self.refill();
        Some(first)
    }

    /// Removes a position. Returns whether it was there.
    pub(super) fn remove(&mut self, position: &Position) -> bool {
        let bucket = self.bucket_number(position.at);
        if bucket < self.horizon {
            let was_there = self.sorted.remove(position);
            self.refill();
            return was_there;
        }
        let Some(there) = self.buckets.get_mut(&bucket) else { return false };
        let was_there = there.remove(position);
        if there.is_empty() {
            self.buckets.remove(&bucket);
        }
        was_there
    }

    fn bucket_number(&self, at: Timestamp) -> i64 {
        at.as_micros() >> (SECOND + self.width)
    }

    /// Moves the next bucket to `sorted` if `sorted` is empty.
    fn refill(&mut self) {
        if self.sorted.len() > 0 {
            return;
        }
        let Some((bucket, positions)) = self.buckets.pop_first() else {
            self.width = 0;
            return;
        };
        self.horizon = bucket.saturating_add(1);
        match positions {
            Bucket::Unsorted(mut positions) => {
                positions.sort_unstable();
                positions.into_iter().for_each(|position| self.sorted.insert(position));
            }
            Bucket::Sorted(positions) => {
                positions.into_iter().for_each(|position| self.sorted.insert(position));
            }
        }
        if self.buckets.is_empty() {
            // No bucket is left, so later positions can go into buckets of the narrowest width again.
            self.horizon = self.horizon.saturating_mul(1 << self.width);
            self.width = 0;
        }
        self.note_limit();
    }

    /// Doubles the width of each bucket.
    fn widen(&mut self) {
        self.width += 1;
        let narrow = std::mem::take(&mut self.buckets);
        // If only half of the widened first bucket is in `sorted`, move all of it there.
        self.horizon = self.horizon.saturating_add(1) >> 1;
        for (bucket, positions) in narrow {
            let wide = bucket >> 1;
            if wide < self.horizon {
                positions.into_iter().for_each(|position| self.sorted.insert(position));
            } else {
                self.buckets.entry(wide).or_default().append(positions);
            }
        }
    }
}

impl Default for Bucket {
    fn default() -> Self {
        Self::Unsorted(Vec::new())
    }
}

impl Bucket {
    fn insert(&mut self, position: Position) {
        match self {
            Self::Unsorted(positions) => {
                positions.push(position);
                if positions.len() > MAX_UNSORTED {
                    *self = Self::Sorted(std::mem::take(positions).into_iter().collect());
                }
            }
            Self::Sorted(positions) => drop(positions.insert(position)),
        }
    }

    fn remove(&mut self, position: &Position) -> bool {
        match self {
            Self::Unsorted(positions) => {
                let there = positions.iter().position(|there| there == position);
                there.map(|there| positions.swap_remove(there)).is_some()
            }
            Self::Sorted(positions) => positions.remove(position),
        }
    }

    fn append(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Unsorted(positions), other) if positions.is_empty() => *self = other,
            (_, other) => other.into_iter().for_each(|position| self.insert(position)),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Unsorted(positions) => positions.is_empty(),
            Self::Sorted(positions) => positions.is_empty(),
        }
    }

    fn into_iter(self) -> Box<dyn Iterator<Item = Position>> {
        match self {
            Self::Unsorted(positions) => Box::new(positions.into_iter()),
            Self::Sorted(positions) => Box::new(positions.into_iter()),
        }
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::super::Slot;
    use super::*;

    fn position(at: i64, number: u64) -> Position {
        Position::at(Timestamp::from_micros(at), number, Slot(u32::try_from(number).unwrap()))
    }

    /// Draws a random instant: near or far, isolated or crowded, and sometimes equal to another one.
    fn instant(random: &mut Rng, spread: u32) -> i64 {
        let at = random.i64(-1_000..1_000_000) << random.u32(0..=spread);
        if random.u8(0..8) == 0 { at >> 30 << 30 } else { at }
    }

    #[test]
    fn it_behaves_like_a_sorted_set() {
        for seed in 0..60 {
            let mut random = Rng::with_seed(seed);
            let (mut calendar, mut model) = (CalendarQueue::default(), BTreeSet::new());
            let (jobs, spread) = (random.u64(1..12_000), random.u32(0..40));
            for number in 0..jobs {
                match random.u8(0..10) {
                    0..7 => {
                        let position = position(instant(&mut random, spread), number);
                        calendar.insert(position);
                        model.insert(position);
                    }
                    7 => {
                        if let Some(first) = model.pop_first() {
                            assert!(calendar.remove(&first));
                        }
                    }
                    _ => {
                        let some = position(instant(&mut random, spread), 0);
                        let gone = model.range(some..).next().copied().unwrap_or(some);
                        assert_eq!(calendar.remove(&gone), model.remove(&gone), "seed {seed}");
                        assert!(!calendar.remove(&gone), "it was removed twice");
                    }
                }
                assert_eq!(calendar.first(), model.first(), "seed {seed}");
                assert!(calendar.buckets.len() <= MAX_BUCKETS, "{} buckets", calendar.buckets.len());
            }
            while let Some(first) = model.pop_first() {
                assert_eq!(calendar.first(), Some(&first), "seed {seed}");
                assert!(calendar.remove(&first), "seed {seed}");
            }
            assert_eq!((calendar.first(), calendar.buckets.len()), (None, 0));
        }
    }

    /// `sorted` stays small, also when each job is due before all earlier ones.
    #[test]
    fn sorted_stays_small_for_descending_instants() {
        let mut calendar = CalendarQueue::default();
        let at = |number: u64| position(1_000_000 * (50_000 - i64::try_from(number).unwrap()), number);

        (0..50_000).for_each(|number| calendar.insert(at(number)));

        assert!(calendar.sorted.len() <= MIN_LIMIT, "{} are sorted", calendar.sorted.len());
        for number in (0..50_000).rev() {
            assert_eq!(calendar.first(), Some(&at(number)));
            assert!(calendar.remove(&at(number)));
        }
    }

    /// A crowd that is due at one instant is not moved each time a job before it comes and goes.
    #[test]
    fn a_crowd_is_not_moved_for_each_earlier_job() {
        let mut calendar = CalendarQueue::default();
        (0..20_000).for_each(|number| calendar.insert(position(1 << 40, number)));
        let mut moves = 0;

        for number in 20_000..20_100 {
            calendar.insert(position(0, number));
            let is_in_bucket = !calendar.buckets.is_empty();
            assert!(calendar.remove(&position(0, number)));
            moves += usize::from(is_in_bucket);
        }

        assert!(moves <= 1, "the crowd was moved {moves} times");
    }

    /// The number of buckets is bounded, also for jobs at large equal distances.
    #[test]
    fn the_number_of_buckets_is_bounded() {
        let mut calendar = CalendarQueue::default();

        for number in 0..20_000 {
            calendar.insert(position(i64::try_from(number).unwrap() << 40, number));
            assert!(
                calendar.buckets.len() <= MAX_BUCKETS,
                "{} buckets of {number} jobs",
                calendar.buckets.len()
            );
        }
    }

    /// The first and the last instants are sorted like all others.
    #[test]
    fn the_first_and_last_instants_are_sorted() {
        let mut calendar = CalendarQueue::default();
        let ends = [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX];
        let positions: Vec<_> = ends.into_iter().zip(0..).map(|(at, number)| position(at, number)).collect();

        positions.iter().rev().for_each(|position| calendar.insert(*position));

        let now = Timestamp::MAX;
        let gone: Vec<_> = std::iter::from_fn(|| calendar.pop_until(now)).collect();
        assert_eq!(gone, positions);
    }

    /// Many positions at one instant can be removed one by one.
    #[test]
    fn a_crowded_bucket_is_sorted() {
        let mut calendar = CalendarQueue::default();
        calendar.insert(position(0, 0));
        let crowd = |number| position(1 << 40, number);

        (1..=10_000).for_each(|number| calendar.insert(crowd(number)));

        let crowded = calendar.buckets.values().filter(|bucket| matches!(bucket, Bucket::Sorted(_))).count();
        assert_eq!(crowded, 1);
        assert!((1..=10_000).rev().all(|number| calendar.remove(&crowd(number))));
        assert_eq!((calendar.first(), calendar.buckets.len()), (Some(&position(0, 0)), 0));
    }
}
