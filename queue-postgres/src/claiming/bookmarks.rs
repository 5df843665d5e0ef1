//! Where claim scans start. Until vacuum runs, each claimed job leaves a dead entry in the index, and a scan from the
//! start of the index steps over all of them. While any transaction stays open in the database, vacuum can't remove them.
//!
//! So after a slow full scan, the next scans start at the last job that was found. The next full scan is due 20 times its
//! duration later, so that full scans take at most a twentieth of the time, but no later than after 250 ms or its
//! duration, whichever is longer. A row that sorts before the scan start waits until then: a job of a higher priority, a
//! job that was released or became due, a lease that is shorter than others.
//!
//! **Invariant:** until [`MANY`] jobs were leased, and whenever a full scan is fast, each scan is a full scan.

use std::collections::HashMap;
use std::time::Duration;

use queue_core::{QueueName, Timestamp};
use tokio::time::Instant;

use super::leased::Looked;

/// Fewer leased jobs leave too few dead entries to slow a scan down.
const MANY: u64 = 5_000;

/// A scan slower than `LONG` + `LONG_FOR_A_JOB` per job found, in microseconds, must have stepped over dead index
/// entries.
const LONG: i64 = 300;
const LONG_FOR_A_JOB: i64 = 4;

/// After a slow full scan, the next one is due this many times its duration later, so full scans take at most 5 % of the
/// time.
const RARITY: u32 = 20;

/// The longest time between two full scans, unless a full scan takes longer. For this time, a job may be overtaken.
const LONGEST: Duration = Duration::from_millis(250);

/// The sort key of a ready job in its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) priority: i32,
    pub(super) run_at: i64,
    pub(super) seq: i64,
}

/// Where a scan starts. A missing entry means the start of the index.
#[derive(Debug, Default)]
pub(super) struct Begin {
    pub(super) queues: HashMap<QueueName, Place>,
    pub(super) due: Option<Timestamp>,
    pub(super) expiry: Option<Timestamp>,
}

impl Begin {
    /// Returns whether each scan starts at the start of its index.
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
    /// When the next full scan is due; `None` if each scan is a full one.
    whole_at: Option<Instant>,
    /// The number of jobs leased since the last fast full scan.
    leased: u64,
}

impl Bookmarks {
    /// Returns where the scan of these queues starts.
    pub(super) fn begin<'a>(&self, now: Instant, queues: impl Iterator<Item = &'a QueueName>) -> Begin {
        let from = |queue| self.queues.get(queue)?.begin(now);
        let places = queues.filter_map(|queue| Some((queue.clone(), from(queue)?)));
        let (due, expiry) = self.time.begin(now).unwrap_or_default();
        Begin { queues: places.collect(), due, expiry }
    }

    /// Records the result of a scan that started at `begin`, for each of its queues.
    pub(super) fn note<'a>(
        &mut self,
        now: Instant,
        begin: &Begin,
        queues: impl Iterator<Item = &'a QueueName>,
        looked: &Looked,
    ) {
        let mut scan_us = looked.scan_us.iter().copied();
        let is_whole = begin.due.is_none() && begin.expiry.is_none();
        // A lease of this scan may expire sooner than those it found.
        let own = looked.deliveries.iter().map(|(_, delivery)| delivery.lease.expires_at);
        let expiry = looked.expiry.into_iter().chain(own).min();
        let count = looked.deliveries.len();
        self.time.note(now, is_whole, scan_us.next().unwrap_or(0), count, 0, Some((looked.due, expiry)));
        for ((queue, found), cost) in queues.zip(&looked.found).zip(scan_us) {
            // The queue was not scanned: its claim was already full.
            if cost < 0 {
                continue;
            }
            let is_whole = !begin.queues.contains_key(queue);
            // A queue gets a bookmark once a job was found in it.
            if found.count > 0 || self.queues.contains_key(queue) {
                let bookmark = self.queues.entry(queue.clone()).or_default();
                bookmark.note(now, is_whole, cost, found.count, found.count, found.last);
            }
        }
    }

    /// Returns when the next full scan of these queues is due; `None` if each scan is a full one. Queues without a
    /// waiting claim don't count: no scan would ever clear theirs.
    pub(super) fn whole_at<'a>(&self, queues: impl Iterator<Item = &'a QueueName>) -> Option<Instant> {
        let queues = queues.filter_map(|queue| self.queues.get(queue)?.whole_at);
        queues.chain(self.time.whole_at).min()
    }

    /// Forces the next scan to be a full one.
    pub(super) fn forget(&mut self) {
        self.queues.values_mut().for_each(|bookmark| bookmark.whole_at = None);
        self.time.whole_at = None;
    }
}

