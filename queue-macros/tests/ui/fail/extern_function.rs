//! M5: an extern function is told to be an ordinary one.

use queue_core::background_job;

#[background_job(blocking)]
extern "C" fn ship(order: u64) {
    let _ = order;
}

fn main() {}
