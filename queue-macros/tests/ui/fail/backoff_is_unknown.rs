//! M5: an unknown backoff is told those that there are.

use queue_core::background_job;

#[background_job(backoff = linear("5s"))]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
