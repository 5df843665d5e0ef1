//! Whether a history may be: a pure function of it.

mod batch;
mod claim;
mod end;
mod job;
mod missed;
mod order;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use queue_core::JobId;

use super::History;
use super::breach::Breach;
use job::JobHistory;
use missed::Missed;

/// Holds a history to the contract.
///
/// It sees what [the rules](super#the-rules) name, and nothing of payloads, names and messages.
///
/// # Errors
///
/// The first rule that is broken, and the whole story of the jobs that show it.
///
/// # Examples
///
/// A queue acknowledged a job, and doesn't know it in the end:
///
/// ```
/// use queue_core::{Fence, JobId, Lease, State, Timestamp, Transition};
/// use queue_testkit::history::{self, Answer, Event, Fact, History, Moment, Pushed, Span, Standing};
/// # use std::time::Duration;
///
/// let call = |step, fact| {
///     let moment = |step| Moment { step, at: Timestamp::from_micros(step as i64) };
///     Event { span: Span::since(moment(step)).until(moment(step + 1)), fact }
/// };
/// let job = JobId::from_u128(1);
/// let push = Pushed { answer: Answer::Applied, ..Pushed::new(job) };
/// let mut history = History { events: vec![call(0, Fact::Pushed(push))], last: vec![] };
///
/// let breach = history::check(&history).unwrap_err();
/// assert!(breach.to_string().starts_with("a job was lost"));
///
/// // Had it been delivered and completed, and were it still listed, all would be well.
/// let length = Duration::from_secs(30);
/// let lease = Lease::new(job, Fence(1), length, Timestamp::EPOCH.saturating_add(length));
/// history.events.push(call(2, Fact::Claimed { lease: lease.clone(), attempt: 1 }));
/// let (transition, answer) = (Transition::Complete, Answer::Applied);
/// history.events.push(call(4, Fact::Settled { lease, transition, answer }));
/// history.last.push(Standing { job, state: State::Completed, fence: Fence(1), attempt: 1 });
///
/// assert_eq!(history::check(&history), Ok(()));
/// ```
pub fn check(history: &History) -> Result<(), Breach> {
    let breach = |rule: String, jobs: &[JobId]| Breach::new(rule, jobs, &history.events);
    let missed = Missed::of(&history.events);
    let mut jobs = sorted_by_job(history);
    batch::learn_from_followups(&mut jobs);
    for (id, job) in &jobs {
        job.check(&missed).map_err(|rule| breach(rule, &[*id]))?;
    }
    batch::check(&jobs).map_err(|torn| breach(torn.to_string(), &[torn.stored, torn.missing]))?;
    order::check(&jobs)
        .map_err(|overtaken| breach(overtaken.to_string(), &[overtaken.first, overtaken.second]))
}

fn sorted_by_job(history: &History) -> BTreeMap<JobId, JobHistory<'_>> {
    let mut jobs: BTreeMap<JobId, JobHistory<'_>> = BTreeMap::new();
    for event in &history.events {
        if let Some(job) = event.fact.job() {
            jobs.entry(job).or_default().add(event);
        }
    }
    for standing in &history.last {
        jobs.entry(standing.job).or_default().last.push(*standing);
    }
    for job in jobs.values_mut() {
        job.sort();
    }
    jobs
}
