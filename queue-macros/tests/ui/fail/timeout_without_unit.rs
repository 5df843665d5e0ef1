//! M5: a duration without its unit is told how durations are written.

use queue_core::background_job;

#[background_job(timeout = "30")]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
