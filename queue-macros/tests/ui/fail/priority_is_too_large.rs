//! M5: a priority out of range is told the range.

use queue_core::background_job;

#[background_job(priority = 3000000000)]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
