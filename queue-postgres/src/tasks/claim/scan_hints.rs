//! The starts of claim scans. Until vacuum runs, each claimed job leaves a dead entry in the index, and a scan from the
//! start of the index steps over all of them. While any transaction stays open in the database, vacuum can't remove them.
//!
//! So after a slow full scan, the next scans start at the last job that was found. The next full scan is due 20 times its
//! duration later, so that full scans take at most a twentieth of the time, but no later than after 250 ms or its
//! duration, whichever is longer. A row that sorts before the scan start waits until then: a job of a higher priority, a
//! job that was released or became due, a lease that is shorter than others.
//!
//! **Invariant:** until [`MIN_CLAIMED`] jobs were leased, and whenever a full scan is fast, each scan is a full scan.

use std::collections::HashMap;
use std::time::Duration;

use queue_core::{QueueName, Timestamp};
use tokio::time::Instant;

use super::scan::{ReadyKey, ScanResult, ScanStart};

/// Fewer leased jobs leave too few dead entries to slow a scan down.
const MIN_CLAIMED: u64 = 5_000;

/// A scan slower than this must have stepped over dead index entries: `SLOW_SCAN_US` microseconds, and
/// `SLOW_SCAN_US_PER_JOB` more per job found.
const SLOW_SCAN_US: i64 = 300;
const SLOW_SCAN_US_PER_JOB: i64 = 4;

/// After a slow full scan, the next one is due this many times its duration later, so full scans take at most 5 % of the
/// time.
const FULL_SCAN_SPACING: u32 = 20;

/// The longest time between two full scans, unless a full scan takes longer. For this time, a job may be overtaken.
const MAX_FULL_SCAN_SPACING: Duration = Duration::from_millis(250);

/// The scan starts of all queues.
#[derive(Default)]
pub(super) struct ScanHints {
    queues: HashMap<QueueName, ScanHint<ReadyKey>>,
    time: ScanHint<(Option<Timestamp>, Option<Timestamp>)>,
}

/// The scan start of one index.
struct ScanHint<P> {
    from: Option<P>,
    /// When the next full scan is due; `None` if each scan is a full one.
    full_scan_at: Option<Instant>,
    /// The number of jobs leased since the last fast full scan.
    leased: u64,
}

impl ScanHints {
    /// Returns where the scan of these queues starts.
    pub(super) fn start<'a>(&self, now: Instant, queues: impl Iterator<Item = &'a QueueName>) -> ScanStart {
        let from = |queue| self.queues.get(queue)?.start(now);
        let starts = queues.filter_map(|queue| Some((queue.clone(), from(queue)?)));
        let (due, expiry) = self.time.start(now).unwrap_or_default();
        ScanStart { queues: starts.collect(), due, expiry }
    }

    /// Records the result of a scan that started at `start`, for each of its queues.
    pub(super) fn record<'a>(
        &mut self,
        now: Instant,
        start: &ScanStart,
        queues: impl Iterator<Item = &'a QueueName>,
        scan: &ScanResult,
    ) {
        let mut scan_us = scan.scan_us.iter().copied();
        let is_full = start.due.is_none() && start.expiry.is_none();
        // A lease of this scan may expire sooner than those it found.
        let own = scan.deliveries.iter().map(|(_, delivery)| delivery.lease.expires_at);
        let expiry = scan.expiry.into_iter().chain(own).min();
        let count = scan.deliveries.len();
        self.time.record(now, is_full, scan_us.next().unwrap_or(0), count, 0, Some((scan.due, expiry)));
        for ((queue, found), cost) in queues.zip(&scan.queues).zip(scan_us) {
            // The queue was not scanned: its claim was already full.
            if cost < 0 {
                continue;
            }
            let is_full = !start.queues.contains_key(queue);
            // A queue gets a hint once a job was found in it.
            if found.count > 0 || self.queues.contains_key(queue) {
                let hint = self.queues.entry(queue.clone()).or_default();
                hint.record(now, is_full, cost, found.count, found.count, found.last);
            }
        }
    }

    /// Returns when the next full scan of these queues is due; `None` if each scan is a full one. Queues without a
    /// waiting claim don't count: no scan would ever clear theirs.
    pub(super) fn full_scan_at<'a>(&self, queues: impl Iterator<Item = &'a QueueName>) -> Option<Instant> {
        let queues = queues.filter_map(|queue| self.queues.get(queue)?.full_scan_at);
        queues.chain(self.time.full_scan_at).min()
    }

    /// Forces the next scan to be a full one.
    pub(super) fn force_full_scan(&mut self) {
        self.queues.values_mut().for_each(|hint| hint.full_scan_at = None);
        self.time.full_scan_at = None;
    }
}

impl<P: Copy> ScanHint<P> {
    fn start(&self, now: Instant) -> Option<P> {
        self.from.filter(|_| self.full_scan_at.is_some_and(|full_scan_at| now < full_scan_at))
    }

