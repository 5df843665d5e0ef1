//! M5: a unique key with a brace too few is told how to write one.

use queue_core::background_job;

#[background_job(unique = "order:{order")]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
