//! M5: the error for a backoff with too many durations says what to write.

use queue_core::background_job;

#[background_job(backoff = fixed("1s", "2s"))]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
