//! M5: the error for a backoff with too few durations says what to write.

use queue_core::background_job;

#[background_job(backoff = exponential("1s"))]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
