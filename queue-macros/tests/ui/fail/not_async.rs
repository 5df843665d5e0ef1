//! M5: the error for a function that is not async names both solutions.

use queue_core::background_job;

#[background_job]
fn ship(order: u64) {
    let _ = order;
}

fn main() {}
