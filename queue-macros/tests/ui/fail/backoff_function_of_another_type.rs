//! M5: a backoff function of the wrong type is an error at its path.

use queue_core::background_job;

fn wait(attempt: u32) -> std::time::Duration {
    std::time::Duration::from_secs(attempt.into())
}

#[background_job(backoff = wait)]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
