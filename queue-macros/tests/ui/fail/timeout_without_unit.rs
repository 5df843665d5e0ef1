//! M5: the error for a duration without its unit says how to write durations.

use queue_core::background_job;

#[background_job(timeout = "30")]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
