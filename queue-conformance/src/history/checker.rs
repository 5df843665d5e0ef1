//! The check of a history: a pure function.
//!
//! The events are sorted by job. `batch.rs` first decides whether settlements without an answer were applied, from their
//! followups. `job.rs` then checks each job alone (`claim.rs` its deliveries, `end.rs` its final state), `batch.rs` the batches,
//! and `order.rs` the order of first deliveries.

mod batch;
mod claim;
mod empty_claims;
mod end;
mod job;
mod limits;
mod order;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use queue_core::JobId;

use super::History;
use super::violation::Violation;
use empty_claims::EmptyClaims;
use job::JobHistory;

pub use limits::check_limits;

/// Checks a history against the contract.
///
/// Checks [the rules](super#the-rules) only, not payloads, names or messages.
///
/// # Errors
///
/// The first broken rule, with all events of the jobs that show it.
///
/// # Examples
///
/// A queue acknowledged a job that it does not list at the end:
///
/// ```
/// use queue_core::{Fence, JobId, Lease, State, Timestamp, Transition};
/// use queue_conformance::history::{self, Event, EventKind, FinalState, History, KnownOutcome, LogTime, Pushed, Span};
/// # use std::time::Duration;
///
/// let call = |order, kind| {
///     let time = |order| LogTime { order, queue_time: Timestamp::from_micros(order as i64) };
///     Event { span: Span::since(time(order)).until(time(order + 1)), kind }
/// };
/// let job = JobId::from_u128(1);
/// let push = Pushed { outcome: KnownOutcome::Applied, ..Pushed::new(job) };
/// let mut history = History { events: vec![call(0, EventKind::Pushed(push))], last: vec![] };
///
/// let violation = history::check(&history).unwrap_err();
/// assert!(violation.to_string().starts_with("a job was lost"));
///
/// // With a delivery, a completion and an entry at the end, the history is right.
/// let length = Duration::from_secs(30);
/// let lease = Lease::new(job, Fence(1), length, Timestamp::EPOCH.saturating_add(length));
/// history.events.push(call(2, EventKind::Claimed { lease: lease.clone(), attempt: 1 }));
/// let (transition, outcome) = (Transition::complete(), KnownOutcome::Applied);
/// history.events.push(call(4, EventKind::Settled { lease, transition, outcome }));
/// history.last.push(FinalState { job, state: State::Completed, fence: Fence(1), attempt: 1 });
///
/// assert_eq!(history::check(&history), Ok(()));
/// ```
pub fn check(history: &History) -> Result<(), Violation> {
    let violation = |rule: String, jobs: &[JobId]| Violation::new(rule, jobs, &history.events);
    let empty_claims = EmptyClaims::of(&history.events);
    let mut jobs = sorted_by_job(history);
    batch::learn_from_followups(&mut jobs);
    for (id, job) in &jobs {
        job.check(&empty_claims).map_err(|rule| violation(rule, &[*id]))?;
    }
    batch::check(&jobs).map_err(|batch| violation(batch.to_string(), &[batch.stored, batch.missing]))?;
    order::check(&jobs).map_err(|pair| violation(pair.to_string(), &[pair.first, pair.second]))
}

fn sorted_by_job(history: &History) -> BTreeMap<JobId, JobHistory<'_>> {
    let mut jobs: BTreeMap<JobId, JobHistory<'_>> = BTreeMap::new();
    for event in &history.events {
        if let Some(job) = event.kind.job() {
            jobs.entry(job).or_default().add(event);
        }
    }
    for final_state in &history.last {
        jobs.entry(final_state.job).or_default().last.push(*final_state);
    }
    for job in jobs.values_mut() {
        job.sort();
    }
    jobs
}
