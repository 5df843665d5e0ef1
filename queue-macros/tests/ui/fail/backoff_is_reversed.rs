//! M5: a first wait that is longer than the longest wait is refused.

use queue_core::background_job;

#[background_job(backoff = exponential("1h", "1s"))]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
