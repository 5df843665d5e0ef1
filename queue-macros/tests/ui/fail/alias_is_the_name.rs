//! M5, M9: the error for an alias that is the name already says so.

use queue_core::background_job;

#[background_job(alias = ["dispatch", "ship"])]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
