//! Jobs by the time at which they are due. There may be millions, inserted in any order.

use std::collections::{BTreeMap, BTreeSet};

use super::index::{Index, Place};
use crate::contract::clock::Timestamp;

/// A sorted set of places, in which only the nearest places are kept in order.
///
/// The other places are put into spans of time, at the same cost however many there are. A span is sorted when it becomes the
/// next one. The number of spans is bounded: when it reaches the bound, each span is made twice as wide.
///
/// **Invariant:** all places before `horizon` are in `near`, all others in `far`; and `far` is empty if `near` is empty.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    near: Index,
    far: BTreeMap<i64, Span>,
    /// The number of the first span that is in `far`.
    horizon: i64,
    /// The width of a span, as a power of two in microseconds, less [`SECOND`].
    width: u32,
    /// If `near` has more places than this and more than [`CROWD`], all but its first span move to `far`.
    crowd: usize,
}

/// The narrowest span has 2^20 µs.
const SECOND: u32 = 20;

/// The maximum number of spans.
const SPANS: usize = 4096;

/// The number of places that may always be in `near`.
const CROWD: usize = 2 * FEW;

/// The places of a span of time.
#[derive(Debug)]
enum Span {
    /// Not sorted: removing a place searches for it.
    Few(Vec<Place>),
    /// Sorted, since there are many.
    Many(BTreeSet<Place>),
}

/// A span with more places than this is sorted.
const FEW: usize = 2048;

impl Calendar {
    pub(super) fn insert(&mut self, place: Place) {
        let span = self.span(place.at);
        if self.near.len() == 0 && self.far.is_empty() {
            self.horizon = span.saturating_add(1);
        }
        if span < self.horizon {
            self.near.insert(place);
            if self.near.len() > self.crowd.max(CROWD) {
                self.thin_out();
            }
        } else {
            self.put_far(span, place);
        }
    }

    fn put_far(&mut self, span: i64, place: Place) {
        self.far.entry(span).or_default().insert(place);
        while self.far.len() > SPANS {
            self.widen();
        }
    }

    /// Moves all but the first span of `near` to `far`. `near` may be wide because its first place was once the only one.
    fn thin_out(&mut self) {
        let Some(first) = self.near.first().map(|place| self.span(place.at)) else { return };
        let horizon = first.saturating_add(1);
        if horizon < self.horizon {
            self.horizon = horizon;
            for place in std::mem::take(&mut self.near) {
                let span = self.span(place.at);
                if span < self.horizon {
                    self.near.insert(place);
                } else {
                    self.put_far(span, place);
                }
            }
        }
        self.note_crowd();
    }

    /// Sets the limit of `near` to twice its size, so that it is not thinned out again before it has doubled.
    fn note_crowd(&mut self) {
        self.crowd = 2 * self.near.len();
    }

    pub(super) fn first(&self) -> Option<&Place> {
        self.near.first()
    }

    /// Removes and returns the first place, if it is due at `now`.
    pub(super) fn pop_until(&mut self, now: Timestamp) -> Option<Place> {
        let first = *self.near.first().filter(|first| first.at <= now)?;
        self.near.pop_first();
        self.draw_near();
        Some(first)
    }

    /// Removes a place. Returns whether it was there.
    pub(super) fn remove(&mut self, place: &Place) -> bool {
        let span = self.span(place.at);
        if span < self.horizon {
            let was_there = self.near.remove(place);
            self.draw_near();
            return was_there;
        }
        let Some(there) = self.far.get_mut(&span) else { return false };
        let was_there = there.remove(place);
        if there.is_empty() {
            self.far.remove(&span);
        }
        was_there
    }

    fn span(&self, at: Timestamp) -> i64 {
        at.as_micros() >> (SECOND + self.width)
    }

    /// Moves the next span to `near` if `near` is empty.
    fn draw_near(&mut self) {
        if self.near.len() > 0 {
            return;
        }
        let Some((span, places)) = self.far.pop_first() else {
            self.width = 0;
            return;
        };
        self.horizon = span.saturating_add(1);
        match places {
            Span::Few(mut places) => {
                places.sort_unstable();
                places.into_iter().for_each(|place| self.near.insert(place));
            }
            Span::Many(places) => places.into_iter().for_each(|place| self.near.insert(place)),
        }
        if self.far.is_empty() {
            // `far` is empty, so later places can go into spans of the narrowest width again.
            self.horizon = self.horizon.saturating_mul(1 << self.width);
            self.width = 0;
        }
        self.note_crowd();
    }

    /// Doubles the width of each span.
    fn widen(&mut self) {
        self.width += 1;
        let narrow = std::mem::take(&mut self.far);
        // If only half of the widened first span is in `near`, move all of it there.
        self.horizon = self.horizon.saturating_add(1) >> 1;
        for (span, places) in narrow {
            let wide = span >> 1;
            if wide < self.horizon {
                places.into_iter().for_each(|place| self.near.insert(place));
            } else {
                self.far.entry(wide).or_default().append(places);
            }
        }
    }
}

