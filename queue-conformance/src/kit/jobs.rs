//! The jobs that the laws run.

use std::sync::Mutex;
use std::time::Duration;

use queue_core::{JobContext, JobError, background_job};

/// The numbers of the jobs that ran, in order.
pub(super) type Seen = Mutex<Vec<u32>>;

#[background_job]
pub(super) async fn note(#[inject] seen: &Seen, number: u32) {
    seen.lock().expect("the list of jobs").push(number);
}

/// Fails in its first attempts: none, one or two, by its number.
#[background_job(max_attempts = 4, backoff = fixed("1h"))]
pub(super) async fn flaky(#[inject] context: &JobContext, number: u32) -> Result<(), JobError> {
    if context.attempt() <= number % 3 { Err("flaky".into()) } else { Ok(()) }
}

/// Ends in each way that a job can, by its number.
#[background_job(max_attempts = 2, backoff = fixed("1m"))]
pub(super) async fn end_somehow(#[inject] context: &JobContext, number: u32) -> Result<(), JobError> {
    match number % 6 {
        0 => Ok(()),
        1 => Err(JobError::permanent("never")),
        2 if context.fence().0 == 1 => Err(JobError::snooze(Duration::from_secs(30))),
        3 => Err(JobError::cancel("not needed")),
        4 => panic!("a bug"),
        5 if context.attempt() == 1 => {
            context.then(end_somehow::new(1));
            Err("not yet".into())
        }
        _ => {
            context.then(end_somehow::new(0));
            Ok(())
        }
    }
}

#[background_job]
pub(super) async fn send_welcome(user_id: u64, template: &str) {
    let _ = (user_id, template);
}

#[background_job]
pub(super) async fn chain_for_ever(#[inject] context: &JobContext) {
    context.then(chain_for_ever::new());
}

#[background_job]
pub(super) async fn unwritten(#[serde(skip_serializing)] value: u64) {
    let _ = value;
}
