//! M5: an attribute without its value is told what to write.

use queue_core::background_job;

#[background_job(queue)]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
