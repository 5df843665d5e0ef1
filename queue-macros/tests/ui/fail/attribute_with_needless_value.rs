//! M5: an attribute that takes no value is told so.

use queue_core::background_job;

#[background_job(unique, blocking = true)]
fn ship(order: u64) {
    let _ = order;
}

fn main() {}
