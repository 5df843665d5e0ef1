//! M5: the error for a number in quotes says what to write.

use queue_core::background_job;

#[background_job(max_attempts = "5")]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