    /// Records a scan that leased `leased` jobs in total and found `found` entries of its own, the last of them at
    /// `last`.
    fn record(
        &mut self,
        now: Instant,
        is_full: bool,
        cost: i64,
        leased: usize,
        found: usize,
        last: Option<P>,
    ) {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.leased = self.leased.saturating_add(count(leased).unsigned_abs());
        self.from = last.or(self.from);
        if !is_full {
            return;
        }
        let is_slow = cost > SLOW_SCAN_US.saturating_add(SLOW_SCAN_US_PER_JOB.saturating_mul(count(found)));
        if is_slow && self.leased >= MIN_CLAIMED {
            let cost = Duration::from_micros(cost.unsigned_abs());
            self.full_scan_at =
                Some(now + cost.saturating_mul(FULL_SCAN_SPACING).min(MAX_FULL_SCAN_SPACING.max(cost)));
        } else if !is_slow {
            *self = Self { from: self.from, ..Self::default() };
        }
    }
}

impl<P> Default for ScanHint<P> {
    fn default() -> Self {
        Self { from: None, full_scan_at: None, leased: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan::QueueScan;
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    /// Records a full scan that took `cost` microseconds and leased `leased` jobs, the last of them at `last`.
    fn full_scan(hint: &mut ScanHint<u32>, now: Instant, cost: i64, leased: usize, last: u32) {
        hint.record(now, true, cost, leased, leased, Some(last));
    }

    #[test]
    fn each_scan_is_full_while_few_jobs_were_leased() {
        let (mut hint, now) = (ScanHint::default(), Instant::now());

        full_scan(&mut hint, now, 50_000, 4_999, 7);

        assert_eq!(hint.start(now), None);
    }

    #[test]
    fn after_a_slow_full_scan_scans_start_at_the_last_job_until_the_next_full_scan_is_due() {
        let (mut hint, now) = (ScanHint::default(), Instant::now());

        full_scan(&mut hint, now, 5_000 + 40_000, 10_000, 7);
        assert_eq!(hint.start(now + 249 * MILLI), Some(7));
        hint.record(now + 249 * MILLI, false, 100, 10, 10, Some(17));
        assert_eq!(hint.start(now + 249 * MILLI), Some(17));
        hint.record(now + 249 * MILLI, false, 100, 0, 0, None);
        assert_eq!(hint.start(now + 249 * MILLI), Some(17), "the scan found no later job");
        assert_eq!(hint.start(now + 250 * MILLI), None);
    }

    #[test]
    fn the_next_full_scan_is_due_in_proportion_to_the_duration_of_the_last() {
        let now = Instant::now();
        for (cost, due) in [(1_000, 20), (10_000, 200), (13_000, 250), (240_000, 250), (2_000_000, 2_000)] {
            let mut hint = ScanHint { leased: MIN_CLAIMED, ..ScanHint::default() };

            full_scan(&mut hint, now, cost, 0, 7);

            assert_eq!(hint.full_scan_at, Some(now + due * MILLI), "after a full scan of {cost} µs");
        }
    }

    #[test]
    fn after_a_fast_full_scan_each_scan_is_full_again() {
        let (mut hint, now) = (ScanHint::default(), Instant::now());
        full_scan(&mut hint, now, 50_000, 10_000, 7);

        full_scan(&mut hint, now + 1000 * MILLI, 200, 10, 17);
        assert_eq!(hint.start(now + 1000 * MILLI), None);
        full_scan(&mut hint, now + 1000 * MILLI, 50_000, 10, 27);
        assert_eq!(hint.start(now + 1000 * MILLI), None, "few jobs were leased since");
    }

    /// Otherwise a claim on one queue would scan without pause because of another queue that has no waiting claim.
    #[test]
    fn full_scans_are_due_only_for_queues_with_waiting_claims() {
        let (busy, quiet) = (QueueName::from("busy"), QueueName::from("quiet"));
        let mut hints = ScanHints::default();
        let found = QueueScan { count: 10_000, last: Some(ReadyKey { priority: 0, run_at: 1, seq: 1 }) };
        let scan = ScanResult { queues: vec![found], scan_us: vec![0, 50_000], ..ScanResult::default() };
        let now = Instant::now();

        hints.record(now, &ScanStart::default(), [&busy].into_iter(), &scan);

        assert_eq!(hints.full_scan_at([&busy].into_iter()), Some(now + 250 * MILLI));
        assert_eq!(hints.full_scan_at([&quiet].into_iter()), None);
        // A queue that was not scanned because the claim was full keeps its state.
        let full =
            ScanResult { queues: vec![QueueScan::default()], scan_us: vec![0, -1], ..ScanResult::default() };
        hints.record(now, &ScanStart::default(), [&busy].into_iter(), &full);
        assert_eq!(hints.full_scan_at([&busy].into_iter()), Some(now + 250 * MILLI));
    }

    #[test]
    fn a_slow_scan_that_finds_many_jobs_is_not_slow_per_job() {
        let (mut hint, now) = (ScanHint::default(), Instant::now());

        full_scan(&mut hint, now, 20_000, 5_000, 7);

        assert_eq!(hint.start(now), None);
    }
}
