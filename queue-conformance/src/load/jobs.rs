//! The jobs of the load. A job's fields follow from the record of its push in the history, so that a push can be repeated.

use std::time::Duration;

use fastrand::Rng;
use queue_core::{Body, Delivery, JobId, NewJob, QueueError, Schedule};

use crate::history::Pushed;

/// The number of unique keys, small so that some are taken.
const KEYS: u128 = 20;

/// Creates a batch of at most `most` random jobs.
///
/// # Errors
///
/// If a payload cannot be created.
pub fn batch(random: &mut Rng, most: u32) -> Result<Vec<NewJob>, QueueError> {
    (0..random.u32(1..=most)).map(|_| job(random)).collect()
}

fn job(random: &mut Rng) -> Result<NewJob, QueueError> {
    let schedule = match random.u32(0..10) {
        0 => Schedule::After(Duration::from_millis(random.u64(0..800))),
        _ => Schedule::Now,
    };
    make(&Pushed {
        priority: random.i32(-2..=2),
        max_attempts: random.u32(2..=6),
        is_unique: random.u32(0..40) == 0,
        schedule,
        ..Pushed::new(JobId::random())
    })
}

/// Creates the job of a record in a history.
pub(super) fn make(pushed: &Pushed) -> Result<NewJob, QueueError> {
    let job = NewJob::new("work", Body::json(body_of(pushed.job))?).id(pushed.job);
    let job = job
        .partition(&pushed.partition)
        .queue(&pushed.queue)
        .priority(pushed.priority)
        .max_attempts(pushed.max_attempts);
    let job = match pushed.schedule {
        Schedule::Now => job,
        Schedule::After(delay) => job.delay(delay),
        Schedule::At(at) => job.at(at),
        other => {
            return Err(QueueError::unsupported(format!(
                "no history has a job that is scheduled by {other:?}"
            )));
        }
    };
    Ok(if pushed.is_unique { job.unique((pushed.job.as_u128() % KEYS).to_string()) } else { job })
}

/// Returns whether a delivery carries the payload that its job was pushed with.
pub(super) fn is_intact(delivery: &Delivery) -> bool {
    delivery.body.encode().is_ok_and(|text| *text == body_of(delivery.id()))
}

/// Returns a payload whose length depends on the job's id, so that some take several pages of the file.
fn body_of(job: JobId) -> String {
    let length = job.as_u128() % 97;
    let words = if length == 0 { 6_000 } else { length as usize };
    format!("{{\"job\":\"{job}\",\"words\":\"{}\"}}", "x".repeat(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_is_made_anew_from_the_history_is_the_same() {
        let jobs = batch(&mut Rng::with_seed(7), 200).unwrap();

        let pushed = Pushed::batch(&jobs);
        let again: Vec<NewJob> = pushed.iter().map(|pushed| make(pushed).unwrap()).collect();

        let bodies = |jobs: &[NewJob]| jobs.iter().map(|job| job.body.encode().unwrap()).collect::<Vec<_>>();
        let keys = |jobs: &[NewJob]| jobs.iter().map(|job| job.unique.clone()).collect::<Vec<_>>();
        assert_eq!(Pushed::batch(&again), pushed);
        assert_eq!(bodies(&again), bodies(&jobs));
        assert_eq!(keys(&again), keys(&jobs));
    }
}
