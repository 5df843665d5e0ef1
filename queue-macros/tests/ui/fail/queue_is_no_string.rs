//! M5: a queue that is no string literal is told what to write.

use queue_core::background_job;

#[background_job(queue = mail)]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
