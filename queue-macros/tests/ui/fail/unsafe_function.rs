//! M5: the error for an unsafe function says why it can't be a job.

use queue_core::background_job;

#[background_job]
async unsafe fn ship(order: u64) {
    let _ = order;
}

fn main() {}
