//! M5: the error for an unknown attribute inside of `unique` lists the known ones.

use queue_core::background_job;

#[background_job(unique(key = "{order}", window = "1h"))]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
