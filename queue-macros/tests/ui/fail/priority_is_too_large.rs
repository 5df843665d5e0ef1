//! M5: the error for a priority out of range states the range.

use queue_core::background_job;

#[background_job(priority = 3000000000)]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
