//! M5: a missing comma is reported at the token after it.

use queue_core::background_job;

#[background_job(queue = "mail" max_attempts = 3)]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
