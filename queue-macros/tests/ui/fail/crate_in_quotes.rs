//! M5: a crate path in quotes is told to leave them out.

use queue_core::background_job;

#[background_job(crate = "queue_core")]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
