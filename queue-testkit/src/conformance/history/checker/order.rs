//! Whether jobs overtook one another that may not.

use std::collections::BTreeMap;
use std::fmt;

use queue_core::{JobId, Timestamp};

use super::job::JobHistory;
use crate::conformance::history::event::{Fact, Span};

/// A job that was delivered before one which stood in front of it all the while.
#[derive(Debug)]
pub(super) struct Overtaken {
    pub(super) first: JobId,
    pub(super) second: JobId,
}

impl fmt::Display for Overtaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "order: job {} was ready and stood before job {}, which was delivered first",
            self.first, self.second
        )
    }
}

/// Looks at first deliveries only: where a job stands after that depends on when others learnt of it.
pub(super) fn check(jobs: &BTreeMap<JobId, JobHistory<'_>>) -> Result<(), Overtaken> {
    let places: Vec<_> = jobs.iter().filter_map(|(id, job)| Some((*id, Place::of(job)?))).collect();
    for (second, overtaker) in &places {
        let Some(claim) = overtaker.claimed else { continue };
        let overtaken = places.iter().find(|(_, place)| {
            let is_waiting = place.claimed.is_none_or(|claimed| claim.is_before(&claimed));
            is_waiting && place.is_ready_before(&claim) && place.is_before(overtaker)
        });
        if let Some((first, _)) = overtaken {
            return Err(Overtaken { first: *first, second: *second });
        }
    }
    Ok(())
}

/// Where a job stands, as far as its pusher can know.
struct Place {
    priority: i32,
    /// Its `run_at` is between these two.
    earliest: Timestamp,
    latest: Timestamp,
    pushed: Span,
    in_batch: usize,
    claimed: Option<Span>,
}

impl Place {
    fn of(job: &JobHistory<'_>) -> Option<Self> {
        let event = job.pushed?;
        let Fact::Pushed { priority, delay, place, .. } = event.fact else { return None };
        Some(Self {
            priority,
            earliest: event.span.from.saturating_add(delay),
            latest: event.span.to.saturating_add(delay),
            pushed: event.span,
            in_batch: place,
            claimed: job.first_claim().map(|event| event.span),
        })
    }

    fn is_ready_before(&self, claim: &Span) -> bool {
        self.pushed.is_before(claim) && self.latest <= claim.from
    }

    fn is_before(&self, other: &Self) -> bool {
        if self.priority != other.priority {
            return self.priority < other.priority;
        }
        let is_of_one_batch = self.pushed.start == other.pushed.start;
        let is_pushed_before =
            self.pushed.is_before(&other.pushed) || (is_of_one_batch && self.in_batch < other.in_batch);
        let delays = (self.earliest.since(self.pushed.from), other.earliest.since(other.pushed.from));
        if is_of_one_batch {
            // One batch is stored at one instant, whichever it was.
            return (delays.0, self.in_batch) < (delays.1, other.in_batch);
        }
        self.latest < other.earliest || (self.latest <= other.earliest && is_pushed_before)
    }
}
