//! M5: the error for a queue that is not a string literal says what to write.

use queue_core::background_job;

#[background_job(queue = mail)]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
