//! M5: an unsafe function is told why it can not be a job.

use queue_core::background_job;

#[background_job]
async unsafe fn ship(order: u64) {
    let _ = order;
}

fn main() {}
