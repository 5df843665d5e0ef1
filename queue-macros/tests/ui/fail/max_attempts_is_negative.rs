//! M5: a negative number of attempts is refused.

use queue_core::background_job;

#[background_job(max_attempts = -1)]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
