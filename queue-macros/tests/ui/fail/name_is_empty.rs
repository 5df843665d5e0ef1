//! M5: an empty name is refused at the literal.

use queue_core::background_job;

#[background_job(name = "")]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
