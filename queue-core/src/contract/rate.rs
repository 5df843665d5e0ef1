//! How many jobs may start in a window of time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::contract::clock::Timestamp;

/// A limit on starts: no window of length `per`, wherever it begins, has more than `starts` of them.
///
/// Starts are spaced by an interval T, `per / (starts - burst + 1)` rounded up to a microsecond, apart from a burst: up to `burst`
/// jobs start at once after a pause. While jobs wait, `starts - burst + 1` of them start in each window.
///
/// The state of a rate is one instant, from which the next job may start. A backend keeps it for each queue and partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rate {
    /// The maximum number of starts in a window.
    pub starts: u32,
    /// The length of the window.
    pub per: Duration,
    /// How many jobs may start at once after a pause; at most `starts`.
    pub burst: u32,
}

impl Rate {
    /// The state of a rate before its first start.
    pub const UNUSED: Timestamp = Timestamp::EPOCH;

    /// Creates a rate whose burst is 1, so that starts are evenly spaced.
    #[must_use]
    pub const fn new(starts: u32, per: Duration) -> Self {
        Self { starts, per, burst: 1 }
    }

    /// Returns the interval between two starts, in microseconds: at least 1.
    #[must_use]
    pub fn interval(&self) -> i64 {
        let spaced = u128::from(self.starts.saturating_sub(self.burst)) + 1;
        i64::try_from(self.per.as_micros().div_ceil(spaced)).unwrap_or(i64::MAX).max(1)
    }

    /// Returns how many jobs may start at `now`. `free_at` is the state of the rate.
    #[must_use]
    pub fn available(&self, now: Timestamp, free_at: Timestamp) -> u32 {
        let Some(since) = now.as_micros().checked_sub(free_at.as_micros()) else { return self.burst };
        if since < 0 {
            return 0;
        }
        u32::try_from(since / self.interval())
            .map_or(self.burst, |more| more.saturating_add(1).min(self.burst))
    }

    /// Returns the state of the rate after `started` jobs have started at `now`.
    #[must_use]
    pub fn after(&self, now: Timestamp, free_at: Timestamp, started: u32) -> Timestamp {
        let interval = self.interval();
        let unused = interval.saturating_mul(i64::from(self.burst) - 1);
        let from = free_at.as_micros().max(now.as_micros().saturating_sub(unused));
        Timestamp::from_micros(from.saturating_add(interval.saturating_mul(i64::from(started))))
    }

    /// Returns the instant from which more than `counted` jobs may start, or `None` if there never may.
    #[must_use]
    pub fn more_at(&self, free_at: Timestamp, counted: u32) -> Option<Timestamp> {
        let later = self.interval().saturating_mul(i64::from(counted));
        (counted < self.burst).then(|| Timestamp::from_micros(free_at.as_micros().saturating_add(later)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts as many jobs as the rate allows at each of these instants, and returns the instants of the starts.
    fn starts_at(rate: Rate, instants: impl IntoIterator<Item = i64>) -> Vec<i64> {
        let (mut free_at, mut started) = (Rate::UNUSED, Vec::new());
        for at in instants {
            let now = Timestamp::from_micros(at);
            let count = rate.available(now, free_at);
            if count > 0 {
                free_at = rate.after(now, free_at, count);
            }
            started.extend(std::iter::repeat_n(at, count as usize));
        }
        started
    }

    #[test]
    fn no_window_has_more_starts_than_allowed_wherever_it_begins() {
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            let starts = random.u32(1..8);
            let rate =
                Rate { starts, per: Duration::from_micros(random.u64(1..50)), burst: random.u32(1..=starts) };
            let mut at = 1_000;
            let instants = std::iter::repeat_with(|| {
                at += if random.u8(0..10) == 0 { random.i64(0..200) } else { random.i64(0..4) };
                at
            });
            let started = starts_at(rate, instants.take(500));
            let per = i64::try_from(rate.per.as_micros()).unwrap();
            for (first, begin) in started.iter().enumerate() {
                let within = started[first..].iter().take_while(|at| **at < begin + per).count();
                assert!(within <= starts as usize, "{within} starts from {begin} on, seed {seed}, {rate:?}");
            }
        }
    }

    #[test]
    fn while_jobs_wait_each_window_has_all_starts_but_those_of_the_burst() {
        for (starts, burst) in [(1, 1), (5, 1), (5, 3), (4, 4)] {
            let rate = Rate { starts, per: Duration::from_micros(60), burst };
            let started = starts_at(rate, 1_000..1_600);
            for window in 1..9 {
                let begin = 1_000 + window * 60;
                let within = started.iter().filter(|at| (begin..begin + 60).contains(*at)).count();
                assert_eq!(within, (starts - burst + 1) as usize, "from {begin} on, {rate:?}");
            }
        }
    }

    #[test]
    fn the_instant_of_the_next_start_is_known() {
        for burst in 1..4 {
            let rate = Rate { starts: 5, per: Duration::from_micros(100), burst };
            let now = Timestamp::from_micros(10_000);
            let free_at = rate.after(now, Rate::UNUSED, burst);
            assert_eq!(rate.available(now, free_at), 0);
            for counted in 0..burst {
                let at = rate.more_at(free_at, counted).unwrap();
                assert_eq!(rate.available(at, free_at), counted + 1);
                assert_eq!(rate.available(Timestamp::from_micros(at.as_micros() - 1), free_at), counted);
            }
            assert_eq!(rate.more_at(free_at, burst), None);
        }
    }
}
