//! The scan for jobs that block their threads.

use std::time::Duration;

use queue_core::{Event, Fence, JobFacts, JobId, Timestamp};

use super::shared::Shared;

/// The time between two scans while a job is in flight.
const INTERVAL: Duration = Duration::from_millis(500);

/// A job that has not returned to its runtime for this long is reported.
const LIMIT: Duration = Duration::from_secs(1);

/// Law H26: a job is reported within two seconds. The first scan after its poll began sees it, and the first one after the limit
/// reports it.
const _: () = assert!(LIMIT.as_millis() + 2 * INTERVAL.as_millis() <= 2_000);

/// The polls that threads were in at the last scan.
#[derive(Debug, Default)]
pub(super) struct BlockedThreads {
    polls: Vec<SeenPoll>,
    next: Option<Timestamp>,
}

/// One poll of an attempt.
#[derive(Debug)]
struct SeenPoll {
    attempt: (JobId, Fence),
    number: u32,
    since: Timestamp,
    is_reported: bool,
}

impl BlockedThreads {
    /// Reports each job that blocks its thread, once. Returns when the next scan is due; `None` if no job is in flight.
    pub(super) fn scan(&mut self, shared: &Shared, now: Timestamp) -> Option<Duration> {
        if let Some(next) = self.next.filter(|next| *next > now) {
            return Some(next.since(now));
        }
        let (mut polls, mut blocked, mut is_idle) = (Vec::new(), Vec::new(), true);
        for lane in shared.lanes() {
            lane.each(|job| {
                is_idle = false;
                let Some(number) = job.current_poll() else { return };
                let poll = self.seen((job.lease().job, job.lease().fence), number, now);
                if !poll.is_reported && now.since(poll.since) >= LIMIT {
                    blocked.push((job.facts(), now.since(poll.since)));
                }
                polls.push(SeenPoll { is_reported: now.since(poll.since) >= LIMIT, ..poll });
            });
        }
        self.polls = polls;
        for (job, blocked_for) in blocked {
            report(shared, job, blocked_for);
        }
        self.next = (!is_idle).then(|| now.saturating_add(INTERVAL));
        self.next.map(|_| INTERVAL)
    }

    /// Returns a poll as it was seen before, or as seen for the first time.
    fn seen(&self, attempt: (JobId, Fence), number: u32, now: Timestamp) -> SeenPoll {
        let before = self.polls.iter().find(|poll| poll.attempt == attempt && poll.number == number);
        let (since, is_reported) = before.map_or((now, false), |poll| (poll.since, poll.is_reported));
        SeenPoll { attempt, number, since, is_reported }
    }
}

fn report(shared: &Shared, job: JobFacts, blocked_for: Duration) {
    tracing::warn!(
        service = shared.client().service(),
        job.id = %job.id, job.name = %job.name, blocked_for = ?blocked_for,
        "a job blocks its thread: mark it `#[background_job(blocking)]`, or let it await"
    );
    shared.client().observe(|| Event::ThreadBlocked { job, blocked_for });
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTEMPT: (JobId, Fence) = (JobId::from_u128(1), Fence(1));

    fn seen_before() -> BlockedThreads {
        let before = SeenPoll { attempt: ATTEMPT, number: 3, since: Timestamp::EPOCH, is_reported: true };
        BlockedThreads { polls: vec![before], next: None }
    }

    /// H26: a poll is timed from the scan that has found it first, and reported once.
    #[test]
    fn the_same_poll_is_timed_from_the_first_scan_that_found_it() {
        let poll = seen_before().seen(ATTEMPT, 3, Timestamp::from_micros(9));

        assert_eq!((poll.since, poll.is_reported), (Timestamp::EPOCH, true));
    }

    #[test]
    fn another_poll_or_attempt_is_timed_from_this_scan() {
        let now = Timestamp::from_micros(9);

        for (attempt, number) in [(ATTEMPT, 5), ((ATTEMPT.0, Fence(2)), 3)] {
            let poll = seen_before().seen(attempt, number, now);
            assert_eq!((poll.since, poll.is_reported), (now, false), "{attempt:?}, {number}");
        }
    }
}
