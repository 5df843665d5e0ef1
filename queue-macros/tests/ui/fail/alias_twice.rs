//! M5, M9: a repeated alias is an error at the second.

use queue_core::background_job;

#[background_job(alias = ["dispatch", "dispatch"])]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
