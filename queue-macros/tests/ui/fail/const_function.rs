//! M5: a const function is told to be an ordinary one.

use queue_core::background_job;

#[background_job(blocking)]
const fn ship(order: u64) {
    let _ = order;
}

fn main() {}
