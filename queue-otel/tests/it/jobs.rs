//! The jobs of the tests.

use queue_core::{JobContext, JobError, Jobs, background_job, jobs};

/// Fails at its first attempt, and has a followup.
#[background_job(queue = "orders", max_attempts = 3, backoff = fixed("1ms"))]
pub(crate) async fn pack(#[inject] context: &JobContext) -> Result<(), JobError> {
    if context.attempt() == 1 {
        return Err("the box is too small".into());
    }
    context.then(ship::new());
    Ok(())
}

#[background_job(queue = "shipping")]
pub(crate) async fn ship() {}

pub(crate) fn all() -> Jobs {
    jobs![pack, ship]
}
