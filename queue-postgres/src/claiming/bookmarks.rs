//! Where looks begin. What has come and gone leaves rows behind, and each look walks past them to the first that is there,
//! until they are vacuumed; while any transaction stays open in the database, they can't be.
//!
//! So after a slow look from the very beginning, the next looks begin at the last thing that was found. The next whole look
//! is due 20 times its duration later, so that whole looks take at most a twentieth of the time, but at most 250 ms later or
//! its duration, whichever is longer. What belongs before that place waits until then: a job of a higher priority, one that
//! was released or became due, a lease that is shorter than others.
//!
//! **Invariant:** until [`MANY`] jobs were leased, and whenever a whole look takes little, each look is a whole one.

use std::collections::HashMap;
use std::time::Duration;

use queue_core::{QueueName, Timestamp};
use tokio::time::Instant;

use super::leased::Looked;

/// So few jobs leave nothing behind that is worth the trouble.
const MANY: u64 = 5_000;

/// A look that took so long, in microseconds, and so much more for each job that it found, walked past what has gone.
const LONG: i64 = 300;
const LONG_FOR_A_JOB: i64 = 4;

/// After a slow whole look, the next one is due this many times its duration later.
const RARITY: u32 = 20;

/// The longest time between two whole looks, unless a whole look takes longer than that: so long a job may be overtaken.
const LONGEST: Duration = Duration::from_millis(250);

/// A job's place in its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) priority: i32,
    pub(super) run_at: i64,
    pub(super) seq: i64,
}

/// Where a look begins; at the very beginning, where nothing is said.
#[derive(Debug, Default)]
pub(super) struct Begin {
    pub(super) queues: HashMap<QueueName, Place>,
    pub(super) due: Option<Timestamp>,
    pub(super) expiry: Option<Timestamp>,
}

impl Begin {
    /// Tells whether nothing can be missed.
    pub(super) fn is_whole(&self) -> bool {
        self.queues.is_empty() && self.due.is_none() && self.expiry.is_none()
    }
}

#[derive(Default)]
pub(super) struct Bookmarks {
    queues: HashMap<QueueName, Bookmark<Place>>,
    time: Bookmark<(Option<Timestamp>, Option<Timestamp>)>,
}

struct Bookmark<P> {
    from: Option<P>,
    /// When the next look is a whole one.
    whole_at: Option<Instant>,
    /// How many jobs were leased since a whole look took little.
    leased: u64,
}

impl Bookmarks {
    /// Tells where to begin to look for jobs of these queues.
    pub(super) fn begin<'a>(&self, now: Instant, queues: impl Iterator<Item = &'a QueueName>) -> Begin {
        let from = |queue| self.queues.get(queue)?.begin(now);
        let places = queues.filter_map(|queue| Some((queue.clone(), from(queue)?)));
        let (due, expiry) = self.time.begin(now).unwrap_or_default();
        Begin { queues: places.collect(), due, expiry }
    }

    /// Notes what a look found that began there, for each queue that was asked for, and how long it took.
    pub(super) fn note<'a>(
        &mut self,
        now: Instant,
        begin: &Begin,
        queues: impl Iterator<Item = &'a QueueName>,
        looked: &Looked,
    ) {
        let mut scan_us = looked.scan_us.iter().copied();
        let is_whole = begin.due.is_none() && begin.expiry.is_none();
        // A lease of this very look may be over sooner than what was found.
        let own = looked.deliveries.iter().map(|(_, delivery)| delivery.lease.expires_at);
        let expiry = looked.expiry.into_iter().chain(own).min();
        let count = looked.deliveries.len();
        self.time.note(now, is_whole, scan_us.next().unwrap_or(0), count, 0, Some((looked.due, expiry)));
        for ((queue, found), cost) in queues.zip(&looked.found).zip(scan_us) {
            // Nobody had room for more when it was this queue's turn.
            if cost < 0 {
                continue;
            }
            let is_whole = !begin.queues.contains_key(queue);
            // A queue is worth a bookmark once there were jobs in it.
            if found.count > 0 || self.queues.contains_key(queue) {
                let bookmark = self.queues.entry(queue.clone()).or_default();
                bookmark.note(now, is_whole, cost, found.count, found.count, found.last);
            }
        }
    }

    /// Tells when the next whole look for jobs of these queues is due, if there are others meanwhile. Of other queues it
    /// would never come, since nobody looks there.
    pub(super) fn whole_at<'a>(&self, queues: impl Iterator<Item = &'a QueueName>) -> Option<Instant> {
        let queues = queues.filter_map(|queue| self.queues.get(queue)?.whole_at);
        queues.chain(self.time.whole_at).min()
    }

    /// Has the next look be a whole one.
    pub(super) fn forget(&mut self) {
        self.queues.values_mut().for_each(|bookmark| bookmark.whole_at = None);
        self.time.whole_at = None;
    }
}

impl<P: Copy> Bookmark<P> {
    fn begin(&self, now: Instant) -> Option<P> {
        self.from.filter(|_| self.whole_at.is_some_and(|whole_at| now < whole_at))
    }

