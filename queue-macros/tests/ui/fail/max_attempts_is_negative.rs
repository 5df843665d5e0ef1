//! M5: fewer attempts than none are refused.

use queue_core::background_job;

#[background_job(max_attempts = -1)]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
