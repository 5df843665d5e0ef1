//! M5: the error for a literal instead of an attribute lists the known attributes.

use queue_core::background_job;

#[background_job("mail")]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
