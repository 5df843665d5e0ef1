//! M5: a backoff without its durations is told what to write.

use queue_core::background_job;

#[background_job(backoff = fixed)]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
