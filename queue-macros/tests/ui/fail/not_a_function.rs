//! M5: the error for an item that is not a function says so.

use queue_core::background_job;

#[background_job]
struct Ship {
    order: u64,
}

fn main() {}
