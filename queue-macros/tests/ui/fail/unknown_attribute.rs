//! M5: the error for an unknown attribute suggests the nearest, and lists the known ones.

use queue_core::background_job;

#[background_job(quue = "mail")]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
