//! M5: the error for an unknown backoff lists the known ones.

use queue_core::background_job;

#[background_job(backoff = linear("5s"))]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
