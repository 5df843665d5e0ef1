//! M5: a timeout of zero is refused.

use queue_core::background_job;

#[background_job(timeout = "0s")]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
