//! M5: the error for a crate path in quotes says to remove them.

use queue_core::background_job;

#[background_job(crate = "queue_core")]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
