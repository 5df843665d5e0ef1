//! M5: an unknown attribute is told the nearest, and all that are accepted.

use queue_core::background_job;

#[background_job(quue = "mail")]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
