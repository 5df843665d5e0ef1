//! How many jobs a claim asks for beyond those that can start at once.
//!
//! If a lane has run a batch sooner than a claim takes, it mostly waits for claims. Each claim then asks for one more share than
//! the previous one. A claim in memory takes a few microseconds by itself, so batches of very short jobs grow as well, unless
//! several queues share the lane: the first queue of a claim may fill it, so small claims keep to the weights more closely. As
//! soon as a batch was not started soon, a claim asks only for jobs that can start at once.

use std::time::Duration;

use queue_core::Timestamp;

/// A claim asks for at most this many shares, and for at most this many jobs.
const MAX_SHARES: usize = 8;
const MAX_JOBS: usize = 1_000;

/// Prefetched jobs start within this time, as a rule.
const SOON: Duration = Duration::from_millis(10);

/// A batch that ran for less than this was too small, however fast the claim was.
const SHORT: Duration = Duration::from_micros(100);

/// Sizes the claims of one lane.
#[derive(Debug, Default)]
pub(super) struct Prefetch {
    /// Whether batches of very short jobs grow.
    grows_if_short: bool,
    ahead: usize,
    last: Option<Batch>,
}

/// The last claim, and what it returned.
#[derive(Debug)]
struct Batch {
    asked: usize,
    got: usize,
    at: Timestamp,
    took: Duration,
}

impl Prefetch {
    /// Creates it for a lane that claims from this number of queues.
    pub(super) fn new(queues: usize) -> Self {
        Self { grows_if_short: queues == 1, ..Self::default() }
    }

    /// Returns how many jobs to prefetch, now that the lane has started all jobs of the last claim. `has_suspended` says whether
    /// one of them had to wait for something, so that it may still run.
    pub(super) fn ahead(&mut self, share: usize, now: Timestamp, has_suspended: bool) -> usize {
        if let Some(last) = self.last.take() {
            let ran = now.since(last.at);
            let is_very_short = self.grows_if_short && ran < SHORT && !ran.is_zero() && !has_suspended;
            let is_short = ran < last.took || is_very_short;
            if ran > SOON {
                self.ahead = 0;
            } else if is_short && last.got >= last.asked {
                let max = share.saturating_mul(MAX_SHARES).min(MAX_JOBS);
                self.ahead = self.ahead.saturating_add(share).min(max.saturating_sub(share));
            } else if !is_short && ran > last.took {
                self.ahead /= 2;
            }
        }
        self.ahead
    }

    /// Notes how many jobs a claim asked for and got, when it began, and that it is over now.
    pub(super) fn note(&mut self, asked: usize, got: usize, began: Timestamp, now: Timestamp) {
        self.last = Some(Batch { asked, got, at: now, took: now.since(began) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    /// Notes a claim and the time in which its batch ran. Returns what is prefetched next.
    fn next(prefetch: &mut Prefetch, asked: usize, got: usize, took: Duration, ran: Duration) -> usize {
        let began = Timestamp::from_micros(1_000_000);
        let over = began.saturating_add(took);
        prefetch.note(asked, got, began, over);
        prefetch.ahead(64, over.saturating_add(ran), false)
    }

    #[test]
    fn at_first_nothing_is_prefetched() {
        assert_eq!(Prefetch::new(1).ahead(64, Timestamp::EPOCH, false), 0);
    }

    #[test]
    fn claims_grow_up_to_eight_shares_while_they_take_longer_than_their_jobs() {
        let mut prefetch = Prefetch::new(1);

        assert_eq!(next(&mut prefetch, 64, 64, 5 * MILLI, MILLI), 64);
        assert_eq!(next(&mut prefetch, 128, 128, 5 * MILLI, MILLI), 128);
        assert_eq!(next(&mut prefetch, 192, 192, 5 * MILLI, MILLI), 192);
        prefetch.ahead = 447;
        assert_eq!(next(&mut prefetch, 500, 500, 5 * MILLI, MILLI), 448);
        assert_eq!(
            next(&mut prefetch, 512, 511, 5 * MILLI, MILLI),
            448,
            "a queue that runs dry changes nothing"
        );
    }

    #[test]
    fn claims_grow_while_a_batch_runs_for_less_than_100_microseconds() {
        let (mut prefetch, micro) = (Prefetch::new(1), Duration::from_micros(1));

        assert_eq!(next(&mut prefetch, 64, 64, micro, 20 * micro), 64);
        assert_eq!(next(&mut prefetch, 128, 128, micro, 99 * micro), 128);
        assert_eq!(next(&mut prefetch, 192, 192, micro, 100 * micro), 64);
    }

    #[test]
    fn jobs_that_still_run_do_not_count_as_short() {
        let mut prefetch = Prefetch::new(1);
        prefetch.note(64, 64, Timestamp::EPOCH, Timestamp::EPOCH);

        assert_eq!(prefetch.ahead(64, Timestamp::from_micros(50), true), 0);
    }

    #[test]
    fn with_several_queues_very_short_jobs_do_not_count() {
        let (mut prefetch, micro) = (Prefetch::new(2), Duration::from_micros(1));

        assert_eq!(next(&mut prefetch, 64, 64, micro, 20 * micro), 0);
        assert_eq!(next(&mut prefetch, 64, 64, 5 * MILLI, MILLI), 64);
    }

    #[test]
    fn claims_shrink_when_their_jobs_take_longer_than_they_do() {
        let mut prefetch = Prefetch { ahead: 448, ..Prefetch::new(1) };

        assert_eq!(next(&mut prefetch, 512, 512, MILLI, 2 * MILLI), 224);
        assert_eq!(next(&mut prefetch, 288, 3, MILLI, 2 * MILLI), 112);
    }

    #[test]
    fn nothing_is_prefetched_once_jobs_were_not_started_soon() {
        let mut prefetch = Prefetch { ahead: 448, ..Prefetch::new(1) };

        assert_eq!(next(&mut prefetch, 512, 512, 500 * MILLI, 11 * MILLI), 0);
        assert_eq!(next(&mut prefetch, 64, 64, 500 * MILLI, 11 * MILLI), 0);
    }

    #[test]
    fn under_a_clock_that_stands_still_nothing_is_prefetched() {
        let mut prefetch = Prefetch::new(1);

        assert_eq!(next(&mut prefetch, 64, 64, Duration::ZERO, Duration::ZERO), 0);
    }
}
