//! M5: the error for a value of an attribute that takes none says so.

use queue_core::background_job;

#[background_job(unique, blocking = true)]
fn ship(order: u64) {
    let _ = order;
}

fn main() {}
