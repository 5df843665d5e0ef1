//! M5: the error for a backoff without durations says what to write.

use queue_core::background_job;

#[background_job(backoff = fixed)]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
