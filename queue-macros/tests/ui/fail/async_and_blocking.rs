//! M5: the error for `blocking` on an async function names both solutions.

use queue_core::background_job;

#[background_job(blocking)]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
