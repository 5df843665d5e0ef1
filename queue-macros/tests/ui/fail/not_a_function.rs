//! M5: an item that is no function is told so.

use queue_core::background_job;

#[background_job]
struct Ship {
    order: u64,
}

fn main() {}
