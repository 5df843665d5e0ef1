//! M5: a number in place of a duration is told how durations are written.

use queue_core::background_job;

#[background_job(timeout = 30)]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