    /// Notes a look that leased `leased` jobs and itself found `found`, the last of them there.
    fn note(
        &mut self,
        now: Instant,
        is_whole: bool,
        cost: i64,
        leased: usize,
        found: usize,
        last: Option<P>,
    ) {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.leased = self.leased.saturating_add(count(leased).unsigned_abs());
        self.from = last.or(self.from);
        if !is_whole {
            return;
        }
        let is_long = cost > LONG.saturating_add(LONG_FOR_A_JOB.saturating_mul(count(found)));
        if is_long && self.leased >= MANY {
            let cost = Duration::from_micros(cost.unsigned_abs());
            self.whole_at = Some(now + cost.saturating_mul(RARITY).min(LONGEST.max(cost)));
        } else if !is_long {
            *self = Self { from: self.from, ..Self::default() };
        }
    }
}

impl<P> Default for Bookmark<P> {
    fn default() -> Self {
        Self { from: None, whole_at: None, leased: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::leased::Found;
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    /// A look from the beginning that leased so many jobs, up to this place, and took so long.
    fn whole(bookmark: &mut Bookmark<u32>, now: Instant, cost: i64, leased: usize, last: u32) {
        bookmark.note(now, true, cost, leased, leased, Some(last));
    }

    #[test]
    fn while_few_were_leased_each_look_is_a_whole_one() {
        let (mut bookmark, now) = (Bookmark::default(), Instant::now());

        whole(&mut bookmark, now, 50_000, 4_999, 7);

        assert_eq!(bookmark.begin(now), None);
    }

    #[test]
    fn after_a_long_look_others_begin_at_the_last_job_until_the_next_whole_one_is_due() {
        let (mut bookmark, now) = (Bookmark::default(), Instant::now());

        whole(&mut bookmark, now, 5_000 + 40_000, 10_000, 7);
        assert_eq!(bookmark.begin(now + 249 * MILLI), Some(7));
        bookmark.note(now + 249 * MILLI, false, 100, 10, 10, Some(17));
        assert_eq!(bookmark.begin(now + 249 * MILLI), Some(17));
        bookmark.note(now + 249 * MILLI, false, 100, 0, 0, None);
        assert_eq!(bookmark.begin(now + 249 * MILLI), Some(17), "nothing was found after the last");
        assert_eq!(bookmark.begin(now + 250 * MILLI), None);
    }

    #[test]
    fn the_next_whole_look_is_due_by_the_duration_of_the_last() {
        let now = Instant::now();
        for (cost, due) in [(1_000, 20), (10_000, 200), (13_000, 250), (240_000, 250), (2_000_000, 2_000)] {
            let mut bookmark = Bookmark { leased: MANY, ..Bookmark::default() };

            whole(&mut bookmark, now, cost, 0, 7);

            assert_eq!(bookmark.whole_at, Some(now + due * MILLI), "after a look of {cost} µs");
        }
    }

    #[test]
    fn once_a_whole_look_takes_little_each_is_a_whole_one_again() {
        let (mut bookmark, now) = (Bookmark::default(), Instant::now());
        whole(&mut bookmark, now, 50_000, 10_000, 7);

        whole(&mut bookmark, now + 1000 * MILLI, 200, 10, 17);
        assert_eq!(bookmark.begin(now + 1000 * MILLI), None);
        whole(&mut bookmark, now + 1000 * MILLI, 50_000, 10, 27);
        assert_eq!(bookmark.begin(now + 1000 * MILLI), None, "few were leased since");
    }

    /// Else a claim on one queue would look without end for the sake of another that nobody asks for.
    #[test]
    fn a_whole_look_is_due_for_queues_that_are_asked_for() {
        let (busy, quiet) = (QueueName::from("busy"), QueueName::from("quiet"));
        let mut bookmarks = Bookmarks::default();
        let found = Found { count: 10_000, last: Some(Place { priority: 0, run_at: 1, seq: 1 }) };
        let looked = Looked { found: vec![found], scan_us: vec![0, 50_000], ..Looked::default() };
        let now = Instant::now();

        bookmarks.note(now, &Begin::default(), [&busy].into_iter(), &looked);

        assert_eq!(bookmarks.whole_at([&busy].into_iter()), Some(now + 250 * MILLI));
        assert_eq!(bookmarks.whole_at([&quiet].into_iter()), None);
        // A queue that was not looked at for want of room is as it was.
        let full = Looked { found: vec![Found::default()], scan_us: vec![0, -1], ..Looked::default() };
        bookmarks.note(now, &Begin::default(), [&busy].into_iter(), &full);
        assert_eq!(bookmarks.whole_at([&busy].into_iter()), Some(now + 250 * MILLI));
    }

    #[test]
    fn a_look_that_finds_much_may_take_its_time() {
        let (mut bookmark, now) = (Bookmark::default(), Instant::now());

        whole(&mut bookmark, now, 20_000, 5_000, 7);

        assert_eq!(bookmark.begin(now), None);
    }
}
