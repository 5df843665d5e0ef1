//! Blocking jobs in a kit.

use std::time::Duration;

use queue_core::{JobError, QueueExt as _, background_job, jobs};
use tokio::runtime::Handle;

use super::harness::KitHarness;
use crate::law::expect_eq;

/// Waits for an asynchronous call, as a blocking job may.
#[background_job(blocking, timeout = "20s", max_attempts = 1)]
fn render(pages: u32) -> Result<(), JobError> {
    let handle = Handle::try_current().map_err(|error| JobError::permanent(error.to_string()))?;
    let rendered = handle.block_on(async move {
        tokio::time::sleep(Duration::from_millis(1)).await; // virtual
        pages
    });
    if rendered == pages { Ok(()) } else { Err("a page is missing".into()) }
}

/// A blocking job runs on a thread of the runtime, and may wait for asynchronous calls by its handle.
pub(super) async fn t24_a_blocking_job_has_the_handle_of_the_runtime(harness: &KitHarness) {
    let kit = harness.kit(jobs![render]).await;
    kit.queue().enqueue(render::new(3)).await.expect("a push");

    let run = kit.run_until_idle().await.expect("a run");

    run.expect_success();
    expect_eq!(run.attempts().len(), 1);
}
