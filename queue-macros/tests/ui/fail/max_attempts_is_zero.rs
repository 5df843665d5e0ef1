//! M5: zero attempts are refused.

use queue_core::background_job;

#[background_job(max_attempts = 0)]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