impl Default for Span {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Span {
    fn insert(&mut self, place: Place) {
        match self {
            Self::Few(places) => {
                places.push(place);
                if places.len() > FEW {
                    *self = Self::Many(std::mem::take(places).into_iter().collect());
                }
            }
            Self::Many(places) => drop(places.insert(place)),
        }
    }

    fn remove(&mut self, place: &Place) -> bool {
        match self {
            Self::Few(places) => {
                let there = places.iter().position(|there| there == place);
                there.map(|there| places.swap_remove(there)).is_some()
            }
            Self::Many(places) => places.remove(place),
        }
    }

    fn append(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Few(places), other) if places.is_empty() => *self = other,
            (_, other) => other.into_iter().for_each(|place| self.insert(place)),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Few(places) => places.is_empty(),
            Self::Many(places) => places.is_empty(),
        }
    }

    fn into_iter(self) -> Box<dyn Iterator<Item = Place>> {
        match self {
            Self::Few(places) => Box::new(places.into_iter()),
            Self::Many(places) => Box::new(places.into_iter()),
        }
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;
    use crate::table::Slot;

    fn place(at: i64, number: u64) -> Place {
        Place::at(Timestamp::from_micros(at), number, Slot::try_from(number).unwrap())
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
            let (mut calendar, mut model) = (Calendar::default(), BTreeSet::new());
            let (jobs, spread) = (random.u64(1..12_000), random.u32(0..40));
            for number in 0..jobs {
                match random.u8(0..10) {
                    0..7 => {
                        let place = place(instant(&mut random, spread), number);
                        calendar.insert(place);
                        model.insert(place);
                    }
                    7 => {
                        if let Some(first) = model.pop_first() {
                            assert!(calendar.remove(&first));
                        }
                    }
                    _ => {
                        let some = place(instant(&mut random, spread), 0);
                        let gone = model.range(some..).next().copied().unwrap_or(some);
                        assert_eq!(calendar.remove(&gone), model.remove(&gone), "seed {seed}");
                        assert!(!calendar.remove(&gone), "it was removed twice");
                    }
                }
                assert_eq!(calendar.first(), model.first(), "seed {seed}");
                assert!(calendar.far.len() <= SPANS, "{} spans", calendar.far.len());
            }
            while let Some(first) = model.pop_first() {
                assert_eq!(calendar.first(), Some(&first), "seed {seed}");
                assert!(calendar.remove(&first), "seed {seed}");
            }
            assert_eq!((calendar.first(), calendar.far.len()), (None, 0));
        }
    }

    /// `near` stays small, also when each job is due before all earlier ones.
    #[test]
    fn near_stays_small_for_descending_instants() {
        let mut calendar = Calendar::default();
        let at = |number: u64| place(1_000_000 * (50_000 - i64::try_from(number).unwrap()), number);

        (0..50_000).for_each(|number| calendar.insert(at(number)));

        assert!(calendar.near.len() <= CROWD, "{} are near", calendar.near.len());
        for number in (0..50_000).rev() {
            assert_eq!(calendar.first(), Some(&at(number)));
            assert!(calendar.remove(&at(number)));
        }
    }

    /// A crowd that is due at one instant is not moved each time a job before it comes and goes.
    #[test]
    fn a_crowd_is_not_moved_for_each_earlier_job() {
        let mut calendar = Calendar::default();
        (0..20_000).for_each(|number| calendar.insert(place(1 << 40, number)));
        let mut moves = 0;

        for number in 20_000..20_100 {
            calendar.insert(place(0, number));
            let is_far = !calendar.far.is_empty();
            assert!(calendar.remove(&place(0, number)));
            moves += usize::from(is_far);
        }

        assert!(moves <= 1, "the crowd was moved {moves} times");
    }

    /// The number of spans is bounded, also for jobs at large equal distances.
    #[test]
    fn the_number_of_spans_is_bounded() {
        let mut calendar = Calendar::default();

        for number in 0..20_000 {
            calendar.insert(place(i64::try_from(number).unwrap() << 40, number));
            assert!(calendar.far.len() <= SPANS, "{} spans of {number} jobs", calendar.far.len());
        }
    }

    /// The first and the last instants are sorted like all others.
    #[test]
    fn the_first_and_last_instants_are_sorted() {
        let mut calendar = Calendar::default();
        let ends = [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX];
        let places: Vec<_> = ends.into_iter().zip(0..).map(|(at, number)| place(at, number)).collect();

        places.iter().rev().for_each(|place| calendar.insert(*place));

        let now = Timestamp::MAX;
        let gone: Vec<_> = std::iter::from_fn(|| calendar.pop_until(now)).collect();
        assert_eq!(gone, places);
    }

    /// Many places at one instant can be removed one by one.
    #[test]
    fn a_crowded_span_is_sorted() {
        let mut calendar = Calendar::default();
        calendar.insert(place(0, 0));
        let crowd = |number| place(1 << 40, number);

        (1..=10_000).for_each(|number| calendar.insert(crowd(number)));

        let crowded = calendar.far.values().filter(|span| matches!(span, Span::Many(_))).count();
        assert_eq!(crowded, 1);
        assert!((1..=10_000).rev().all(|number| calendar.remove(&crowd(number))));
        assert_eq!((calendar.first(), calendar.far.len()), (Some(&place(0, 0)), 0));
    }
}
