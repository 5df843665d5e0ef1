//! M5: the error for a unique key that names no field suggests the nearest.

use queue_core::background_job;

#[background_job(unique = "order:{oder}")]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
