//! Whether a history may be: a pure function of it.

mod job;
mod order;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use queue_core::JobId;

use super::event::{Event, Fact, History};
use job::JobHistory;

/// Holds a history to the contract; what is wrong with it, and the whole story of the job that shows it.
pub(in crate::conformance) fn check(history: &History) -> Result<(), String> {
    let mut jobs: BTreeMap<JobId, JobHistory<'_>> = BTreeMap::new();
    for event in &history.events {
        jobs.entry(event.fact.job()).or_default().add(event);
    }
    for job in jobs.values_mut() {
        job.sort();
    }
    for (id, state) in &history.last {
        let Some(job) = jobs.get_mut(id) else {
            return Err(format!("job {id} is {state} at the end, and nobody pushed it"));
        };
        job.last.push(*state);
    }
    for (id, job) in &jobs {
        job.check().map_err(|wrong| told(&history.events, &[*id], &wrong))?;
    }
    order::check(&jobs).map_err(|overtaken| {
        told(&history.events, &[overtaken.first, overtaken.second], &overtaken.to_string())
    })
}

/// Tells the story of the jobs that a breach is about.
fn told(events: &[Event], jobs: &[JobId], wrong: &str) -> String {
    let mut text = wrong.to_owned();
    for job in jobs {
        text.push_str(&format!("\n    what happened to job {job}:"));
        let mut of_job: Vec<_> = events.iter().filter(|event| event.fact.job() == *job).collect();
        of_job.sort_by_key(|event| event.span.start);
        for event in of_job {
            text.push_str(&format!("\n      {event}"));
        }
    }
    text
}

/// Tells whether a settlement ends the job's life.
fn is_end(fact: &Fact) -> bool {
    use queue_core::Transition::{Cancel, Complete, Discard};
    matches!(
        fact,
        Fact::Settled { transition: Complete | Discard { .. } | Cancel { .. }, is_applied: true, .. }
    )
}
