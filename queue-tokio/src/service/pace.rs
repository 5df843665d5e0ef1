//! How many jobs a claim asks for beyond those that can start at once.
//!
//! Where the workers are done with a batch sooner than a claim takes, they mostly wait for claims. Then a claim asks for
//! one more for each worker than the one before; and for no more than can start at once as soon as what it brought was not
//! begun soon.
//! So what is claimed ahead waits for some milliseconds, and what doesn't pays nothing for it: a job that waits for longer,
//! behind jobs that took long all of a sudden, is given back for others to run.

use std::sync::Arc;
use std::time::Duration;

use queue_core::{Timestamp, Transition};

use super::shift::Shift;

/// A claim asks for so many times as many jobs as there are workers at most, and for so many jobs.
const MOST_EACH: usize = 8;
const MOST: usize = 1_000;

/// What was claimed ahead is begun within this, as a rule.
const SOON: Duration = Duration::from_millis(10);

/// What waits for a worker for so long is given back.
const PATIENCE: Duration = Duration::from_millis(100);

/// What has ended waits for no longer, whatever the job after it does to its thread.
const SETTLED_WITHIN: Duration = Duration::from_millis(2);

#[derive(Debug, Default)]
pub(super) struct Pace {
    ahead: usize,
    last: Option<Claimed>,
}

/// What the last claim brought.
#[derive(Debug)]
struct Claimed {
    asked: usize,
    got: usize,
    at: Timestamp,
    took: Duration,
}

impl Pace {
    /// Tells how many jobs to claim ahead, now that a worker is free again.
    pub(super) fn ahead(&mut self, concurrency: usize, now: Timestamp) -> usize {
        if let Some(last) = self.last.take() {
            let ran = now.since(last.at);
            if ran > SOON {
                self.ahead = 0;
            } else if ran > last.took {
                self.ahead /= 2;
            } else if ran < last.took && last.got >= last.asked {
                let most = concurrency.saturating_mul(MOST_EACH).min(MOST);
                self.ahead = self.ahead.saturating_add(concurrency).min(most.saturating_sub(concurrency));
            }
        }
        self.ahead
    }

    /// Notes what a claim brought that began then and is over now.
    pub(super) fn note(&mut self, asked: usize, got: usize, began: Timestamp, now: Timestamp) {
        self.last = Some(Claimed { asked, got, at: now, took: now.since(began) });
    }
}

impl Shift {
    /// Sees to it that nothing suffers from what was claimed ahead, until the loop stops: what has ended is settled meanwhile,
    /// and what finds no worker is given back.
    pub(super) async fn give_back(self: Arc<Self>) {
        loop {
            tokio::select! {
                biased;
                () = self.stopping.fired() => return,
                () = self.surplus.notified() => {}
            }
            let mut looked = self.runtime.now();
            while !self.buffer.is_empty() {
                tokio::select! {
                    biased;
                    () = self.stopping.fired() => return,
                    () = self.runtime.sleep(SETTLED_WITHIN) => {}
                }
                self.ended.ring();
                let now = self.runtime.now();
                if now.since(looked) >= PATIENCE {
                    looked = now;
                    self.give_back_the_old();
                }
            }
        }
    }

    fn give_back_the_old(self: &Arc<Self>) {
        let now = self.runtime.now();
        for _ in 0..self.buffer.len() {
            let Some(held) = self.buffered() else { break };
            let waited = now.since(held.attempt.received_at());
            if waited < PATIENCE {
                self.buffer.push(held);
            } else {
                self.end(held, Transition::Release);
            }
        }
        self.ended.ring();
        // Whoever looked meanwhile has not seen what was put back, and what was given back leaves room for another claim.
        if !self.buffer.is_empty() {
            self.call();
        }
        self.hungry.notify_one();
        // What was put back may have come after the loop was told to stop.
        if self.is_stopping() {
            self.release_buffer();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    /// A claim that took so long, and jobs that took so long to begin; tells what is claimed ahead next.
    fn turn(pace: &mut Pace, asked: usize, got: usize, took: Duration, ran: Duration) -> usize {
        let began = Timestamp::from_micros(1_000_000);
        let over = began.saturating_add(took);
        pace.note(asked, got, began, over);
        pace.ahead(64, over.saturating_add(ran))
    }

    #[test]
    fn at_first_nothing_is_claimed_ahead() {
        assert_eq!(Pace::default().ahead(64, Timestamp::EPOCH), 0);
    }

    #[test]
    fn claims_grow_while_the_workers_wait_for_them_up_to_eight_jobs_a_worker() {
        let mut pace = Pace::default();

        assert_eq!(turn(&mut pace, 64, 64, 5 * MILLI, MILLI), 64);
        assert_eq!(turn(&mut pace, 128, 128, 5 * MILLI, MILLI), 128);
        assert_eq!(turn(&mut pace, 192, 192, 5 * MILLI, MILLI), 192);
        pace.ahead = 447;
        assert_eq!(turn(&mut pace, 500, 500, 5 * MILLI, MILLI), 448);
        assert_eq!(turn(&mut pace, 512, 511, 5 * MILLI, MILLI), 448, "a queue that runs dry changes nothing");
    }

    #[test]
    fn claims_shrink_when_the_workers_need_longer_than_a_claim() {
        let mut pace = Pace { ahead: 448, last: None };

        assert_eq!(turn(&mut pace, 512, 512, MILLI, 2 * MILLI), 224);
        assert_eq!(turn(&mut pace, 288, 3, MILLI, 2 * MILLI), 112);
    }

    #[test]
    fn nothing_is_claimed_ahead_once_jobs_were_not_begun_soon() {
        let mut pace = Pace { ahead: 448, last: None };

        assert_eq!(turn(&mut pace, 512, 512, 500 * MILLI, 11 * MILLI), 0);
        assert_eq!(turn(&mut pace, 64, 64, 500 * MILLI, 11 * MILLI), 0);
    }

    #[test]
    fn where_time_stands_still_nothing_is_claimed_ahead() {
        let mut pace = Pace::default();

        assert_eq!(turn(&mut pace, 64, 64, Duration::ZERO, Duration::ZERO), 0);
    }
}
