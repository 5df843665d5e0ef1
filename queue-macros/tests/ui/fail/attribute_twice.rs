//! M5: a repeated attribute is an error at the second.

use queue_core::background_job;

#[background_job(queue = "mail", max_attempts = 3, queue = "post")]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