impl<P: Copy> Bookmark<P> {
    fn begin(&self, now: Instant) -> Option<P> {
        self.from.filter(|_| self.whole_at.is_some_and(|whole_at| now < whole_at))
    }

    /// Records a scan that leased `leased` jobs in total and found `found` entries of its own, the last of them at
    /// `last`.
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

    /// Records a full scan that took `cost` microseconds and leased `leased` jobs, the last of them at `last`.
    fn whole(bookmark: &mut Bookmark<u32>, now: Instant, cost: i64, leased: usize, last: u32) {
        bookmark.note(now, true, cost, leased, leased, Some(last));
    }

    #[test]
    fn each_scan_is_full_while_few_jobs_were_leased() {
        let (mut bookmark, now) = (Bookmark::default(), Instant::now());

        whole(&mut bookmark, now, 50_000, 4_999, 7);

        assert_eq!(bookmark.begin(now), None);
    }

    #[test]
    fn after_a_slow_full_scan_scans_start_at_the_last_job_until_the_next_full_scan_is_due() {
        let (mut bookmark, now) = (Bookmark::default(), Instant::now());

        whole(&mut bookmark, now, 5_000 + 40_000, 10_000, 7);
        assert_eq!(bookmark.begin(now + 249 * MILLI), Some(7));
        bookmark.note(now + 249 * MILLI, false, 100, 10, 10, Some(17));
        assert_eq!(bookmark.begin(now + 249 * MILLI), Some(17));
        bookmark.note(now + 249 * MILLI, false, 100, 0, 0, None);
        assert_eq!(bookmark.begin(now + 249 * MILLI), Some(17), "the scan found no later job");
        assert_eq!(bookmark.begin(now + 250 * MILLI), None);
    }

    #[test]
    fn the_next_full_scan_is_due_in_proportion_to_the_duration_of_the_last() {
        let now = Instant::now();
        for (cost, due) in [(1_000, 20), (10_000, 200), (13_000, 250), (240_000, 250), (2_000_000, 2_000)] {
            let mut bookmark = Bookmark { leased: MANY, ..Bookmark::default() };

            whole(&mut bookmark, now, cost, 0, 7);

            assert_eq!(bookmark.whole_at, Some(now + due * MILLI), "after a full scan of {cost} µs");
        }
    }

    #[test]
    fn after_a_fast_full_scan_each_scan_is_full_again() {
        let (mut bookmark, now) = (Bookmark::default(), Instant::now());
        whole(&mut bookmark, now, 50_000, 10_000, 7);

        whole(&mut bookmark, now + 1000 * MILLI, 200, 10, 17);
        assert_eq!(bookmark.begin(now + 1000 * MILLI), None);
        whole(&mut bookmark, now + 1000 * MILLI, 50_000, 10, 27);
        assert_eq!(bookmark.begin(now + 1000 * MILLI), None, "few jobs were leased since");
    }

    /// Otherwise a claim on one queue would scan without pause because of another queue that has no waiting claim.
    #[test]
    fn full_scans_are_due_only_for_queues_with_waiting_claims() {
        let (busy, quiet) = (QueueName::from("busy"), QueueName::from("quiet"));
        let mut bookmarks = Bookmarks::default();
        let found = Found { count: 10_000, last: Some(Place { priority: 0, run_at: 1, seq: 1 }) };
        let looked = Looked { found: vec![found], scan_us: vec![0, 50_000], ..Looked::default() };
        let now = Instant::now();

        bookmarks.note(now, &Begin::default(), [&busy].into_iter(), &looked);

        assert_eq!(bookmarks.whole_at([&busy].into_iter()), Some(now + 250 * MILLI));
        assert_eq!(bookmarks.whole_at([&quiet].into_iter()), None);
        // A queue that was not scanned because the claim was full keeps its state.
        let full = Looked { found: vec![Found::default()], scan_us: vec![0, -1], ..Looked::default() };
        bookmarks.note(now, &Begin::default(), [&busy].into_iter(), &full);
        assert_eq!(bookmarks.whole_at([&busy].into_iter()), Some(now + 250 * MILLI));
    }

    #[test]
    fn a_slow_scan_that_finds_many_jobs_is_not_slow_per_job() {
        let (mut bookmark, now) = (Bookmark::default(), Instant::now());

        whole(&mut bookmark, now, 20_000, 5_000, 7);

        assert_eq!(bookmark.begin(now), None);
    }
}
