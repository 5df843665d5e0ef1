//! The order of first deliveries.
//!
//! The clients know only spans of time for each push and each claim. So a job counts as overtaken only if it was certainly ready
//! when the claim of a later job began, and was certainly unclaimed when that claim ended.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use queue_core::{Fence, JobId, Schedule, Timestamp};

use super::job::JobHistory;
use crate::history::outcome::KnownOutcome;
use crate::history::pushed::Pushed;
use crate::history::span::Span;

/// How long a claim's transaction that makes a due job ready without taking it may be in flight. Other claims don't see the job
/// until that transaction commits.
const IN_FLIGHT: Duration = Duration::from_millis(500);

/// A job that was ready and unclaimed during the whole claim of a job that comes after it.
#[derive(Debug)]
pub(super) struct OutOfOrder {
    pub(super) first: JobId,
    pub(super) second: JobId,
}

impl fmt::Display for OutOfOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "order: job {} was ready and comes before job {}, which was delivered first",
            self.first, self.second
        )
    }
}

/// Checks the order of first deliveries only: later ones depend on when the clients learnt of a settlement.
pub(super) fn check(jobs: &BTreeMap<JobId, JobHistory<'_>>) -> Result<(), OutOfOrder> {
    let answers = ClaimAnswers::of(jobs);
    let places: Vec<_> = jobs.iter().filter_map(|(id, job)| Position::of(*id, job, &answers)).collect();
    let mut arrivals: Vec<_> = places.iter().collect();
    arrivals.sort_by_key(|place| place.span.last_order());
    let mut arrivals = arrivals.into_iter().peekable();
    let mut claims: Vec<_> = places.iter().filter_map(|place| Some((place.claimed?, place))).collect();
    claims.sort_by_key(|(claim, _)| claim.start.order);
    // The jobs that may be waiting, by the order number of their claim.
    let mut waiting: BTreeMap<(u64, JobId), &Position<'_>> = BTreeMap::new();
    for (claim, overtaker) in claims {
        while let Some(place) = arrivals.next_if(|place| place.span.is_before(&claim)) {
            waiting.insert((place.claimed.map_or(u64::MAX, |claimed| claimed.start.order), place.job), place);
        }
        waiting = waiting.split_off(&(claim.start.order, JobId::from_u128(0)));
        let is_overtaken =
            |place: &&&Position<'_>| place.is_waiting_during(&claim) && place.is_before(overtaker);
        if let Some(first) = waiting.values().find(is_overtaken) {
            return Err(OutOfOrder { first: first.job, second: overtaker.job });
        }
    }
    Ok(())
}

/// The position of a job in the order, as far as the client that pushed it can know.
struct Position<'a> {
    job: JobId,
    pushed: &'a Pushed,
    span: Span,
    /// The bounds of its `run_at`.
    earliest: Timestamp,
    latest: Timestamp,
    /// From when on every claim sees the job as ready.
    seen_from: Timestamp,
    claimed: Option<Span>,
}

impl<'a> Position<'a> {
    /// Returns `None` if it's not known when the job was stored, or when it was first delivered.
    fn of(job: JobId, history: &JobHistory<'a>, answers: &ClaimAnswers) -> Option<Self> {
        let &[(span, pushed)] = history.pushes.as_slice() else { return None };
        let claimed = match history.claims.first() {
            Some(claim) if claim.fence == Fence(1) => Some(claim.claimed.first()?.0),
            Some(_) => return None,
            None if history.last.iter().any(|final_state| final_state.fence > Fence(0)) => return None,
            None => None,
        };
        let (earliest, latest) = (pushed.earliest(&span), pushed.latest(&span));
        let is_ready_at_once = delay(pushed) == Some(Duration::ZERO);
        let first_answer = || answers.first_after(latest).saturating_add(IN_FLIGHT);
        let seen_from = if is_ready_at_once { latest } else { first_answer() };
        let place = Self { job, pushed, span, earliest, latest, seen_from, claimed };
        (pushed.outcome == KnownOutcome::Applied).then_some(place)
    }

    /// Returns whether the job was ready when the claim began, and unclaimed when the claim ended.
    fn is_waiting_during(&self, claim: &Span) -> bool {
        let is_ready = self.span.is_before(claim) && self.seen_from <= claim.start.queue_time;
        is_ready && self.claimed.is_none_or(|claimed| claim.is_before(&claimed))
    }

    fn is_before(&self, other: &Self) -> bool {
        let (one, two) = (self.pushed, other.pushed);
        // Between partitions, the order depends on their loads and turns.
        if one.queue != two.queue || one.partition != two.partition {
            return false;
        }
        if one.priority != two.priority {
            return one.priority < two.priority;
        }
        let is_of_one_batch = one.batch == two.batch;
        if is_of_one_batch && let (Some(delay), Some(other)) = (delay(one), delay(two)) {
            // The jobs of a batch are all stored at one instant, even if that instant is not known.
            return (delay, one.place) < (other, two.place);
        }
        let is_pushed_before =
            if is_of_one_batch { one.place < two.place } else { self.span.is_before(&other.span) };
        self.latest < other.earliest || (self.latest <= other.earliest && is_pushed_before)
    }
}

/// When the claims that returned jobs began and were answered.
///
/// The next claim of any queue makes a due job ready. While the server is down, that may be long after the job is due.
struct ClaimAnswers(BTreeMap<Timestamp, Timestamp>);

impl ClaimAnswers {
    fn of(jobs: &BTreeMap<JobId, JobHistory<'_>>) -> Self {
        let claims = jobs.values().flat_map(|job| &job.claims).flat_map(|claim| &claim.claimed);
        let mut answers = BTreeMap::new();
        for (span, ..) in claims {
            let answer = answers.entry(span.start.queue_time).or_insert(Timestamp::MAX);
            *answer = span.latest().min(*answer);
        }
        // For each start: the earliest answer of a claim that started then or later.
        let mut first = Timestamp::MAX;
        for answer in answers.values_mut().rev() {
            first = first.min(*answer);
            *answer = first;
        }
        Self(answers)
    }

    /// Returns the earliest answer of a claim that began at `instant` or later.
    fn first_after(&self, instant: Timestamp) -> Timestamp {
        self.0.range(instant..).next().map_or(Timestamp::MAX, |(_, answer)| *answer)
    }
}

fn delay(pushed: &Pushed) -> Option<Duration> {
    match pushed.schedule {
        Schedule::Now => Some(Duration::ZERO),
        Schedule::After(delay) => Some(delay),
        _ => None,
    }
}
