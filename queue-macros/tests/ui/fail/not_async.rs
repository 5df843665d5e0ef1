//! M5: a function that is not async is told both ways out.

use queue_core::background_job;

#[background_job]
fn ship(order: u64) {
    let _ = order;
}

fn main() {}
