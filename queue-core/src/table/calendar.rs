//! Jobs by the time at which they are due, of which there may be millions that come in any order.

use std::collections::{BTreeMap, BTreeSet};

use super::index::{Index, Place};
use crate::contract::clock::Timestamp;

/// A sorted set of places, of which only the nearest are kept in order.
///
/// The others are put into spans of time as they come, which costs the same however many there are; a span is put in
/// order when it's the next. There are never many spans: if there would be, each is made twice as wide.
///
/// **Invariant:** all that is due before `horizon` is near, all else is far; and nothing is far unless something is near.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    near: Index,
    far: BTreeMap<i64, Span>,
    /// The first span that is far.
    horizon: i64,
    /// A span is this power of two in microseconds, and [`SECOND`] more.
    width: u32,
    /// With more than so many near, and than [`CROWD`], all but the first span is made far.
    crowd: usize,
}

/// The narrowest span, of 2^20 µs.
const SECOND: u32 = 20;

/// So many spans at most.
const SPANS: usize = 4096;

/// So many may be near anyway.
const CROWD: usize = 2 * FEW;

/// What is due in a span of time.
#[derive(Debug)]
enum Span {
    /// In no order: a job that goes is searched for.
    Few(Vec<Place>),
    /// In order, since there are many.
    Many(BTreeSet<Place>),
}

/// A span with more than so many is in order.
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

    /// Leaves only the first span near, if there are more: jobs may have come before one that was alone.
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

    /// Notes how many are near, so that they are not moved away again before as many have come.
    fn note_crowd(&mut self) {
        self.crowd = 2 * self.near.len();
    }

    pub(super) fn first(&self) -> Option<&Place> {
        self.near.first()
    }

    /// Takes the first out, if it's due by then.
    pub(super) fn pop_until(&mut self, now: Timestamp) -> Option<Place> {
        let first = *self.near.first().filter(|first| first.at <= now)?;
        self.near.pop_first();
        self.draw_near();
        Some(first)
    }

    /// Removes a place, and tells whether it was there.
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

    /// Puts the next span in order once nothing is near.
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
            // What comes later is told apart as finely as at first.
            self.horizon = self.horizon.saturating_mul(1 << self.width);
            self.width = 0;
        }
        self.note_crowd();
    }

    /// Makes each span twice as wide.
    fn widen(&mut self) {
        self.width += 1;
        let narrow = std::mem::take(&mut self.far);
        // Of the two halves of a wide span, the one that is near may be it in part: then all of it is.
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

    /// Draws an instant: near or far, alone or among many, and now and then one that another has.
    fn instant(random: &mut Rng, spread: u32) -> i64 {
        let at = random.i64(-1_000..1_000_000) << random.u32(0..=spread);
        if random.u8(0..8) == 0 { at >> 30 << 30 } else { at }
    }

    #[test]
    fn whatever_comes_and_goes_it_is_a_sorted_set() {
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

    /// Jobs that come before one that was alone are not all near because of that.
    #[test]
    fn few_are_near_whatever_came_first() {
        let mut calendar = Calendar::default();
        let at = |number: u64| place(1_000_000 * (50_000 - i64::try_from(number).unwrap()), number);

        (0..50_000).for_each(|number| calendar.insert(at(number)));

        assert!(calendar.near.len() <= CROWD, "{} are near", calendar.near.len());
        for number in (0..50_000).rev() {
            assert_eq!(calendar.first(), Some(&at(number)));
            assert!(calendar.remove(&at(number)));
        }
    }

    /// A crowd that is due at one instant stays near while others come before it and go.
    #[test]
    fn a_crowd_is_not_moved_for_each_that_comes_before_it() {
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

    /// Jobs that are evenly far from one another make no more spans than there may be.
    #[test]
    fn there_are_never_many_spans() {
        let mut calendar = Calendar::default();

        for number in 0..20_000 {
            calendar.insert(place(i64::try_from(number).unwrap() << 40, number));
            assert!(calendar.far.len() <= SPANS, "{} spans of {number} jobs", calendar.far.len());
        }
    }

    /// The first and the last instants are as any.
    #[test]
    fn time_has_two_ends() {
        let mut calendar = Calendar::default();
        let ends = [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX];
        let places: Vec<_> = ends.into_iter().zip(0..).map(|(at, number)| place(at, number)).collect();

        places.iter().rev().for_each(|place| calendar.insert(*place));

        let now = Timestamp::MAX;
        let gone: Vec<_> = std::iter::from_fn(|| calendar.pop_until(now)).collect();
        assert_eq!(gone, places);
    }

    /// Many that are due at one instant can be taken back one by one.
    #[test]
    fn a_span_of_many_is_in_order() {
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
