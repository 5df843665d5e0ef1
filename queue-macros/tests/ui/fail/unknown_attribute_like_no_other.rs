//! M5: the error for an unknown attribute that resembles none lists the known ones.

use queue_core::background_job;

#[background_job(colour = "red")]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
