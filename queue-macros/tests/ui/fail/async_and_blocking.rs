//! M5: `blocking` on an async function is told both ways out.

use queue_core::background_job;

#[background_job(blocking)]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
