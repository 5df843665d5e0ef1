//! M5: the error for an unclosed brace in a unique key says how to write one.

use queue_core::background_job;

#[background_job(unique = "order:{order")]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
