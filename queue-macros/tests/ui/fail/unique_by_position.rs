//! M5: the error for a unique key with `{}` says to name a field.

use queue_core::background_job;

#[background_job(unique = "order:{}")]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
