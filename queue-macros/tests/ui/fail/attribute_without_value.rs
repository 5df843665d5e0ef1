//! M5: the error for a missing value says what to write.

use queue_core::background_job;

#[background_job(queue)]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
