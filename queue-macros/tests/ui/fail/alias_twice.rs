//! M5, M9: an alias given twice is an error at the second.

use queue_core::background_job;

#[background_job(alias = ["dispatch", "dispatch"])]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
