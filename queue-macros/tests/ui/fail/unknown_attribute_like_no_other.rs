//! M5: an unknown attribute that resembles none is told all that are accepted.

use queue_core::background_job;

#[background_job(colour = "red")]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
